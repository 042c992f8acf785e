#!/bin/bash
# How many rows a second one worker writes to a local PostgreSQL, 100 to a transaction,
# plain and with once = true, beside a bare libpq program that sends the same transactions,
# taken in turns: bench/sql.sh [ROWS].
# Compare the ratio, not the rates: the rates are this machine's.
# shellcheck source=bench/common.sh
. "$(dirname "$0")/common.sh"

rows=${1:-50000}
rounds=${ROUNDS:-5}
batch=100
connections=4
postgres=''
declare -A rates

# PostgreSQL refuses to be root's.
as_postgres=()
[[ $(id -u) != 0 ]] || as_postgres=(setpriv --reuid nobody --regid nogroup --clear-groups)

start_postgres() {
    local bin
    bin=$(pg_config --bindir)
    mkdir "$dir/pg"
    chmod 711 "$dir"
    [[ $(id -u) != 0 ]] || chown nobody "$dir/pg"
    "${as_postgres[@]}" "$bin/initdb" -D "$dir/pg/data" -A trust -U bench -N >/dev/null
    "${as_postgres[@]}" "$bin/postgres" -D "$dir/pg/data" -k "$dir/pg" -c listen_addresses= \
        -c fsync=off -c autovacuum=off >"$dir/pg.log" 2>&1 &
    postgres=$!
    dsn="host=$dir/pg dbname=postgres user=bench"
    until psql -qX "$dsn" -c 'SELECT 1' >/dev/null 2>&1; do sleep 0.1; done
    psql -qX "$dsn" -c 'CREATE TABLE bench_rows (customer bigint, note text);
        CREATE TABLE drover_inbox (uuid text PRIMARY KEY,
                                   done_at timestamptz NOT NULL DEFAULT now());
        CREATE INDEX ON drover_inbox (done_at)'
}

stop_all() {
    [[ -z $postgres ]] || kill -INT "$postgres"
    clean_up
}
trap stop_all EXIT

empty() { psql -qX "$dsn" -c 'TRUNCATE bench_rows, drover_inbox; CHECKPOINT'; }

measure_libpq() { # NAME [once]
    empty
    rates[$1]+=" $(build/bench/libpq "$dsn" "$rows" "$batch" "$connections" "${@:2}")"
}

measure_drover() { # NAME JOB
    empty
    start_drover 1 $((batch * (connections + 1)))
    "$raw" fill "$socket" staged "$rows" "$2"
    rates[$1]+=" $("$raw" drain "$socket" staged bench)"
    stop_drover
    [[ $2 = nothing ||
        $(psql -qXAt "$dsn" -c 'SELECT count(*) FROM bench_rows') = "$rows" ]] || exit 1
}

job() { # NAME ONCE
    echo "{ name = \"$1\"; type = \"sql\"; database = \"bench\"; batch = $batch; once = $2;
            statement = \"INSERT INTO bench_rows (customer, note) VALUES (\$1, \$2)\";
            params = [ \"data.customer\", \"data.note\" ]; }"
}

start_postgres
more_jobs="$(job plain false), $(job once true)"
more_sections="databases: ( { name = \"bench\"; dsn = \"$dsn\"; pool = $connections; } );"
for ((round = 0; round < rounds; round++)); do
    measure_libpq libpq
    measure_drover plain plain
    measure_drover nothing nothing
    measure_libpq libpq_once once
    measure_drover once once
done

row() { # NAME MARK TEXT
    local rate mark
    # shellcheck disable=SC2086
    rate=$(median ${rates[$1]}) mark=$(median ${rates[$2]})
    printf '%-44s %10s %7s\n' "$3" "$rate" \
        "$(awk -v a="$rate" -v b="$mark" 'BEGIN { printf "%.2f", a / b }')"
}

printf '\n%d rows to a local PostgreSQL, %d to a transaction; medians of %d\n' \
    "$rows" "$batch" "$rounds"
printf '%-44s %10s %7s\n' '' 'rows/s' 'ratio'
row libpq libpq 'raw C: libpq in pipeline mode'
row plain libpq 'drover: 1 worker'
row nothing libpq 'drover: 1 worker, jobs that do nothing'
row libpq_once libpq_once 'raw C: libpq, uuids noted'
row once libpq_once 'drover: 1 worker, once = true'
