#!/bin/sh
# What README.md, docs/laravel.md and contrib/compose tell a user to write must be right: their
# configurations are read by the built drover, their commands and options exist. Run in the
# build directory.
set -eu

top=${srcdir:-.}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# Nothing of the caller's is to decide what is read; DB_* is what a user would have.
for name in $(env | sed -n 's/^\(\(REDIS\|DB\|DROVER\)_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
export DB_CONNECTION=pgsql DB_HOST=db DB_DATABASE=shop

# ---- configurations ----

# Indented blocks of $1 that hold settings, each to a file of its own.
write_configurations() {
    awk -v start="$dir/$(basename "$1")" '
        /^    / { if (!inside) { inside = 1; block = "" } block = block substr($0, 5) "\n"; next }
        /^$/ && inside { block = block "\n"; next }
        inside { inside = 0; if (block ~ /pools: \(/) printf "%s", block > (start (++ct) ".conf") }
    ' "$1"
}

write_configurations "$top/README.md"
write_configurations "$top/docs/laravel.md"
cp "$top/contrib/compose/drover.conf" "$dir/compose.conf"
for conf in README.md2 laravel.md3 compose; do
    [ -e "$dir/$conf.conf" ] || { echo "found too few configurations: the search is broken"; exit 1; }
done
for conf in "$dir"/*.conf; do
    ./drover config check -c "$conf" 2>"$dir/warnings" ||
        { cat "$dir/warnings" "$conf"; exit 1; }
done

# ---- README's table of commands ----

# Its first column: `drover failed list\|show`, `reload`.
sed -n 's/^| \(`drover [^|]*\(\\|[^|]*\)*\) |.*/\1/p' "$top/README.md" | sed 's/\\|/|/g' >"$dir/table"
[ "$(wc -l <"$dir/table")" -ge 7 ] || { echo "found too few commands"; exit 1; }
# shellcheck disable=SC2016 # Markdown's backquotes
grep -o '`[^`]*`' "$dir/table" | tr -d '`' | sed 's/^drover //' |
    while read -r word rest; do
        seconds=
        case $rest in
            [a-z]*) seconds=$(echo "$rest" | tr '|' ' ') ;;
        esac
        for first in $(echo "$word" | tr '|' ' '); do
            for second in $seconds; do echo "drover $first $second"; done
            [ -n "$seconds" ] || echo "drover $first"
        done
    done >"$dir/commands"

# ---- commands elsewhere ----

# In backquotes, which may go over the end of a line, and in indented blocks.
# shellcheck disable=SC2016
write_commands() {
    grep -v '^    ' "$1" | tr '\n' ' ' | grep -o '`drover [^`]*`' | tr -d '`'
    sed -n 's/^    .*\bdrover \([a-z]\)/    drover \1/; s/^    *\(drover [a-z].*\)/\1/p' "$1"
}
# Those of containers, and of their health.
write_container_commands() {
    sed -n 's/^ *\(command\|test\|CMD\):* *\(\[.*\]\).*/\2/p; s/^CMD *\(\[.*\]\)/\1/p' "$@" |
        sed 's/", *"/ /g' | tr -d '[]"' | sed -n 's/.*\bdrover \([a-z]\)/drover \1/p'
}

write_commands "$top/docs/laravel.md" >"$dir/guide"
write_container_commands "$top"/contrib/compose/*.yaml "$top/contrib/compose/Dockerfile" >"$dir/containers"
if [ "$(wc -l <"$dir/guide")" -lt 20 ] || [ "$(wc -l <"$dir/containers")" -lt 5 ]; then
    echo "found too few commands: the search is broken"
    exit 1
fi

# With --help behind it a command is read whole, and not run.
sed 's/ *[])}`>|#;].*//; s/"//g' "$dir/guide" "$dir/containers" >>"$dir/commands"
sort -u "$dir/commands" | while read -r drover words; do
    # shellcheck disable=SC2086 # the words are arguments
    ./$drover $words --help >"$dir/help" 2>&1 || { echo "written: drover $words"; cat "$dir/help"; exit 1; }
    if ! grep -q "^usage: drover ${words%% *}" "$dir/help" || grep -q "^usage: .* COMMAND" "$dir/help"; then
        echo "no command: drover $words"
        exit 1
    fi
done
