#!/bin/bash
# What it does to the start of shell jobs when the same worker has 1,000 webhooks on their
# way to endpoints that answer slowly: bench/beside.sh [SAMPLES].
# Compare the ratio, not the times: the times are this machine's.
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"

samples=${1:-300}
rounds=5
gap_ms=10
webhooks=1000
server=''
declare -A p50s p99s
ulimit -n "$(ulimit -H -n)"

stop_all() {
    [[ -z $server ]] || kill "$server"
    clean_up
}
trap stop_all EXIT

start_server() {
    exec {port_fd}< <(exec build/bench/slow)
    server=$!
    read -r port <&"$port_fd"
}

# Each goes to an address, and so to an endpoint, of its own.
start_webhooks() {
    "$raw" fill "$socket" queues:slow "$webhooks" webhook
    redis-cli -s "$socket" rpush queues:slow:notify 1 >/dev/null
    for _ in {1..600}; do
        [[ $(running_ct) = "$webhooks" ]] && return
        sleep 0.1
    done
    echo "webhooks on their way: $(running_ct)" >&2
    tail "$dir/drover.log" >&2
    exit 1
}

running_ct() {
    "$drover" status -c "$dir/drover.conf" --json |
        sed -n 's/.*"running": *\([0-9]*\).*/\1/p' | head -n 1
}

measure() { # NAME
    local p50 p99
    read -r p50 p99 < <("$raw" latency "$socket" bench stamp "$dir/fifo" "$samples" "$gap_ms")
    p50s[$1]+=" $p50" p99s[$1]+=" $p99"
}

more_queues=', "slow"'
more_sections='stop_grace = 0.1;'
start_server
more_jobs="{ name = \"webhook\"; type = \"http\"; url = \"http://127.1.{data.customer}:$port/\";
             timeout = 3600; allow_networks = [ \"127.0.0.0/8\" ]; }"
for ((round = 0; round < rounds; round++)); do
    start_drover 1 $((webhooks + 100))
    measure alone
    start_webhooks
    measure beside
    stop_drover
    redis-cli -s "$socket" flushall >/dev/null
done

row() { # NAME TEXT
    local p99 mark
    # shellcheck disable=SC2086
    p99=$(median ${p99s[$1]}) mark=$(median ${p99s[alone]})
    # shellcheck disable=SC2086
    printf '%-48s %8d %8d %7s\n' "$2" "$(median ${p50s[$1]})" "$p99" \
        "$(awk -v a="$p99" -v b="$mark" 'BEGIN { printf "%.2f", a / b }')"
}

printf '\n%d pushes %d ms apart, to main() of a shell job, microseconds; medians of %d\n' \
    "$samples" "$gap_ms" "$rounds"
printf '%-48s %8s %8s %7s\n' '' p50 p99 ratio
row alone 'drover: 1 worker'
row beside "drover: 1 worker with $webhooks slow webhooks"
