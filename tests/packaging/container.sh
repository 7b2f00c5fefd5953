#!/usr/bin/env bash
# container.sh: builds the image of the Dockerfile from a clean export of HEAD, starts the service of
# compose.yaml as its comments say, and lets coturn's client relay through it. Docker's daemon is one
# of its own, in a network namespace of its own while the container runs.
# Base images that no registry hands out are stood in for: the same Debian packages, by debootstrap.
# Exit code 77: something that it takes is not here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

skip() {
  echo "container: $1; nothing was tried" >&2
  exit 77
}
[ "$(id -u)" -eq 0 ] || skip "this takes root"
for tool in dockerd:docker.io docker:docker.io debootstrap:debootstrap turnutils_uclient:coturn; do
  command -v "${tool%%:*}" > /dev/null || skip "${tool%%:*} is missing (apt-get install ${tool#*:})"
done
if docker compose version > /dev/null 2>&1; then
  compose=(docker compose)
elif command -v docker-compose > /dev/null; then
  compose=(docker-compose)
else
  skip "docker-compose is missing (apt-get install docker-compose)"
fi

work="$(mktemp -d /var/tmp/turnpike-container.XXXXXX)"
project="$work/turnpike"
export DOCKER_HOST="unix://$work/socket" DOCKER_BUILDKIT=0
daemon=
network=
stop_daemon() {
  [ -n "$daemon" ] || return 0
  kill "$daemon" 2> /dev/null || true
  wait "$daemon" 2> /dev/null || true
  daemon=
}
finish() {
  local status=$?
  if [ "$status" -ne 0 ]; then tail -n 20 "$work/dockerd.log" >&2 || true; fi
  if [ -n "$daemon" ]; then "${compose[@]}" --project-directory "$project" down -v -t 5 > /dev/null 2>&1 || true; fi
  stop_daemon
  umount "$work"/exec/netns/* "$work"/data 2> /dev/null || true
  if [ -n "$network" ]; then kill "$network" 2> /dev/null || true; fi
  rm -rf --one-file-system "$work"
}
trap finish EXIT

# start_daemon [command before dockerd…]
start_daemon() {
  "$@" dockerd --bridge=none --iptables=false --ip6tables=false --data-root "$work/data" \
    --exec-root "$work/exec" --pidfile "$work/pid" -H "$DOCKER_HOST" >> "$work/dockerd.log" 2>&1 &
  daemon=$!
  local tries=0
  until docker info > /dev/null 2>&1; do
    kill -0 "$daemon" 2> /dev/null || {
      daemon=
      skip "dockerd does not start here: $(tail -n 1 "$work/dockerd.log")"
    }
    tries=$((tries + 1))
    [ "$tries" -lt 60 ] || skip "dockerd does not answer"
    sleep 0.5
  done
}

debian_root="$work/debian"
make_debian() {
  local mirror="${TURNPIKE_MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)}"
  debootstrap --variant=minbase bookworm "$debian_root" "$mirror" > "$work/debootstrap.log"
  # What this host trusts besides: the registries may be behind an authority of its network.
  mkdir -p "$debian_root/usr/local/share/ca-certificates"
  find /usr/local/share/ca-certificates -name '*.crt' \
    -exec cp -t "$debian_root/usr/local/share/ca-certificates" {} +
}

# The packages of distroless/cc, unpacked and not configured, as distroless does it; and its user.
make_distroless() {
  local root="$work/distroless" package
  mkdir -p "$root" "$debian_root/tmp/packages"
  chroot "$debian_root" sh -c 'apt-get -q update && cd /tmp/packages && apt-get -q download \
    base-files netbase tzdata ca-certificates libc6 libssl3 libgcc-s1 libstdc++6 libgomp1' > /dev/null 2>&1
  for package in "$debian_root"/tmp/packages/*.deb; do dpkg-deb -x "$package" "$root"; done
  cat "$root"/usr/share/ca-certificates/mozilla/*.crt > "$root/etc/ssl/certs/ca-certificates.crt"
  install -d -o 65532 -g 65532 -m 0700 "$root/home/nonroot"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n' \
    > "$root/etc/passwd"
  printf 'root:x:0:\nnonroot:x:65532:\n' > "$root/etc/group"
}

# base_image NAME ROOT MAKER: pulled, or made.
base_image() {
  if timeout 60 docker pull -q "$1" > /dev/null 2>&1; then
    echo "container: pulled $1"
    return
  fi
  echo "container: $1 cannot be pulled; standing in for it with Debian's packages"
  "$3"
  tar -C "$2" -c . | docker import - "$1" > /dev/null
}

echo "container: exporting $(git rev-parse --short HEAD)"
mkdir "$project"
git archive HEAD | tar -x -C "$project"
start_daemon
base_image "$(sed -n 's/^FROM \([^ ]*\) AS build$/\1/p' Dockerfile)" "$debian_root" make_debian
base_image "$(sed -n 's/^FROM \(gcr[^ ]*\)$/\1/p' Dockerfile)" "$work/distroless" make_distroless
echo "container: docker build"
docker build --network host -t turnpike "$project" > "$work/build.log" 2>&1 || {
  tail -n 40 "$work/build.log" >&2
  exit 1
}

echo "container: again without a network but loopback"
stop_daemon
unshare --net sh -c 'ip link set lo up && exec sleep infinity' &
network=$!
inside=(nsenter --target "$network" --net)
until "${inside[@]}" ip address show lo 2> /dev/null | grep -q 127.0.0.1; do sleep 0.1; done
start_daemon "${inside[@]}"
docker run --rm --network host turnpike version
if docker run --rm --network host --entrypoint /bin/sh turnpike -c true 2> /dev/null; then
  echo "container: there is a shell in the image" >&2
  exit 1
fi

cd "$project"
install -d -o 65532 -g 65532 -m 0750 turnpike
docker run --rm --network host -v "$project/turnpike:/etc/turnpike" turnpike quickstart --domain turn.example.test
printf '[listen]\nudp = ["127.0.0.1:3478"]\ntcp = ["127.0.0.1:3478"]\n' >> turnpike/turnpike.toml
files=(-f compose.yaml)
limit="$(ulimit -Hn)"
if [ "$limit" != unlimited ] && [ "$limit" -lt 1048576 ]; then
  # Where even root may not raise its limit, the container gets what there is.
  printf 'services: { turnpike: { ulimits: { nofile: %s } } }\n' "$limit" > limit.yaml
  files+=(-f limit.yaml)
fi
compose+=("${files[@]}")
"${compose[@]}" config > /dev/null
"${compose[@]}" up -d
control() { "${compose[@]}" exec -T turnpike /usr/bin/turnpike "$@"; }
log() { "${compose[@]}" logs --no-color; }
tries=0
until control status > "$work/status" 2>&1; do
  tries=$((tries + 1))
  [ "$tries" -lt 30 ] || {
    log
    exit 1
  }
  sleep 1
done
cat "$work/status"
control user add alice --generate > /dev/null # the volume with the store can be written to

eval "$(control credential mint --user container --host 127.0.0.1:3478 --format env \
  --config /etc/turnpike/turnpike.toml)"
# Two relays of this server talk to each other.
"${inside[@]}" turnutils_uclient -y -s -m 2 -n 20 -u "$TURN_USERNAME" -w "$TURN_CREDENTIAL" 127.0.0.1 \
  > "$work/client" 2>&1 || {
  cat "$work/client"
  log
  exit 1
}
tail -n 4 "$work/client"
# Two clients, each a pair as for RTP and RTCP, 20 messages each.
grep -q 'tot_send_msgs=80, tot_recv_msgs=80$' "$work/client" || {
  cat "$work/client"
  exit 1
}

"${compose[@]}" restart
tries=0
until control user list | grep -q alice; do # what is in the volume is there again
  tries=$((tries + 1))
  [ "$tries" -lt 30 ] || {
    log
    exit 1
  }
  sleep 1
done
"${compose[@]}" stop
code="$(docker inspect --format '{{.State.ExitCode}}' "$("${compose[@]}" ps -aq turnpike)")"
[ "$code" = 0 ] || {
  echo "container: the server ended with $code" >&2
  exit 1
}
echo "container: 2 clients relayed through the container of compose.yaml, nothing lost"
