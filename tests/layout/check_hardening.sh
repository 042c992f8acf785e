#!/bin/sh
# Reads back from the built drover what the hardening flags of m4/drover.m4 promise: run in
# the build directory. Exit 77: not to be told (sanitizers, or no optimisation).
set -u

drover=./drover
failed=0
said=$(mktemp) || exit 99
trap 'rm -f "$said"' EXIT

has() { # WHAT, PATTERN, then the command whose output must match it
    what=$1 pattern=$2
    shift 2
    if "$@" 2>/dev/null | grep -Eq "$pattern"; then
        echo "ok: $what"
    else
        echo "not ok: $what"
        failed=1
    fi
}

lacks() { # the same, the other way round: there is output, and nothing in it matches
    what=$1 pattern=$2
    shift 2
    if ! "$@" >"$said" 2>/dev/null || [ ! -s "$said" ] || grep -Eq "$pattern" "$said"; then
        echo "not ok: $what"
        failed=1
    else
        echo "ok: $what"
    fi
}

command -v readelf >/dev/null || { echo "no readelf here"; exit 77; }
[ -x "$drover" ] || { echo "no $drover in $(pwd)"; exit 1; }
if readelf -W --dyn-syms "$drover" | grep -q __asan_init; then
    echo "built with sanitizers, which take the place of hardening"
    exit 77
fi

has "position independent executable" 'Type: +DYN' readelf -W -h "$drover"
has "position independent executable is marked so" '\(FLAGS_1\).* PIE' readelf -W -d "$drover"
has "relro" 'GNU_RELRO' readelf -W -l "$drover"
has "all symbols bound at start" '\(FLAGS\).*BIND_NOW' readelf -W -d "$drover"
has "stack is not executable" 'GNU_STACK .* RW +0x' readelf -W -l "$drover"
lacks "no segment is writable and executable" ' RWE ' readelf -W -l "$drover"
lacks "no relocations in code" 'TEXTREL' readelf -W -d "$drover"
lacks "no path to libraries built in" '\((RPATH|RUNPATH)\)' readelf -W -d "$drover"
has "stack protector" '__stack_chk_fail' readelf -W --dyn-syms "$drover"
# The executable itself has the note only where the C library's own start files have it.
case $(uname -m) in
    x86_64) has "control flow protection" 'IBT, SHSTK' readelf -W -n cli/drover-main.o cli/main.o ;;
esac
if grep -q '^DROVER_CPPFLAGS =.*-D_FORTIFY_SOURCE' Makefile; then
    has "fortified calls" '__[a-z]+_chk@' readelf -W --dyn-syms "$drover"
fi
exit $failed
