#!/bin/sh
# The payload scanner beside Python's json. Runs in the build directory. Exit 77: no python3.
set -u

here=$(cd "$(dirname "$0")" && pwd)
if ! command -v python3 >/dev/null; then
    echo "no python3"
    exit 77
fi
exec python3 "$here/against_python.py" ./verdict "$here/corpus/payload"
