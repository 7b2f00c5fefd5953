#!/usr/bin/env bash
# world.sh COMMAND…: runs COMMAND in a world of its own: loopback alone, on which the addresses and
# names of the recipes live, a private copy of /etc, an empty /srv, and processes that end with it.
# So commands of the documents run as they stand there, with their ports, paths and names.
set -euo pipefail

if [ "${1:-}" != --inside ]; then
  flags=(--net --mount --pid --fork --kill-child --mount-proc)
  [ "$(id -u)" -eq 0 ] || flags+=(--user --map-root-user)
  TMPDIR="$(mktemp -d)" # a file system of the world's own is mounted there, and gone with it
  export TMPDIR
  trap 'rmdir "$TMPDIR"' EXIT
  unshare "${flags[@]}" "$0" --inside "$@"
  exit
fi
shift

mount --make-rprivate /
mount -t tmpfs tmpfs "$TMPDIR"
cp -a /etc "$TMPDIR/etc" 2> /dev/null || true # what only root may read is not needed
mount --bind "$TMPDIR/etc" /etc
mount -t tmpfs tmpfs /srv
ip link set lo up
ip address add 203.0.113.10/32 dev lo
ip address add 203.0.113.20/32 dev lo
ip address add 10.0.0.10/32 dev lo
ip address add 2001:db8::10/128 dev lo nodad
for name in turn app cloud meet livekit matrix; do
  echo "203.0.113.10 $name.example.com" >> /etc/hosts
done
echo "203.0.113.20 turn1.example.com" >> /etc/hosts
exec "$@"
