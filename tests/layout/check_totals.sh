#!/bin/sh
# tests/totals.sh is what says that all went well: it must count, and must not be fooled.
set -eu

totals=$(realpath "${srcdir:-.}")/tests/totals.sh
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

result() { # NAME VERDICT, LOG on stdin: what `make check` leaves of one test
    mkdir -p "$(dirname "$1")"
    printf ':test-result: %s\n:global-test-result: %s\n' "$2" "$2" >"$1.trs"
    cat >"$1.log"
}

expect() { # WHETHER IT SUCCEEDS, LAST LINE, DIRECTORIES...
    succeeds=$1 line=$2
    shift 2
    if "$totals" "$@" >out; then went=yes; else went=no; fi
    if [ "$went" != "$succeeds" ] || [ "$(tail -n 1 out)" != "$line" ]; then
        echo "of '$*': wanted success: $succeeds, last line: $line; but: $went and"
        cat out
        exit 1
    fi
}

echo '100%: Checks: 5, Failures: 0, Errors: 0' | result good/suite PASS
echo 'ok' | result good/script PASS
echo 'not here' | result good/skipped SKIP
printf '60%%: Checks: 5, Failures: 1, Errors: 1\nx.c:1: secret word\n' | result bad/suite FAIL
printf '100%%: Checks: 3, Failures: 0, Errors: 0\nleaked\n' | result leak/suite FAIL
echo 'never built' | result broken/suite ERROR
printf 'Running suite(s):100%%: Checks: 0, Failures: 0, Errors: 0\n' | result idle/suite PASS
mkdir none

expect yes '6 passed, 0 failed, 1 skipped' good
grep -qx 'skipped good/skipped.trs: not here' out
expect no '3 passed, 2 failed' bad
grep -q 'secret word' out
expect no '3 passed, 1 failed' leak
expect no '0 passed, 1 failed' broken
expect no '0 passed, 1 failed' idle
expect no '9 passed, 2 failed, 1 skipped' good bad
expect no '0 passed, 0 failed' none
expect no '6 passed, 0 failed, 1 skipped' good none
expect no '6 passed, 0 failed, 1 skipped' good missing
expect no '0 passed, 0 failed'
