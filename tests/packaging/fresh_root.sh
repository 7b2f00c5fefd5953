#!/usr/bin/env bash
# fresh_root.sh PACKAGE.deb LOGS: installs the package in a fresh root made by debootstrap, and tries it
# there: an upgrade over an older version, debian/tests/allocation by autopkgtest, then under systemd
# debian/tests/service, an upgrade of the running service and the purge (booted.sh). Logs go into the
# directory LOGS.
# TURNPIKE_MIRROR: where debootstrap gets Debian from; default: what apt uses here.
set -euo pipefail
package="$(realpath "$1")"
logs="$(realpath "$2")"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

. /etc/os-release
mirror="${TURNPIKE_MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)}"
root="$(mktemp -d /var/tmp/turnpike-root.XXXXXX)"
chmod 0755 "$root" # it is "/" to the users in there
finish() {
  umount "$root/proc" 2> /dev/null || true
  rm -rf --one-file-system "$root"
}
trap finish EXIT

# logged NAME COMMAND…: what it prints goes into LOGS/NAME.log, and is shown when it fails.
logged() {
  local log="$logs/$1.log"
  shift
  "$@" > "$log" 2>&1 || {
    tail -n 40 "$log" >&2
    return 1
  }
}
in_root() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive "$@"; }
install_in_root() { in_root apt-get -q install -y --no-install-recommends "$@"; }
# Loopback alone, in a namespace that ends with the command.
in_namespace() { unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$@"; }

echo "package: a fresh $VERSION_CODENAME in $root, from $mirror"
logged debootstrap debootstrap --variant=minbase "$VERSION_CODENAME" "$root" "$mirror"
mount -t proc proc "$root/proc"
# No daemon starts while packages are installed: there is no init in here yet.
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"
logged update in_root apt-get -q update
# apt-utils and dpkg-dev are what autopkgtest works with. They, and what the tests depend on, now, while there is a network.
logged needed install_in_root systemd systemd-sysv apt-utils dpkg-dev coturn openssl

echo "package: an older version, used, and upgraded"
# The same files under a lower version: what dpkg does with them is what is tried here.
dpkg-deb -R "$package" "$root/tmp/older"
sed -i 's/^Version: .*/Version: 0.0.1-1/' "$root/tmp/older/DEBIAN/control"
logged older dpkg-deb --root-owner-group -b "$root/tmp/older" "$root/tmp/older.deb"
cp "$package" "$root/root/turnpike.deb"
logged install install_in_root /tmp/older.deb
python3 tests/packaging/old_store.py "$root/var/lib/turnpike"
in_root chown -R turnpike:turnpike /var/lib/turnpike
logged quickstart in_root turnpike quickstart --domain turn.example.test
echo '# the operator was here' >> "$root/etc/turnpike/turnpike.toml"
before="$(cd "$root/etc/turnpike" && sha256sum ./*)"
logged upgrade install_in_root /root/turnpike.deb
[ "$(in_root dpkg-query -W -f '${Version}' turnpike)" != 0.0.1-1 ]
[ "$(cd "$root/etc/turnpike" && sha256sum ./*)" = "$before" ]
in_root turnpike user list
in_root turnpike credential verify --user alice --password @/var/lib/turnpike/alice.password
rm -r "$root/var/lib/turnpike/alice.password" "$root/tmp/older" "$root/tmp/older.deb"

echo "package: an allocation through the installed package, by autopkgtest"
rm -rf "$logs/autopkgtest" "$logs/source"
mkdir "$logs/source"
git archive HEAD debian | tar -x -C "$logs/source"
logged autopkgtest in_namespace autopkgtest --test-name=allocation --output-dir="$logs/autopkgtest" \
  -B "$package" "$logs/source/" -- chroot "$root"
cat "$logs/autopkgtest/summary"

echo "package: the service, its upgrade and its end, under systemd"
umount "$root/proc"
rm "$root/usr/sbin/policy-rc.d"
install -m 0755 debian/tests/service "$root/root/service"
tests/packaging/boot.sh "$root" tests/packaging/booted.sh
