#include "diagnosis/nat_run.h"

#include <poll.h>

#include <algorithm>
#include <chrono>

#include "conformance/socket.h"

namespace turnpike::diagnosis {
namespace {

using client::NatProbe;
using conformance::clock_now;
using conformance::Socket;

Result<std::vector<Socket>, std::string> open_sockets(const IpAddress& local, std::size_t count) {
  std::vector<Socket> sockets;
  for (std::size_t i = 0; i < count; ++i) {
    auto socket = Socket::udp({local, 0});
    if (!socket) return Failure{socket.error()};
    socket->allow_fragments();
    sockets.push_back(std::move(*socket));
  }
  return sockets;
}

/// Waits for a datagram on any of them, at most until `until`.
void wait_for_any(std::vector<pollfd>& waiting, Instant until) {
  const auto left = std::chrono::ceil<milliseconds>(until - clock_now()).count();
  ::poll(waiting.data(), waiting.size(),
         static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000)));
}

void receive_all(std::vector<Socket>& sockets, const std::vector<pollfd>& waiting, NatProbe& probe,
                 NatProbe::Sends& sends) {
  for (std::size_t i = 0; i < sockets.size(); ++i) {
    if (waiting[i].revents == 0) continue;
    const Instant now = clock_now();
    while (const auto received = sockets[i].receive(now)) {
      probe.on_datagram(i, received->bytes, clock_now(), sends);
    }
  }
}

}  // namespace

Result<client::NatBehavior, std::string> run_nat_probe(const Endpoint& server,
                                                       const NatProbe::Options& options,
                                                       Random& random) {
  const auto local = conformance::route_to(server.address);
  if (!local) return Failure<std::string>{"there is no route to " + server.address.to_string()};
  auto sockets = open_sockets(*local, NatProbe::sockets(options));
  if (!sockets) return Failure{sockets.error()};
  std::vector<Endpoint> locals;
  std::vector<pollfd> waiting;
  for (const Socket& socket : *sockets) {
    locals.push_back(socket.local());
    waiting.push_back({socket.descriptor(), POLLIN, 0});
  }
  NatProbe probe{server, std::move(locals), options, random};
  NatProbe::Sends sends;
  probe.start(clock_now(), sends);
  for (;;) {
    for (const NatProbe::Send& send : sends) (*sockets)[send.socket].send_to(send.bytes, send.to);
    sends.clear();
    const auto deadline = probe.next_deadline();
    if (!deadline) return probe.result();
    wait_for_any(waiting, *deadline);
    receive_all(*sockets, waiting, probe, sends);
    const Instant now = clock_now();
    if (now >= *deadline) probe.on_deadline(now, sends);
  }
}

}  // namespace turnpike::diagnosis
