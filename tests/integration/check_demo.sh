#!/bin/sh
# What `./dev run` shows must come true: the demo fails if its jobs do not go as it tells.
# Run in the build directory; afterwards nothing of it may be left.
set -eu

"${srcdir:-.}/contrib/demo/demo.sh" --once --drover ./drover >demo.out || {
    cat demo.out
    exit 1
}
cat demo.out
dir=$(sed -n 's/^ *everything is in \([^,]*\),.*/\1/p' demo.out)
rm -f demo.out
[ -n "$dir" ] || { echo "the demo did not say where it is"; exit 1; }
[ ! -e "$dir" ] || { echo "$dir is left behind"; exit 1; }
