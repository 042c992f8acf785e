#!/bin/bash
# Laravel jobs that do nothing: how many a second drover runs in N processes of PHP, beside
# N of Laravel's own workers, taken in turns, what either costs and holds; and how soon a
# job runs again whose PHP was killed: bench/laravel.sh [JOBS [N..]].
# Compare the ratios, not the rates: the rates are this machine's.
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"

jobs=${1:-10000}
((${#} > 1)) && runners=("${@:2}") || runners=(1 2 4)
rounds=${ROUNDS:-5}
deaths=5
ledger=$dir/ledger
workers=() # Laravel's own
declare -A rates cpu redis_cpu pss
export BENCH_SOCKET=$socket BENCH_LEDGER=$ledger
touch "$ledger"
more_jobs="{ name = \"Drover\\\\Tests\\\\*\"; type = \"laravel\"; app = \"$dir\";
    bootstrap = \"$PWD/bench/laravel.php\"; bridge = \"$PWD/contrib/laravel/bridge.php\"; }"

stop_all() {
    ((${#workers[@]} == 0)) || kill "${workers[@]}" || true
    clean_up
}
trap stop_all EXIT

produce() { # ORDER
    php tests/php/producer.php --socket="$socket" <<<"$1" >/dev/null
}

stage() {
    redis-cli -s "$socket" COPY made staged >/dev/null
}

# With all they have started, as pids.
family() { # PID..
    local pid
    for pid in "$@"; do
        echo "$pid"
        # shellcheck disable=SC2046
        family $(pgrep -P "$pid")
    done
}

spent_us() { # PID..: CPU, user and system
    local pid sum=0 user system
    for pid in "$@"; do
        read -r user system < <(sed 's/.*) //' "/proc/$pid/stat" | cut -d' ' -f12,13)
        sum=$((sum + user + system))
    done
    echo $((sum * 1000000 / $(getconf CLK_TCK)))
}

held_kib() { # PID..
    local pid
    for pid in "$@"; do
        sed -n 's/^Pss: *\([0-9]*\) kB/\1/p' "/proc/$pid/smaps_rollup"
    done | awk '{ sum += $1 } END { print sum }'
}

# Twice: the first time PHP compiles its classes and drover starts its runners.
measure() { # NAME PID..: of the processes that empty the queue
    local name=$1 all before redis_before
    stage
    "$raw" drain "$socket" staged bench >/dev/null
    mapfile -t all < <(family "${@:2}")
    stage
    before=$(spent_us "${all[@]}") redis_before=$(spent_us "$redis")
    rates[$name]+=" $("$raw" drain "$socket" staged bench)"
    cpu[$name]+=" $((($(spent_us "${all[@]}") - before) / jobs))"
    redis_cpu[$name]+=" $((($(spent_us "$redis") - redis_before) / jobs))"
    pss[$name]+=" $(held_kib "${all[@]}")"
}

measure_drover() { # RUNNERS
    start_drover 1 "$1"
    measure "drover$1" "$supervisor"
    stop_drover
}

measure_laravel() { # WORKERS
    for ((i = 0; i < $1; i++)); do
        php bench/laravel.php &
        workers+=($!)
    done
    measure "laravel$1" "${workers[@]}"
    kill "${workers[@]}"
    wait "${workers[@]}" || true
    workers=()
}

row() { # NAME MARK TEXT
    # shellcheck disable=SC2086
    printf '%-32s %9d %6.2f %9d %9d %9d %6.2f\n' "$3" "$(median ${rates[$1]})" \
        "$(ratio "$(median ${rates[$1]})" "$(median ${rates[$2]})")" \
        "$(median ${cpu[$1]})" "$(median ${redis_cpu[$1]})" "$(median ${pss[$1]})" \
        "$(ratio "$(median ${pss[$1]})" "$(median ${pss[$2]})")"
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { print a / b }'; }

wait_for_starts() { # COUNT
    until (($(grep -c '^start ' "$ledger") >= $1)); do sleep 0.005; done
}

# From the death of a PHP process to the start of its job's next run, in ms.
measure_death() {
    local died started who
    : >"$ledger"
    start_drover 1 2
    produce '{"op":"push","queue":"bench","parcel":{"tries":5,"data":{"sleep":2}}}'
    wait_for_starts 1
    read -r _ _ _ who _ <"$ledger"
    died=$(date +%s%3N)
    kill -KILL "$who"
    wait_for_starts 2
    read -r _ _ _ _ started < <(grep '^start ' "$ledger" | tail -n 1)
    again_ms+=" $((started - died))"
    stop_drover
}

produce "{\"op\":\"bulk\",\"queue\":\"made\",\"jobs\":[\"Nothing\"],\"times\":$jobs}"
redis-cli -s "$socket" RENAME queues:made made >/dev/null
redis-cli -s "$socket" DEL queues:made:notify >/dev/null
for ((round = 0; round < rounds; round++)); do
    for n in "${runners[@]}"; do
        measure_laravel "$n"
        measure_drover "$n"
    done
done
again_ms=''
for ((i = 0; i < deaths; i++)); do measure_death; done

printf '\n%d Laravel jobs that do nothing, unix socket, no persistence; medians of %d\n' \
    "$jobs" "$rounds"
printf '%-32s %9s %6s %9s %9s %9s %6s\n' '' 'jobs/s' 'ratio' 'us of CPU' 'of Redis' 'PSS KiB' 'ratio'
for n in "${runners[@]}"; do
    row "laravel$n" "laravel$n" "Laravel's own worker, $n of it"
    row "drover$n" "laravel$n" "drover: 1 worker, PHP $n times"
done
# shellcheck disable=SC2086
printf '\nkill -9 of PHP in a job -> its next run: %d ms, at most %d of %d\n' "$(median $again_ms)" \
    "$(printf '%s\n' $again_ms | sort -n | tail -n 1)" "$deaths"
echo "(with Laravel's own worker: its retry_after, 90 s unless configured)"
