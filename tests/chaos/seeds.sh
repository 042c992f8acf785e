#!/bin/bash
# Chaos runs of several seeds, one after the other, in a build directory: seeds.sh A..B
# [OPTIONS OF chaos]. A line each; the audits stay in chaos-SEED.json. Fails if one did.
set -uo pipefail

first=${1%%..*} last=${1##*..} failed=0
shift

# The first field of that name in the audit.
field() { # NAME FILE
    sed -n "s/^ *\"$1\": *\([^,]*\),\{0,1\}$/\1/p" "$2" | head -n 1
}

# A field of one of its parts.
field_of() { # PART NAME FILE
    sed -n "/^  \"$1\": {/,/^  }/p" "$3" | sed -n "s/^ *\"$2\": *\([^,]*\),\{0,1\}$/\1/p"
}

printf '%6s %5s %8s %5s %6s %6s %5s %11s %5s %9s %9s %7s\n' seed ok enqueued "done" failed \
    lost rerun unexplained left p50_ms max_ms took_s
for ((seed = first; seed <= last; seed++)); do
    audit=chaos-$seed.json
    tests/chaos/chaos --seed "$seed" "$@" >"$audit" || failed=1
    printf '%6s %5s %8s %5s %6s %6s %5s %11s %5s %9s %9s %7s\n' "$seed" \
        "$(field ok "$audit")" "$(field enqueued "$audit")" "$(field_of jobs "done" "$audit")" \
        "$(field_of jobs failed "$audit")" "$(field lost "$audit")" \
        "$(field reruns "$audit")" "$(field unexplained "$audit")" \
        "$(field processes_left "$audit")" \
        "$(field_of rerun_after_worker_kill p50_ms "$audit")" \
        "$(field_of rerun_after_worker_kill max_ms "$audit")" "$(field took_s "$audit")"
    sed -n '/"findings"/,/]/p' "$audit" | grep '^    '
done
exit $failed
