#!/bin/bash
# The demo of `./dev run`: a supervisor in a folder of its own, real jobs on its three
# queues, and what an operator sees of them. Then it stays up until Ctrl-C, or with --once
# ends by itself. Fails if the jobs did not go as told.
#   demo.sh [--once] [--drover FILE]
set -euo pipefail

# A shell that put us in the background may have made us deaf to Ctrl-C; hear it again.
[[ ${DEMO_HEARS-} ]] || DEMO_HEARS=1 exec env --default-signal=INT,QUIT "$0" "$@"

clone=$(cd "$(dirname "$0")/../.." && pwd)
drover=$clone/build/drover
once=
while (($# > 0)); do
    case $1 in
        --once) once=1 ;;
        --drover) drover=$(realpath "$2") && shift ;;
        *) echo "usage: demo.sh [--once] [--drover FILE]" >&2 && exit 2 ;;
    esac
    shift
done
cd "$clone"
# The demo is the same whatever the caller's environment says of Redis and Laravel.
unset "${!REDIS_@}" "${!DB_@}" "${!DROVER_@}"

bold='' dim='' plain=''
if [[ -t 1 && -z ${NO_COLOR-} ]]; then
    bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi
dir=$(mktemp -d /tmp/drover-demo.XXXXXX)
conf=$dir/drover.conf
log=$dir/log
supervisor='' tail=''

stop() {
    trap '' INT TERM HUP
    [[ -z $tail ]] || kill "$tail" 2>/dev/null || true
    if [[ -n $supervisor ]]; then
        kill -TERM "$supervisor" 2>/dev/null || true
        wait "$supervisor" || true
    fi
    rm -rf "$dir"
}

leave() { # Ctrl-C: that is how the demo ends
    printf '\n%sstopping ...%s' "$dim" "$plain"
    stop
    echo " ${dim}done, and $dir is gone$plain"
    trap - EXIT
    exit 0
}

give_up() {
    echo "demo: $*" >&2
    echo "demo: drover's log ends so:" >&2
    tail -n 20 "$log" >&2
    exit 1
}

await() { # WHAT COMMAND...: until the command succeeds, for a minute at most
    local what=$1 end=$((SECONDS + 60))
    shift
    until "$@"; do
        kill -0 "$supervisor" 2>/dev/null || give_up "the supervisor ended"
        ((SECONDS < end)) || give_up "waited in vain for $what"
        sleep 0.1
    done
}

now_ms() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

title() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

show() { # a command of drover's as one would type it, and what it prints
    printf '\n%s$ drover %s%s\n' "$bold" "$*" "$plain"
    "$drover" "$@" -c "$conf"
}

push_files() { # JOB QUEUE, names of files on stdin
    sed 's/.*/{"file":"&"}/' | "$drover" push "$1" --lines --queue "$2" -c "$conf" >>"$dir/ids"
}

log_count() { # JOB EVENT: so many lines say that
    grep -c " event=job\.$2 .*job=$1 " "$log" || true
}
logged() { (($(log_count "$1" "$2") >= $3)); } # JOB EVENT N
ready() { "$drover" status --json -c "$conf" 2>/dev/null | grep -q '"state": *"running"'; }

# How the jobs of each queue went, from the log's "done" lines: when they started after
# $1 (milliseconds), and how long they ran.
table() {
    awk -v zero="$1" -v day="$(date -u -d "$(date -u +%F)" +%s)" '
        function field(key) {
            if (!match($0, " " key "=[^ ]*")) return ""
            return substr($0, RSTART + length(key) + 2, RLENGTH - length(key) - 2)
        }
        / event=job.done / && /job=(compress|checksum) / {
            split(substr($0, index($0, "T") + 1, 12), t, ":")
            start = (day + t[1] * 3600 + t[2] * 60 + t[3]) * 1000 - field("run_ms") - zero
            if (start < -43200000) start += 86400000 # past midnight
            queue = field("queue")
            if (!(queue in jobs) || start < first[queue]) first[queue] = start
            if (start > last[queue]) last[queue] = start
            jobs[queue]++; ran[queue] += field("run_ms")
        }
        END {
            print "   QUEUE      JOBS    FIRST START     LAST START     RAN, MEAN"
            split("high default low", order)
            for (i = 1; i in order; i++) {
                q = order[i]
                printf "   %-8s %6d %11.3f s %12.3f s %10.0f ms\n", q, jobs[q],
                    first[q] / 1000, last[q] / 1000, ran[q] / jobs[q]
            }
        }' "$log"
}

trap stop EXIT
trap leave INT TERM HUP
while IFS= read -r line; do
    line=${line//@DIR@/"$dir"}
    printf '%s\n' "${line//@CLONE@/"$clone"}"
done <contrib/demo/drover.conf.in >"$conf"
mkdir "$dir/out"

title "1. A supervisor, with two workers of 16 jobs each and a Redis of its own"
echo "   everything is in $dir, and goes when this ends"
started=$(now_ms)
# In a session of its own, so that Ctrl-C reaches this script alone; it still goes with us.
setsid setpriv --pdeathsig TERM "$drover" supervise -c "$conf" </dev/null >"$log" 2>&1 &
supervisor=$!
await "the supervisor" ready
echo "   up after $(($(now_ms) - started)) ms"

title "2. Jobs: the files of this clone, compressed and checksummed"
mapfile -t headers < <(find base jobs queue worker -name '*.h' | sort)
mapfile -t sources < <(find base jobs queue worker -name '*.c' | sort)
files=("${headers[@]}" "${sources[@]}")
for ((i = 0; i < 32; i++)); do echo '{"seconds":1}'; done |
    "$drover" push nap --lines --queue high -c "$conf" >>"$dir/ids"
pushed=$(now_ms)
printf '%s\n' "${files[@]}" | push_files checksum low
printf '%s\n' "${sources[@]}" | push_files compress default
printf '%s\n' "${headers[@]}" | push_files compress high
echo "   32 naps of a second take every slot, so that what is pushed now has to wait:"
echo "   ${#files[@]} checksums to low, then ${#sources[@]} .c files to compress to default," \
    "then ${#headers[@]} .h files to high"
"$drover" push flaky --queue default -c "$conf" >>"$dir/ids"
broken=$("$drover" push broken '{"order":"4711"}' --queue default -c "$conf")
await "the compressed files" logged compress "done" ${#files[@]}
await "the checksums" logged checksum "done" ${#files[@]}
echo
table "$pushed"
gzip -t "$dir"/out/*.gz
((${#files[@]} == $(find "$dir/out" -name '*.gz' | wc -l))) || give_up "files are missing"
sha256sum --quiet --strict -c "$dir/out/SHA256SUMS" || give_up "a checksum is wrong"
((${#files[@]} == $(wc -l <"$dir/out/SHA256SUMS"))) || give_up "checksums are missing"
echo "   all ${#files[@]} compressed, all ${#files[@]} checksums right"

title "3. One that fails twice and then works, one that fails for good: what the log says"
await "the flaky job" logged flaky "done" 1
await "the broken job" logged broken failed 1
grep -E ' event=job\.(done|released|failed) .*job=(flaky|broken) ' "$log" |
    sed -E 's/^.*event=/   /; s/ uuid=[^ ]*//; s/ (cpu_ms|max_rss_kb|wait_ms)=[^ ]*//g'
(($(log_count flaky released) == 2)) || give_up "flaky should have failed twice"
show status
show failed list
show failed show "${broken:0:8}"
[[ -z $once ]] || exit 0

title "It goes on running. In another terminal:"
cat <<END
   cd $clone; alias d='build/drover -c $conf'
   d status --watch
   d push compress '{"file":"README.md"}' --queue high
   d failed retry ${broken:0:8}
   d scale main 4
Ctrl-C stops it.${dim}
END
tail -n 0 -f "$log" &
tail=$!
wait "$supervisor" || give_up "the supervisor ended"
