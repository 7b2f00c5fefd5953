#!/bin/sh
# booted.sh: runs in the fresh root under systemd (see boot.sh): the service of the package, installed
# again while it runs, and purged. script/package has put the files into /root.
set -eu

fail() {
  echo "booted: $1" >&2
  systemctl status --no-pager turnpike.service >&2 || true
  journalctl --no-pager -n 40 -u turnpike.service >&2 || true
  exit 1
}

/root/service

echo "booted: installed again while it runs"
systemctl start turnpike.service
first="$(systemctl show -P MainPID turnpike.service)"
dpkg -i /root/turnpike.deb
systemctl is-active --quiet turnpike.service || fail "the service does not run after an upgrade"
[ "$(systemctl show -P MainPID turnpike.service)" != "$first" ] || fail "the old binary still runs"
grep -q 'the operator was here' /etc/turnpike/turnpike.toml || fail "the configuration was replaced"

echo "booted: pages, and the Socket.IO client that npm brought to the build"
for page in / /turnpike.js /socket.io/socket.io.js; do
  answer="$(printf 'GET %s HTTP/1.1\r\nHost: turn.example.test\r\nConnection: close\r\n\r\n' "$page" |
    openssl s_client -quiet -connect 127.0.0.1:443 2> /dev/null | head -n 1)"
  case "$answer" in *' 200 '*) ;; *) fail "GET $page: $answer" ;; esac
done

echo "booted: removed and purged while it runs"
dpkg --remove turnpike
[ -e /etc/turnpike/turnpike.toml ] || fail "remove took the configuration"
[ -e /var/lib/turnpike/turnpike.db ] || fail "remove took the store"
if pgrep_turnpike="$(ls -l /proc/[0-9]*/exe 2> /dev/null | grep bin/turnpike)"; then
  fail "the server outlives its package: $pgrep_turnpike"
fi
dpkg --purge turnpike
left="$(find / -xdev \( -iname '*turnpike*' -o -user turnpike -o -group turnpike \) \
  ! -path '/root/*' ! -path '/tmp/*' ! -path '/proc/*')"
[ -z "$left" ] || fail "purge left $left"
[ ! -e /run/turnpike ] || fail "purge left /run/turnpike"
echo "booted: nothing is left"
