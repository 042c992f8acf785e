#!/bin/bash
# Adds up what the tests in the given build directories did, from the .trs and .log files
# that `make check` leaves: prints the log of each test that failed, a line per directory,
# and at the end "N passed, N failed" alone on a line. A Check suite counts as its single
# checks, anything else as one. Fails if a test failed or a directory saw none.
set -euo pipefail

passed=0 failed=0 skipped=0 empty=0

# Adds one test to the totals: its log's Check lines, or else the verdict of `make check`.
count_test() { # TRS
    local log=${1%.trs}.log verdict suites ok bad
    verdict=$(sed -n 's/^:global-test-result: *//p' "$1")
    [[ -e $log ]] || log=/dev/null
    read -r suites ok bad < <(awk '/[0-9]%: Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/ {
            sub(/.*%: /, ""); gsub(/[^0-9 ]/, "")
            suites++; ok += $1 - $2 - $3; bad += $2 + $3
        } END { print suites + 0, ok + 0, bad + 0 }' "$log")
    ((suites == 0 || ok + bad > 0)) || verdict="no check ran"
    case $verdict in
        SKIP)
            skipped=$((skipped + 1))
            printf 'skipped %s: %s\n' "$1" "$(grep -v '^SKIP ' "$log" | tail -n 1)"
            ;;
        PASS) ((ok > 0)) || ok=1 ;;
        *)
            ((bad > 0)) || bad=1
            printf '\n--- %s: %s\n' "$verdict" "$log"
            tail -n 200 "$log"
            ;;
    esac
    passed=$((passed + ok)) failed=$((failed + bad))
}

for dir in "$@"; do
    before=$((passed + failed)) passed_before=$passed failed_before=$failed
    while IFS= read -r trs; do
        count_test "$trs"
    done < <(find "$dir" -name '*.trs' 2>/dev/null | sort)
    ((passed + failed > before)) || empty=1
    printf '%-14s %d passed, %d failed\n' "$dir:" $((passed - passed_before)) \
        $((failed - failed_before))
done

((empty == 0)) || echo "no test ran in one of: $*"
if ((skipped > 0)); then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
((passed > 0 && failed == 0 && empty == 0))
