#!/bin/sh
# The user that drover needs of Redis stands in contrib/drover.acl, where the tests read it,
# and in docs/protocol.md, where people do: the same line.
set -eu

top=${srcdir:-.}
line=$(cat "$top/contrib/drover.acl")
case $line in
"ACL SETUSER drover reset on >PASSWORD ~queues:* ~drover:* resetchannels -@all +"*) ;;
*)
    echo "contrib/drover.acl is not what its readers expect: $line"
    exit 1
    ;;
esac
grep -qF -- "$line" "$top/docs/protocol.md" || {
    echo "docs/protocol.md does not have the line of contrib/drover.acl"
    exit 1
}

# Every command that a script calls is given, and none that nothing calls.
given=$(echo "$line" | tr ' ' '\n' | sed -n 's/^+//p' | tr '[:lower:]' '[:upper:]')
called=$(grep -hoE "\b(p?call|size)\((q, )?'[A-Z]+'" "$top"/queue/lua/*.lua "$top"/queue/lua/parts/*.lua |
    grep -oE "'[A-Z]+'" | tr -d "'" | sort -u)
[ "$(echo "$called" | wc -l)" -gt 25 ] || { echo "found too few commands: the search is broken"; exit 1; }
for command in $called; do
    echo "$given" | grep -qx "$command" || { echo "contrib/drover.acl lacks +$command"; exit 1; }
done
for command in $given; do
    name=${command%%|*}
    grep -qE "[\"']${name}[\"']" "$top"/queue/*.c "$top"/queue/lua/*.lua "$top"/queue/lua/parts/*.lua ||
        { echo "contrib/drover.acl gives +$command, which nothing calls"; exit 1; }
done
