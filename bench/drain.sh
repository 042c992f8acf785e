#!/bin/bash
# How fast drover empties a queue of jobs that do nothing, beside raw loops in C on the same
# Redis, taken in turns: bench/drain.sh [JOBS]. Compare the ratios, not the rates: the rates
# are this machine's. For drover with one worker also what a job costs worker and Redis of
# the CPU, in microseconds: where both work at a time, a job takes less than their sum.
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"

jobs=${1:-100000}
rounds=3
declare -A rates worker_us redis_us

measure() { # NAME: fills the list "staged" and adds one rate to the name's
    local name=$1
    shift
    "$raw" fill "$socket" staged "$jobs" nothing
    rates[$name]+=" $("$@")"
}

measure_drover() { # NAME WORKERS CONCURRENCY
    local worker worker_ticks redis_ticks
    start_drover "$2" "$3"
    worker=$(worker_pid)
    "$raw" fill "$socket" staged "$jobs" nothing
    worker_ticks=$(cpu_ticks "$worker") redis_ticks=$(cpu_ticks "$redis")
    rates[$1]+=" $("$raw" drain "$socket" staged bench)"
    worker_ticks=$(($(cpu_ticks "$worker") - worker_ticks))
    redis_ticks=$(($(cpu_ticks "$redis") - redis_ticks))
    if [[ $2 = 1 ]]; then
        worker_us[$1]+=" $(us_a_job $worker_ticks "$jobs")"
        redis_us[$1]+=" $(us_a_job $redis_ticks "$jobs")"
    fi
    stop_drover
}

for ((round = 0; round < rounds; round++)); do
    measure lmove "$raw" lmove "$socket" staged 16
    measure lua "$raw" lua "$socket" staged 16
    measure_drover one 1 16
    measure_drover two 2 16
    measure_drover many 1 500
done

row() { # NAME TEXT
    local rate mark
    # shellcheck disable=SC2086
    rate=$(median ${rates[$1]}) mark=$(median ${rates[lmove]})
    printf '%-44s %10s %7s' "$2" "$rate" \
        "$(awk -v a="$rate" -v b="$mark" 'BEGIN { printf "%.2f", a / b }')"
    # shellcheck disable=SC2086
    [[ -z ${worker_us[$1]-} ]] ||
        printf ' %7s %7s' "$(median ${worker_us[$1]})" "$(median ${redis_us[$1]})"
    echo
}

printf '\n%d jobs that do nothing, unix socket, no persistence; medians of %d\n' \
    "$jobs" "$rounds"
printf '%-44s %10s %7s %7s %7s\n' '' 'jobs/s' 'ratio' 'worker' 'redis'
row lmove 'raw C: LMOVE + LREM, 16 in a pipeline'
row lua 'raw C: one script takes 16 and acks 16'
row one 'drover: 1 worker of 16 jobs'
row two 'drover: 2 workers of 16 jobs'
row many 'drover: 1 worker of 500 jobs'
