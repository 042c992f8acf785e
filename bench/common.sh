# For the scripts beside it: a Redis of their own, drover on it, medians.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

raw=build/bench/raw
drover=build/drover
dir=$(mktemp -d /tmp/drover-bench.XXXXXX)
socket=$dir/redis.sock
supervisor='' redis=''
more_jobs='' # entries of drover.conf's jobs, beside the usual ones
more_queues='' # of the pool, behind "bench"
more_sections=''
unset "${!REDIS_@}" "${!DROVER_@}"

clean_up() {
    stop_drover
    [[ -z $redis ]] || kill "$redis"
    wait
    rm -rf "$dir"
}

stop_drover() {
    [[ -n $supervisor ]] || return 0
    kill "$supervisor"
    wait "$supervisor" || true
    supervisor=
}

start_redis() {
    redis-server --port 0 --unixsocket "$socket" --save '' --appendonly no --dir "$dir" \
        >"$dir/redis.log" &
    redis=$!
    until redis-cli -s "$socket" ping >/dev/null 2>&1; do sleep 0.05; done
}

# Starts a supervisor with so many WORKERS of so many jobs at a time (CONCURRENCY) on the
# queue "bench", and returns when jobs run.
start_drover() {
    cat >"$dir/drover.conf" <<END
redis: { url = "unix://$socket"; };
state_dir = "$dir/state";
log: { jobs = "failed"; };
pools: ( { name = "main"; queues = [ "bench"$more_queues ]; workers = $1;
           concurrency = $2; } );
jobs: ( { name = "nothing"; type = "noop"; },
        { name = "stamp"; type = "shell"; command = [ "$PWD/$raw", "stamp", "$dir/fifo" ]; }
        ${more_jobs:+, $more_jobs} );
$more_sections
END
    "$drover" supervise -c "$dir/drover.conf" >"$dir/drover.log" 2>&1 &
    supervisor=$!
    "$raw" fill "$socket" warm-up 1000 nothing
    timeout 30 "$raw" drain "$socket" warm-up bench >/dev/null || {
        cat "$dir/drover.log"
        exit 1
    }
}

# The process that is the first worker.
worker_pid() {
    local pid
    for pid in $(<"/proc/$supervisor/task/$supervisor/children"); do
        if grep -qa '^drover: worker' "/proc/$pid/cmdline"; then
            echo "$pid"
            return
        fi
    done
}

# What a process has used of the CPU so far, in ticks.
cpu_ticks() { # PID
    local stat
    stat=$(<"/proc/$1/stat")
    awk '{ print $12 + $13 }' <<<"${stat##*) }"
}

us_a_job() { # TICKS JOBS
    awk -v t="$1" -v n="$2" -v hz="$(getconf CLK_TCK)" \
        'BEGIN { printf "%.2f", t * 1e6 / hz / n }'
}

# Where there are two cores: what is measured has one for itself, its servers the other.
pin() { # CORE PID..
    local core=$1 pid
    (($(nproc) > 1)) || return 0
    for pid in "${@:2}"; do taskset -acp "$core" "$pid" >/dev/null; done
}

median() { # of the numbers given
    printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"
}

trap clean_up EXIT
trap 'exit 130' INT TERM
start_redis
