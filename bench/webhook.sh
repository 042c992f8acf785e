#!/bin/bash
# How many webhooks a second one worker sends to a local nginx, 64 in flight, beside a bare
# curl_multi loop that makes the same requests, taken in turns: bench/webhook.sh [JOBS].
# Compare the ratio, not the rates: the rates are this machine's. Beside them, what a request
# costs of the CPU, in microseconds: the loop or the worker, nginx, and Redis.
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"

jobs=${1:-200000}
rounds=5
in_flight=64
nginx=''
declare -A rates own_us nginx_us redis_us

start_nginx() {
    local port
    for port in {18080..18180}; do
        cat >"$dir/nginx.conf" <<END
daemon off; worker_processes 1; error_log $dir/nginx.log; pid $dir/nginx.pid;
events { worker_connections 1024; }
http {
    access_log off; keepalive_requests 1000000000;
    client_body_temp_path $dir/nginx; proxy_temp_path $dir/nginx;
    fastcgi_temp_path $dir/nginx; uwsgi_temp_path $dir/nginx; scgi_temp_path $dir/nginx;
    server { listen 127.0.0.1:$port; location / { return 200; } }
}
END
        url=http://127.0.0.1:$port/
        PATH=$PATH:/usr/sbin nginx -c "$dir/nginx.conf" -e "$dir/nginx.log" 2>/dev/null &
        nginx=$!
        for _ in {1..100}; do
            kill -0 "$nginx" 2>/dev/null || break
            (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
            sleep 0.05
        done
    done
    cat "$dir/nginx.log"
    exit 1
}

stop_all() {
    [[ -z $nginx ]] || kill "$nginx"
    clean_up
}
trap stop_all EXIT

measure_curl() {
    local rate us ticks
    ticks=$(cpu_ticks "$server")
    read -r rate us < <(pin 0 "$BASHPID" && exec build/bench/curl "$url" "$jobs" "$in_flight")
    rates[curl]+=" $rate" own_us[curl]+=" $us"
    nginx_us[curl]+=" $(us_a_job $(($(cpu_ticks "$server") - ticks)) "$jobs")"
}

measure_drover() {
    local worker worker_ticks nginx_ticks redis_ticks
    more_jobs="{ name = \"webhook\"; type = \"http\"; url = \"$url\";
                 allow_networks = [ \"127.0.0.1\" ]; }" start_drover 1 "$in_flight"
    worker=$(worker_pid)
    pin 0 "$worker"
    "$raw" fill "$socket" staged "$jobs" webhook
    worker_ticks=$(cpu_ticks "$worker") nginx_ticks=$(cpu_ticks "$server")
    redis_ticks=$(cpu_ticks "$redis")
    rates[drover]+=" $("$raw" drain "$socket" staged bench)"
    own_us[drover]+=" $(us_a_job $(($(cpu_ticks "$worker") - worker_ticks)) "$jobs")"
    nginx_us[drover]+=" $(us_a_job $(($(cpu_ticks "$server") - nginx_ticks)) "$jobs")"
    redis_us[drover]+=" $(us_a_job $(($(cpu_ticks "$redis") - redis_ticks)) "$jobs")"
    stop_drover
}

start_nginx
server=$(<"/proc/$nginx/task/$nginx/children")
server=${server% }
pin 1 "$server" "$redis"
for ((round = 0; round < rounds; round++)); do
    measure_curl
    measure_drover
done

row() { # NAME TEXT
    local rate mark
    # shellcheck disable=SC2086
    rate=$(median ${rates[$1]}) mark=$(median ${rates[curl]})
    # shellcheck disable=SC2086
    printf '%-38s %10s %7s %7s %7s %7s\n' "$2" "$rate" \
        "$(awk -v a="$rate" -v b="$mark" 'BEGIN { printf "%.2f", a / b }')" \
        "$(median ${own_us[$1]})" "$(median ${nginx_us[$1]})" "$(median ${redis_us[$1]--})"
}

printf '\n%d webhooks to a local nginx, %d in flight; medians of %d\n' \
    "$jobs" "$in_flight" "$rounds"
printf '%-38s %10s %7s %7s %7s %7s\n' '' 'requests/s' 'ratio' 'own' 'nginx' 'redis'
row curl 'raw C: a bare curl_multi loop'
row drover 'drover: 1 worker'
