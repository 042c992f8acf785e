#!/bin/bash
# Runs the model of the queue protocol (queue.pml) in many settings, in which it must find
# nothing. That it can find something is shown by check_model_broken.sh.
set -euo pipefail
# shellcheck source=tests/model/search.sh
. "$(dirname "$0")/search.sh"

holds() { # SETTINGS
    search "$*" "-DSAFETY" ""
    printf '%-60s %9s states, errors: %s\n' "$*" "$states" "$errors"
    [[ $errors == 0 ]] || wrong=1
}

ends() { # SETTINGS: no execution goes on for ever
    search "$*" "-DNP" "-l"
    printf '%-60s %9s states, cycles: %s\n' "$*" "$states" "$errors"
    [[ $errors == 0 ]] || wrong=1
}

holds -DJ=1
holds -DCUTS=1 -DFAULTS=1
holds -DCRASHES=1 -DFAULTS=1
holds -DCRASHES=1 -DHOST -DFAULTS=1
holds -DCRASHES=1 -DFAULTS=1 -DLEASES_END=1 -DNO_SUCCESSOR -DNO_TAKE_OVER
holds -DEXPIRIES=1
holds -DSILENCES=1
holds -DDRAIN
holds -DPHP -DEXPIRIES=1 -DLEASES_END=1
holds -DJ=2 -DTWINS
holds -DOVERLAP -DEXPIRIES=1
holds -DJ=2 -DTWINS -DOVERLAP -DALONE -DCUTS=1 -DFAULTS=2
ends -DCUTS=1 -DFAULTS=1
ends -DEXPIRIES=1
exit "$wrong"
