#!/bin/sh
# One short chaos run of a fixed seed, in the build directory; its audit must be clean. The
# same seed must also be the same plan.
set -u

chaos=tests/chaos/chaos
scratch=$(mktemp -d) || exit 99
trap 'rm -rf "$scratch"' EXIT

"$chaos" --plan --seed 1 --seconds 10 >"$scratch/one" || exit 1
"$chaos" --plan --seed 1 --seconds 10 >"$scratch/two" || exit 1
cmp "$scratch/one" "$scratch/two" || { echo "not ok: one seed, two plans"; exit 1; }
grep -q ' fault ' "$scratch/one" || { echo "not ok: a plan without faults"; exit 1; }

"$chaos" --seed 1 --seconds 10 --jobs 200
