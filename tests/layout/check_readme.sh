#!/bin/sh
# What README.md tells a user to write must be right: its configurations are read by the
# built drover, its commands exist. Run in the build directory.
set -eu

readme=${srcdir:-.}/README.md
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# Nothing of the caller's is to decide what is read.
for name in $(env | sed -n 's/^\(\(REDIS\|DB\|DROVER\)_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done

# Indented blocks that hold settings, each to a file of its own.
awk -v dir="$dir" '
    /^    / { if (!inside) { inside = 1; block = "" } block = block substr($0, 5) "\n"; next }
    /^$/ && inside { block = block "\n"; next }
    inside { inside = 0; if (block ~ /pools: \(/) printf "%s", block > (dir "/" ++ct ".conf") }
' "$readme"
[ -e "$dir/2.conf" ] || { echo "found too few configurations: the search is broken"; exit 1; }
for conf in "$dir"/*.conf; do
    ./drover config check -c "$conf" || { cat "$conf"; exit 1; }
done

# The first column of the table of commands: `drover failed list\|show`, `reload`.
sed -n 's/^| \(`drover [^|]*\(\\|[^|]*\)*\) |.*/\1/p' "$readme" | sed 's/\\|/|/g' >"$dir/commands"
[ "$(wc -l <"$dir/commands")" -ge 7 ] || { echo "found too few commands"; exit 1; }
# shellcheck disable=SC2016 # Markdown's backquotes
grep -o '`[^`]*`' "$dir/commands" | tr -d '`' | sed 's/^drover //' |
    while read -r word rest; do
        case $rest in
            [a-z]*\|*)
                for second in $(echo "$rest" | tr '|' ' '); do echo "$word $second"; done
                ;;
            *) echo "$word" ;;
        esac
    done >"$dir/words"
while read -r words; do
    # shellcheck disable=SC2086 # two words are two arguments
    ./drover $words --help >"$dir/help" || { echo "README names: drover $words"; exit 1; }
    grep -q "usage: drover $words" "$dir/help" || { cat "$dir/help"; exit 1; }
done <"$dir/words"
