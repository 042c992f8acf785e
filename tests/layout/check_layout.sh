#!/bin/sh
# The layout of the house, checked: who may include whom, every header complete in itself,
# an opening comment in every file, bounds on lengths, calls that are not allowed.
#
# Runs in the build directory (any) and needs tests/layout/compiler there, which make
# writes. First it shows on a bad sample that it can fail.
set -u

build=$(pwd)
top=$(cd "${srcdir:-$(dirname "$0")/../..}" && pwd)
rules=$(cd "$(dirname "$0")" && pwd)/rules.awk
folders="base config pg jobs queue failed status worker supervisor console cli bench"
folders="$folders tests"

scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT
trap 'exit 99' HUP INT TERM

if ! compiler=$(cat "$build/tests/layout/compiler"); then
    echo "run make tests/layout/compiler first" >&2
    exit 99
fi

# Sources below the current directory, one a line; generated ones are none.
list_files() {
    for folder in $folders; do
        [ -d "$folder" ] || continue
        find "$folder" -type f \( -name '*.[ch]' -o -name '*.lua' -o -name '*.sh' \
            -o -name '*.py' -o -name '*.awk' \) ! -name scripts_table.c
    done | sort
}

# The command line is one for a shell: it may hold quotes.
compile() {
    (cd "$build" && eval "$compiler"' -fsyntax-only "$@" "$scratch/alone.c"')
}

# Twice, so that the guard is seen too. $1 is the top of the sources.
check_header() {
    printf '#include "%s"\n#include "%s"\n' "$2" "$2" >"$scratch/alone.c"
    compile -I"$1" >"$scratch/alone.txt" 2>&1 || {
        echo "$2: does not compile alone"
        grep error "$scratch/alone.txt" | head -n 3
    }
}

# Where Check is not installed, what needs it cannot be compiled.
can_compile() {
    ! grep -q '<check.h>\|tests/unit/' "$1" || [ "$have_check" = yes ]
}

# Prints what is wrong below $1.
check_tree() {
    (
        cd "$1" || exit
        list_files >"$scratch/files"
        xargs awk -f "$rules" <"$scratch/files"
        grep '\.h$' "$scratch/files" | while IFS= read -r header; do
            can_compile "$header" && check_header "$1" "$header"
        done
    )
}

have_check=no
echo '#include <check.h>' >"$scratch/alone.c"
if compile >/dev/null 2>&1; then
    have_check=yes
fi

# A sample with one thing wrong per line of what must be found.
write_bad_sample() {
    mkdir -p "$1/base" "$1/jobs" "$1/queue" "$1/supervisor" "$1/tests" "$1/cli"
    printf '/* Good. */\n#include "base/a.h"\n/* strcpy(a, b) */\n' >"$1/cli/good.c"
    printf 'char *a = "system(1)"; /* x\n atoi(1) */ int b; // popen(\n' >>"$1/cli/good.c"
    printf "int c = '\"'; int snprintf(int); int my_atoi(int);\n" >>"$1/cli/good.c"
    printf '#include <stdio.h>\n' >"$1/base/bare.c"
    printf '/* x */\nstruct a { size_t no_such_type; };\n' >"$1/base/a.h"
    printf '/* x */\n#include "config/config.h"\n' >"$1/base/up.c"
    printf '/* x */\n#include "jobs/payload.h"\n#include "jobs/policy.h"\n' \
        >"$1/queue/side.c"
    printf '/* x */\n#include "queue/queue.h"\n' >"$1/supervisor/net.c"
    printf '/* x */\n#include <hiredis/hiredis.h>\n' >"$1/supervisor/redis.c"
    printf '/* x */\n#include <libpq-fe.h>\n' >"$1/queue/pg.c"
    printf '/* x */\nint f(void) { return atoi("1"); }\n' >"$1/jobs/call.c"
    printf '/* x */\nvoid f(void) { /* y */ sprintf (a, "(", b); }\n' >"$1/jobs/print.c"
    printf '/* x */\nvoid f(void) { sleep(1); }\nint g = atoi("1");\n' >"$1/tests/slow.c"
    printf '/* x */\nint f(void) { return system("x") + popen("y", "r"); }\n' \
        >"$1/tests/good_shell.c"
    printf '/* x */\nint f(void) { return system("x"); }\n' >"$1/cli/shell.c"
    awk 'BEGIN { print "/* x */\nint f(void)\n{"; for (i = 0; i < 79; i++) print ";";
        print "}" }' >"$1/jobs/long_function.c"
    awk 'BEGIN { print "/* x */\nint f(void)\n{"; for (i = 0; i < 78; i++) print ";";
        print "}" }' >"$1/jobs/good_function.c"
    awk 'BEGIN { print "/* x */"; for (i = 0; i < 600; i++) print "" }' >"$1/jobs/long.c"
    awk 'BEGIN { print "/* x */"; for (i = 0; i < 599; i++) print "" }' >"$1/jobs/good.c"
}

expected_problems() {
    cat <<'END'
base/a.h: does not compile alone
base/bare.c:1: a comment that says what the file is for is missing
base/up.c:2: base/ may not include config/config.h
cli/shell.c:2: a call that is not allowed here
jobs/call.c:2: a call that is not allowed here
jobs/long.c:601: more than 600 lines
jobs/long_function.c:83: a function of more than 80 lines
jobs/print.c:2: a call that is not allowed here
queue/pg.c:2: only pg/ may include <libpq-fe.h>
queue/side.c:3: queue/ may not include jobs/policy.h
supervisor/net.c:2: supervisor/ may not include queue/queue.h
supervisor/redis.c:2: only queue/ may include <hiredis/hiredis.h>
tests/slow.c:2: a test waits for a condition, not for time
tests/slow.c:3: a call that is not allowed here
END
}

write_bad_sample "$scratch/bad"
check_tree "$scratch/bad" | grep -v 'error:' | sort >"$scratch/found"
expected_problems | sort >"$scratch/expected"
if ! diff "$scratch/expected" "$scratch/found"; then
    echo "the check itself is wrong: < was to be found in the bad sample, > was found"
    exit 1
fi

check_tree "$top" >"$scratch/found"
cat "$scratch/found"
problems=$(wc -l <"$scratch/found")
files=$(wc -l <"$scratch/files")
echo "$((files)) files, $((problems)) problems"
[ "$files" -gt 0 ] && [ "$problems" -eq 0 ]
