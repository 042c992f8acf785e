#!/bin/sh
# The systemd unit as it is installed: systemd takes it as it stands, and its sandbox is as
# tight as shell jobs allow. Run in the build directory. Exit 77: systemd-analyze is not
# here to say.
set -u

exposure_max=20 # tenths: 2.0

command -v systemd-analyze >/dev/null || { echo "no systemd-analyze here"; exit 77; }
root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT
failed=0

fail() {
    echo "not ok: $1"
    failed=1
}

make -s install-binPROGRAMS install-systemdsystemunitDATA install-dist_sysusersDATA \
    DESTDIR="$root" >"$root/log" 2>&1 || { cat "$root/log"; exit 1; }
unit=$(find "$root" -name drover.service)
[ -n "$unit" ] || { echo "the build installs no unit (--with-systemdsystemunitdir=no)"; exit 77; }

# What the unit names must be where it says, seen from the root it was installed to.
for key in ExecStart ExecReload; do
    program=$(sed -n "s/^$key=\([^ ]*\).*/\1/p" "$unit")
    [ -x "$root$program" ] || fail "$key names $program, which is not installed"
done
grep -q '@' "$unit" && grep -n '@[a-z]*dir@' "$unit" && fail "something was not filled in"

user=$(sed -n 's/^User=//p' "$unit")
sysusers=$(find "$root" -path '*/sysusers.d/drover.conf')
grep -q "^u $user " "$sysusers" || fail "sysusers.d does not make the user $user"

# systemd-analyze looks for the programs in this system's root.
sed "s|^\(Exec[A-Za-z]*\)=/|\1=$root/|" "$unit" >"$root/drover.service"
said=$(systemd-analyze verify --man=no "$root/drover.service" 2>&1) || said="$said (failed)"
[ -z "$said" ] || { echo "$said"; fail "systemd-analyze verify"; }

systemd-analyze security --offline=true --threshold=$exposure_max "$root/drover.service" \
    >"$root/security" 2>&1 || { grep '✗' "$root/security"; fail "the sandbox is too open"; }
tail -n 1 "$root/security"

[ $failed -eq 0 ] && echo "ok: the unit"
exit $failed
