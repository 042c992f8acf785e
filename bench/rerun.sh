#!/bin/bash
# How long after a worker's death its job runs again: bench/rerun.sh [SAMPLES]. Each
# sample has a supervisor of its own: repeated crashes are restarted later on purpose.
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"

samples=${1:-20}
runs=$dir/runs

# Each run notes when it started, and which worker is its parent.
more_jobs="{ name = \"stays\"; type = \"shell\"; command = [ \"/bin/sh\", \"-c\",
    \"echo \$(date +%s%N) \$PPID >> $runs; exec sleep 1000\" ]; }"

wait_for_runs() { # COUNT
    until [[ -e $runs && $(wc -l <"$runs") -ge $1 ]]; do sleep 0.02; done
}

sample() { # prints microseconds
    local died started worker
    rm -f "$runs"
    start_drover 1 16
    "$drover" push stays --queue bench -c "$dir/drover.conf" >/dev/null
    wait_for_runs 1
    read -r _ worker <"$runs"
    died=$(date +%s%N)
    kill -KILL "$worker"
    wait_for_runs 2
    read -r started _ < <(tail -n 1 "$runs")
    latencies+=($(((started - died) / 1000)))
    kill -KILL "$supervisor" "$(tail -n 1 "$runs" | cut -d' ' -f2)"
    wait "$supervisor" 2>/dev/null || true
    supervisor=
    redis-cli -s "$socket" FLUSHALL >/dev/null
}

latencies=()
for ((i = 0; i < samples; i++)); do sample; done
printf '\n%d deaths of a worker, from its kill to its job running again, microseconds\n' "$samples"
printf '%-52s %8s %8s\n' '' p50 max
printf '%-52s %8d %8d\n' 'drover: kill -9 of a worker -> start of the next run' \
    "$(median "${latencies[@]}")" "$(printf '%s\n' "${latencies[@]}" | sort -n | tail -n 1)"
