# The search through the model of the queue protocol (queue.pml), for the scripts beside it:
# `search` does one, `wrong` is what they exit with. Exit 77: no spin, or sanitizers: nothing
# of ours runs here.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

# A compiler that is done at once is worth more here than fast code.
model=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/queue.pml
compiler=$(command -v tcc || command -v gcc || true)
if grep -q '^DROVER_CFLAGS.*-fsanitize' Makefile 2>/dev/null; then
    echo "the model is the same with sanitizers"
    exit 77
fi
if ! command -v spin >/dev/null || [[ -z $compiler ]]; then
    echo "no spin, or neither tcc nor gcc"
    exit 77
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit
wrong=0

# Sets $states, $errors and $reason. With -DNP in $2 and -l in $3 the search is for cycles.
search() { # FLAGS OF SPIN, FLAGS OF THE COMPILER, FLAGS OF PAN
    local words word
    read -ra words <<<"$1"
    for word in "${words[@]}"; do # a word that the model does not know changes nothing
        word=${word#-D}
        grep -qw "${word%=*}" "$model" || {
            echo "not in the model: $word"
            exit 1
        }
    done
    spin -a "${words[@]}" "$model" >spin.log
    read -ra words <<<"$2"
    "$compiler" -w -DVECTORSZ=1024 -DMEMLIM=2000 -DCOLLAPSE -DNOFAIR "${words[@]}" -o pan pan.c
    read -ra words <<<"$3"
    ./pan -m100000 "${words[@]}" >pan.log
    errors=$(sed -n 's/.*errors: *//p' pan.log)
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log)
    reason=$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' pan.log)
    # A search that was cut short proves nothing.
    ! grep -qE 'max search depth|out of memory|Search not completed' pan.log || [[ $errors != 0 ]] ||
        errors=unfinished
}
