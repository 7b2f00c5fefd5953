# Turnpike in a container: built on Debian 12, run on a distroless base without a shell, not as root.
#
#   docker build -t turnpike .
#   docker run --rm --network host -v "$PWD/turnpike:/etc/turnpike:ro" turnpike
#
# --network host: a relay uses thousands of UDP ports and tells clients its own address. Docker's
# port forwarding starts a proxy per port, hides clients' addresses, and makes the relayed address
# one that nobody can reach.
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
      brotli ca-certificates cmake g++ libc6-dev libcli11-dev libcurl4-openssl-dev libexpected-dev \
      libfmt-dev libhttp-parser-dev libseccomp-dev libspdlog-dev libsqlite3-dev libssl-dev \
      libtomlplusplus-dev libutf8proc-dev libwslay-dev ninja-build nlohmann-json3-dev npm pkgconf prometheus-cpp-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# npm: the Socket.IO client that the server hands out; everything else is in the repository.
RUN (cd web && npm ci --ignore-scripts) \
    && cmake --preset release && cmake --build --preset release --target turnpike
# The binary and the libraries that the base image lacks, and nothing else.
RUN mkdir -p /image/usr/bin /image/usr/lib/turnpike /image/etc/turnpike /image/var/lib/turnpike \
    && install -s build/release/turnpike /image/usr/bin/turnpike \
    && ldd build/release/turnpike | awk '$3 ~ /^\// { print $3 }' \
       | grep -Ev '/lib(c|m|dl|pthread|rt|resolv|gcc_s|stdc\+\+)\.so' \
       | xargs -I{} cp -L {} /image/usr/lib/turnpike/

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /image/usr /usr
COPY --from=build --chown=nonroot:nonroot /image/etc/turnpike /etc/turnpike
COPY --from=build --chown=nonroot:nonroot /image/var/lib/turnpike /var/lib/turnpike
ENV LD_LIBRARY_PATH=/usr/lib/turnpike
ENV STATE_DIRECTORY=/var/lib/turnpike
VOLUME /var/lib/turnpike
# For readers: with --network host these need no -p.
EXPOSE 3478/udp 3478/tcp 5349/tcp 443/tcp
USER nonroot
# The first SIGTERM drains; see stop_grace_period in compose.yaml.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/bin/turnpike"]
CMD ["serve"]
