#!/bin/sh
# A job that never works, and says why.
echo "order $1: the printer is on fire" >&2
exit 3
