#!/bin/bash
# How long an idle worker takes from the push of a job to its start, beside the least that
# Redis allows: bench/latency.sh [SAMPLES].
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"

samples=${1:-300}
gap_ms=20

row() { # TEXT, then the command that prints p50 and p99
    local text=$1 p50 p99
    shift
    read -r p50 p99 < <("$@")
    printf '%-52s %8d %8d\n' "$text" "$p50" "$p99"
}

start_drover 1 16
printf '\n%d pushes %d ms apart, unix socket, microseconds\n' "$samples" "$gap_ms"
printf '%-52s %8s %8s\n' '' p50 p99
row 'raw C: LPUSH -> BRPOP' \
    "$raw" wake "$socket" "$dir/wake" call "$samples" "$gap_ms"
row 'drover: push -> acknowledged (does nothing)' \
    "$raw" latency "$socket" bench nothing - "$samples" "$gap_ms"
row 'raw C: LPUSH -> BRPOP -> main() of a program' \
    "$raw" wake "$socket" "$dir/wake" program "$samples" "$gap_ms"
row 'drover: push -> main() of a shell job' \
    "$raw" latency "$socket" bench stamp "$dir/fifo" "$samples" "$gap_ms"
