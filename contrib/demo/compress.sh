#!/bin/sh
# A job: FILE compressed into the folder TO, under its name with slashes made dashes.
set -eu
to=$2/$(printf %s "$1" | tr / -).gz
gzip -9c -- "$1" >"$to.part"
mv -- "$to.part" "$to"
