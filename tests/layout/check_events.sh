#!/bin/sh
# docs/events.md lists every event of the log, and no other.
set -eu

top=${srcdir:-.}
found=$(mktemp)
listed=$(mktemp)
trap 'rm -f "$found" "$listed"' EXIT

# An event is a dotted name in quotes, within the lines of a call that logs.
for file in "$top"/*/*.c; do
    case $file in */tests/* | */bench/*) continue ;; esac
    tr '\n' ' ' <"$file" |
        grep -oE '\b(log_(debug|info|warning|error|at|write|render|finished)) ?\([^;]*' |
        grep -oE '"[a-z_]+\.[a-z_]+"' | tr -d '"' || true
done | sort -u >"$found"
# shellcheck disable=SC2016 # those are Markdown's backquotes
grep -oE '^\| `[a-z_]+\.[a-z_]+`' "$top/docs/events.md" | tr -d '|` ' | sort -u >"$listed"

[ "$(wc -l <"$found")" -gt 30 ] || { echo "found too few events: the search is broken"; exit 1; }
status=0
for event in $(comm -23 "$found" "$listed"); do
    echo "docs/events.md does not list $event"
    status=1
done
for event in $(comm -13 "$found" "$listed"); do
    echo "docs/events.md lists $event, which nothing logs"
    status=1
done
# What a test looks for, and hopes not to find, must be something that there is.
grep -rhoE 'event=[a-z_]+\.[a-z_]+' "$top/tests" --include='*.[ch]' | sed 's/event=//' |
    sort -u >"$found"
[ "$(wc -l <"$found")" -gt 30 ] || { echo "found too few events in tests: the search is broken"; exit 1; }
for event in $(comm -23 "$found" "$listed"); do
    echo "a test looks for $event, which docs/events.md does not list"
    status=1
done
exit $status
