#!/bin/sh
# Fuzzes each target for some seconds with clang's libFuzzer, ASan and UBSan.
#
#   tests/fuzz/run.sh [SECONDS [BUILDDIR [TARGET..]]]
#
# Works in BUILDDIR/fuzz (build/fuzz): executables, what was found beyond the seeds
# (found/), logs, and a crashing input (crash-*) where there is one. CC names another clang.
set -eu

seconds=${1:-60}
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${2:-$top/build}
[ $# -eq 0 ] || shift
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- payload template config

mkdir -p "$build/fuzz"
cd "$build/fuzz"

# What a target is made of besides itself and base/, and the words it knows.
payload="$top/jobs/json.c $top/jobs/json_scalar.c $top/jobs/payload.c
    $top/jobs/payload_edit.c $top/jobs/template.c -lm"
config="$(find "$top/config" -name '*.c' ! -name generate.c) -lconfig"

for target; do
    case $target in
    config) parts=$config dict=config ;;
    *) parts=$payload dict=payload ;;
    esac
    echo "fuzz: $target, $seconds s"
    # shellcheck disable=SC2086 # parts are many
    ${CC:-clang} -std=gnu11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer \
        -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -I"$top" \
        -o "fuzz_$target" "$top/tests/fuzz/fuzz_$target.c" \
        "$top/base/buf.c" "$top/base/err.c" "$top/base/must.c" "$top/base/text.c" $parts
    mkdir -p "found/$target"
    "./fuzz_$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 \
        -dict="$top/tests/fuzz/$dict.dict" -print_final_stats=1 \
        "found/$target" "$top/tests/fuzz/corpus/$target" >"$target.log" 2>&1 || {
        tail -n 60 "$target.log"
        echo "fuzz: $target failed; the input is beside $build/fuzz/$target.log" >&2
        exit 1
    }
    grep '^stat::' "$target.log"
done
