#!/usr/bin/env bash
# boot.sh ROOT SCRIPT: boots the system in ROOT by systemd-nspawn, without a network but loopback, runs
# SCRIPT in it, prints what that printed, and ends with its exit code.
set -euo pipefail
root="$1"

install -m 0755 "$2" "$root/usr/local/sbin/booted"
cat > "$root/etc/systemd/system/booted.service" << 'UNIT'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
# /tmp is mounted over while the system boots.
ExecStart=/bin/sh -c '/usr/local/sbin/booted > /var/booted.log 2>&1; echo $? > /var/booted.code'
ExecStopPost=/bin/systemctl --no-block poweroff
TimeoutStartSec=300
[Install]
WantedBy=multi-user.target
UNIT
ln -sf ../booted.service "$root/etc/systemd/system/multi-user.target.wants/booted.service"
rm -f "$root/var/booted.code"

timeout 400 systemd-nspawn --quiet --register=no --keep-unit --private-network --boot \
  --directory="$root" > "$root/var/boot.log" 2>&1 < /dev/null || true
cat "$root/var/booted.log" || true
if [ ! -e "$root/var/booted.code" ]; then
  tail -n 40 "$root/var/boot.log" >&2
  echo "boot.sh: the system did not come to its end" >&2
  exit 1
fi
exit "$(cat "$root/var/booted.code")"
