#!/bin/sh
# Every test that docs/faults.md names exists, and is run.
set -eu

top=${srcdir:-.}
named=$(mktemp)
trap 'rm -f "$named"' EXIT
status=0

grep -oE '(unit|integration)/[a-z_]+\.c:[a-z_0-9]+' "$top/docs/faults.md" >"$named"
[ "$(wc -l <"$named")" -gt 40 ] || { echo "found too few tests: the search is broken"; exit 1; }
while IFS=: read -r file test; do
    # Once where it is written, once where it is added.
    [ "$(grep -cw "$test" "$top/tests/$file" 2>/dev/null)" -ge 2 ] && continue
    echo "docs/faults.md names $file:$test, which is not there"
    status=1
done <"$named"
# A row that names no test promises what nobody has seen.
if grep -E '^\| [^-]' "$top/docs/faults.md" | grep -vE '^\| fault |:[a-z_0-9]+ \|$'; then
    echo "docs/faults.md: the rows above name no test"
    status=1
fi
exit $status
