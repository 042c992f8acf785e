#!/bin/sh
# A job that works at its third attempt only.
[ "$DROVER_JOB_ATTEMPT" -ge 3 ] && exit 0
echo "attempt $DROVER_JOB_ATTEMPT: not yet" >&2
exit 75
