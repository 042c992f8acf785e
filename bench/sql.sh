#!/bin/bash
# How many rows a second one worker writes to a local PostgreSQL, 100 to a transaction,
# plain and with once = true, beside a bare libpq program that writes the same rows in such
# transactions, taken in turns: bench/sql.sh [ROWS]. Fewer than 100,000 rows measure more of
# the run's beginning and end (batches that wait to be full, the asking whether all is done)
# than of its pace.
#
# The rows are accounting entries as they are everywhere: a bigserial primary key, a unique
# reference (a uuid, in no order), a customer, an amount, a note of 300 bytes. PostgreSQL is
# as it is installed: fsync and synchronous_commit on. Both sides have the same number of
# connections: one, CONNECTIONS=N for more, which wants N more cores: drover needs Redis and
# the worker besides, where libpq needs next to nothing. The mark is BEGIN, one prepared
# INSERT run 100 times, COMMIT, in one pipeline; below it is one INSERT of 100 rows.
#
# Compare the ratio, not the rates: the rates are this machine's. Where it is not quiet, the
# CPU time per row of each process tells more.
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"

rows=${1:-200000}
rounds=${ROUNDS:-5}
batch=100
connections=${CONNECTIONS:-1}
postgres=''
declare -A rates client_us redis_us postgres_us

# PostgreSQL refuses to be root's.
as_postgres=()
[[ $(id -u) != 0 ]] || as_postgres=(setpriv --reuid nobody --regid nogroup --clear-groups)

start_postgres() {
    local bin
    bin=$(pg_config --bindir)
    mkdir "$dir/pg"
    chmod 711 "$dir"
    [[ $(id -u) != 0 ]] || chown nobody "$dir/pg"
    "${as_postgres[@]}" "$bin/initdb" -D "$dir/pg/data" -A trust -U bench >/dev/null
    "${as_postgres[@]}" "$bin/postgres" -D "$dir/pg/data" -k "$dir/pg" -c listen_addresses= \
        >"$dir/pg.log" 2>&1 &
    postgres=$!
    dsn="host=$dir/pg dbname=postgres user=bench"
    until psql -qX "$dsn" -c 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done
    psql -qX "$dsn" -c 'CREATE TABLE entries (id bigserial PRIMARY KEY,
            reference uuid NOT NULL UNIQUE, customer bigint NOT NULL,
            amount numeric(12, 2) NOT NULL, note text NOT NULL);
        CREATE TABLE drover_inbox (uuid text COLLATE "C" PRIMARY KEY,
                                   done_at timestamptz NOT NULL DEFAULT now());
        CREATE INDEX ON drover_inbox (done_at)'
}

stop_all() {
    [[ -z $postgres ]] || kill -INT "$postgres"
    clean_up
}
trap stop_all EXIT

# KEY JOB: so many accounting entries to the end of the list KEY.
fill() {
    awk -v rows="$rows" -v key="$1" -v job="$2" 'BEGIN {
        srand(1)
        note = sprintf("%300s", ""); gsub(/ /, "n", note)
        for (i = 0; i < rows; i++) {
            uuid = sprintf("%08x-%04x-4%03x-8%03x-%012x", rand() * 4294967295,
                           rand() * 65535, rand() * 4095, rand() * 4095, i)
            printf "RPUSH %s \x27{\"uuid\":\"%s\",\"displayName\":\"%s\",\"job\":\"%s\"," \
                "\"maxTries\":null,\"backoff\":null,\"timeout\":null,\"data\":" \
                "{\"reference\":\"%s\",\"customer\":%d,\"amount\":%d.%02d," \
                "\"note\":\"%s\"},\"id\":\"%032d\",\"attempts\":0}\x27\n",
                key, uuid, job, job, uuid, i % 1000, i % 5000, i % 100, note, i
        }
    }' | redis-cli -s "$socket" --pipe >/dev/null
}

empty() { psql -qX "$dsn" -c 'TRUNCATE entries, drover_inbox; CHECKPOINT'; }

# CPU time of processes and of the children they have buried, in microseconds.
cpu_us() { # PID..
    local pid fields sum=0 tick
    tick=$((1000000 / $(getconf CLK_TCK)))
    for pid in "$@"; do
        { fields=$(<"/proc/$pid/stat"); } 2>/dev/null || continue # it has just ended
        # shellcheck disable=SC2086
        set -- ${fields##*) }
        sum=$((sum + (${12} + ${13} + ${14} + ${15}) * tick))
    done
    echo "$sum"
}

children() { cat /proc/"$1"/task/"$1"/children; }

postgres_cpu_us() {
    # shellcheck disable=SC2046
    cpu_us "$postgres" $(children "$postgres")
}

per_row() { awk -v us="$1" -v rows="$rows" 'BEGIN { printf "%.2f", us / rows }'; }

measure_libpq() { # NAME single|multi [once]
    local before rate us
    empty
    before=$(postgres_cpu_us)
    read -r rate us < <(build/bench/libpq "$dsn" "$rows" "$batch" "$connections" "${@:2}")
    rates[$1]+=" $rate"
    client_us[$1]+=" $us"
    postgres_us[$1]+=" $(per_row $(($(postgres_cpu_us) - before)))"
}

measure_drover() { # NAME JOB
    local workers postgres_before redis_before workers_before
    empty
    start_drover 1 $((batch * (connections + 2)))
    fill staged "$2"
    workers=$(children "$supervisor")
    postgres_before=$(postgres_cpu_us)
    redis_before=$(cpu_us "$redis")
    # shellcheck disable=SC2086
    workers_before=$(cpu_us $workers)
    rates[$1]+=" $("$raw" drain "$socket" staged bench)"
    # shellcheck disable=SC2086
    client_us[$1]+=" $(per_row $(($(cpu_us $workers) - workers_before)))"
    redis_us[$1]+=" $(per_row $(($(cpu_us "$redis") - redis_before)))"
    postgres_us[$1]+=" $(per_row $(($(postgres_cpu_us) - postgres_before)))"
    stop_drover
    [[ $2 = nothing ||
        $(psql -qXAt "$dsn" -c 'SELECT count(*) FROM entries') = "$rows" ]] || {
        echo "rows are missing" >&2
        exit 1
    }
}

job() { # NAME ONCE
    echo "{ name = \"$1\"; type = \"sql\"; database = \"bench\"; batch = $batch; once = $2;
            statement = \"INSERT INTO entries (reference, customer, amount, note) \"
                        \"VALUES (\$1, \$2, \$3, \$4)\";
            params = [ \"data.reference\", \"data.customer\", \"data.amount\",
                       \"data.note\" ]; }"
}

start_postgres
more_jobs="$(job plain false), $(job once true)"
more_sections="databases: ( { name = \"bench\"; dsn = \"$dsn\"; pool = $connections; } );"
for ((round = 0; round < rounds; round++)); do
    measure_libpq libpq single
    measure_libpq multi multi
    measure_drover plain plain
    measure_drover nothing nothing
    measure_libpq libpq_once single once
    measure_libpq multi_once multi once
    measure_drover once once
done

row() { # NAME MARK TEXT
    local rate mark
    # shellcheck disable=SC2086
    rate=$(median ${rates[$1]}) mark=$(median ${rates[$2]})
    # shellcheck disable=SC2086
    printf '%-44s %9s %6s %8s %8s %8s\n' "$3" "$rate" \
        "$(awk -v a="$rate" -v b="$mark" 'BEGIN { printf "%.2f", a / b }')" \
        "$(median ${client_us[$1]})" "$(median ${redis_us[$1]:--})" \
        "$(median ${postgres_us[$1]})"
}

printf '\n%d entries to a local PostgreSQL, %d to a transaction, %d connections; medians of %d\n' \
    "$rows" "$batch" "$connections" "$rounds"
printf '%-44s %9s %6s %26s\n' '' '' '' 'CPU time in us per row'
printf '%-44s %9s %6s %8s %8s %8s\n' '' 'rows/s' 'ratio' 'client' 'redis' 'postgres'
row libpq libpq 'raw C: libpq, an INSERT for each row'
row multi libpq 'raw C: libpq, an INSERT for all of them'
row plain libpq 'drover: 1 worker'
row nothing libpq 'drover: 1 worker, jobs that do nothing'
row libpq_once libpq_once 'raw C: libpq, an INSERT for each, uuids noted'
row multi_once libpq_once 'raw C: libpq, one INSERT, uuids noted'
row once libpq_once 'drover: 1 worker, once = true'
