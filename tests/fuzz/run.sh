#!/bin/sh
# Fuzzes targets (all) for some seconds each with clang's libFuzzer, ASan and UBSan.
#
#   tests/fuzz/run.sh [TARGET..] [SECONDS]
#
# Works in $BUILD/fuzz (build/fuzz): executables, what was found beyond the seeds
# (found/), logs, and a crashing input (crash-*) where there is one. CC names another clang.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
seconds=60 targets=
for word; do
    case $word in
    *[!0-9]*) targets="$targets $word" ;;
    *) seconds=$word ;;
    esac
done
# shellcheck disable=SC2086 # targets are words
set -- ${targets:-payload template config reply control text statement}

mkdir -p "$build/fuzz"
cd "$build/fuzz"

# What a target is made of besides itself and base/, and the words it knows.
payload="$top/jobs/json.c $top/jobs/json_scalar.c $top/jobs/payload.c
    $top/jobs/payload_edit.c $top/jobs/template.c -lm"
config="$(find "$top/config" -name '*.c' ! -name generate.c) -lconfig"
base=$(find "$top/base" -name '*.c')
mkdir -p queue
(cd "$top" && sh queue/lua2c.sh queue/lua/*.lua) >queue/scripts_table.c
queue="queue/scripts_table.c $(find "$top/queue" -name '*.c') $payload
    $config -lhiredis -levent_core -levent_extra"
control="$(find "$top/supervisor" -name '*.c') $config -ljansson -levent_core"

for target; do
    case $target in
    payload | template) parts=$payload dict=payload ;;
    config) parts=$config dict=config ;;
    reply) parts=$queue dict=reply ;;
    control) parts=$control dict=control ;;
    text) parts="$queue $top/cli/when.c" dict=text ;;
    statement)
        parts="$top/jobs/sql_rows.c $top/pg/array.c $top/config/sql_token.c
            $top/config/statement.c"
        dict=statement
        ;;
    *)
        echo "fuzz: no target $target" >&2
        exit 2
        ;;
    esac
    echo "fuzz: $target, $seconds s"
    # shellcheck disable=SC2086 # parts are many
    ${CC:-clang} -std=gnu11 -D_GNU_SOURCE -DPACKAGE_VERSION='"fuzz"' -g -O1 -fno-omit-frame-pointer \
        -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I"$top" \
        -o "fuzz_$target" "$top/tests/fuzz/fuzz_$target.c" \
        $base $parts -levent_extra -levent_core
    mkdir -p "found/$target"
    "./fuzz_$target" -max_total_time="$seconds" -timeout=2 -rss_limit_mb=512 \
        -dict="$top/tests/fuzz/$dict.dict" -print_final_stats=1 \
        "found/$target" "$top/tests/fuzz/corpus/$target" >"$target.log" 2>&1 || {
        tail -n 60 "$target.log"
        echo "fuzz: $target failed; the input is beside $build/fuzz/$target.log" >&2
        exit 1
    }
    grep '^stat::' "$target.log"
done
