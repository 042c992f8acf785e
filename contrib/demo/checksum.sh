#!/bin/sh
# A job: the SHA-256 sum of FILE as a line of TO/SHA256SUMS.
set -eu
sum=$(sha256sum -- "$1")
printf '%s\n' "$sum" >>"$2/SHA256SUMS"
