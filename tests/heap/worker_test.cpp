// The whole worker: the same messages through sockets of loopback, from as many addresses. What the
// sender takes from the heap is not counted.
#include "server/worker.h"

#include <numeric>

#include "catch.h"
#include "heap/heap_calls.h"
#include "heap/stranger.h"
#include "net/send_queue.h"
#include "net/tcp_client.h"

namespace turnpike::test {
namespace {

constexpr std::size_t messages_per_flood = 5000;
constexpr std::size_t messages_per_connection = 1000;
constexpr std::size_t warm_up = 500;
/// Fit the receive buffer of a socket that nobody has enlarged.
constexpr std::size_t at_once = 32;
constexpr std::uint32_t strangers_network = 0x7f100000;  // 127.16.0.0: of this host

net::UdpPort open_port(std::string_view address) {
  const Endpoint bind{IpAddress::parse(address).value(), 0};
  auto port = net::UdpPort::open({.bind = bind, .destination_address = bind.address.is_any()});
  REQUIRE(port.has_value());
  return std::move(*port);
}

class Host {
 public:
  Host() {
    server::WorkerListeners listeners;
    listeners.udp.push_back({open_port("127.0.0.1")});
    address_ = listeners.udp[0].port.local();
    auto for_streams = net::TcpListener::open({Endpoint{address_.address, 0}});
    REQUIRE(for_streams.has_value());
    stream_address_ = for_streams->local();
    listeners.streams.push_back({std::move(*for_streams), Transport::tcp});
    turn::Server::Settings settings;
    settings.authentication.nonce_lifetime = seconds{600};
    settings.authentication.asks_for_users = true;
    settings.tcp_relays = true;
    server::WorkerShared shared{std::make_shared<const auth::CredentialBook>(known_users()),
                                policy_,
                                ledger_,
                                mailboxes_,
                                connections_,
                                tls_,
                                seconds{10}};
    worker_ = std::make_unique<server::Worker>(settings, shared, std::move(listeners));
  }

  /// What the worker takes from the heap for so many messages of the flood.
  std::uint64_t take(const Flood& flood, std::size_t count) {
    std::uint64_t taken = 0;
    for (std::size_t i = 0; i < count; i += at_once) {
      const std::uint64_t wanted = handled() + at_once;
      send(flood);
      const std::uint64_t before = heap_calls();
      while (handled() < wanted) worker_->take_turn();
      taken += heap_calls() - before;
    }
    return taken;
  }

  /// What it takes for so many messages that come over one connection, which stays open.
  std::uint64_t take_over_tcp(const net::TcpClient& client, const Bytes& message,
                              std::size_t count) {
    std::uint64_t taken = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t wanted = handled() + 1;
      client.send(message);
      const std::uint64_t before = heap_calls();
      while (handled() < wanted) worker_->take_turn();
      taken += heap_calls() - before;
      if (client.has_something()) REQUIRE_FALSE(client.receive_some().empty());
    }
    return taken;
  }
  [[nodiscard]] const Endpoint& stream_address() const { return stream_address_; }

 private:
  void send(const Flood& flood) {
    for (std::size_t i = 0; i < at_once; ++i, ++sent_) {
      const auto& message = flood.messages[sent_ % flood.messages.size()];
      queue_.queue_copy(sender_, address_, stranger_address(strangers_network, sent_), message);
    }
    queue_.flush();
  }
  [[nodiscard]] std::uint64_t handled() const {
    const auto& counters = worker_->counters();
    return std::accumulate(counters.begin(), counters.end(), std::uint64_t{0});
  }

  turn::Ledger ledger_{
      {{IpAddress::parse("127.0.0.1").value(), IpAddress::parse("127.0.0.1").value()}},
      PortRange{49152, 65535},
      turn::Limits{}};
  turn::PeerPolicy policy_{turn::PeerPolicy::Settings{}, ledger_.live_relays()};
  server::Mailboxes mailboxes_{1};
  server::ConnectionLimits connections_{0};
  server::TlsCredentials tls_;
  std::unique_ptr<server::Worker> worker_;
  Endpoint address_;
  Endpoint stream_address_;
  net::SendQueue queue_;
  net::UdpPort sender_ = open_port("0.0.0.0");
  std::size_t sent_ = 0;
};

TEST_CASE("a stranger's datagram costs a worker nothing of the heap", "[heap][server][Q01][G5]") {
  SeededRandom random{13};
  Host host;
  for (const Flood& flood : floods_of_strangers(random)) {
    CAPTURE(flood.name);
    host.take(flood, warm_up);
    CHECK(host.take(flood, messages_per_flood) == 0);
  }
}

TEST_CASE("nor does a stranger's request over a connection that he has", "[heap][server][Q01]") {
  SeededRandom random{13};
  Host host;
  for (const Flood& flood : floods_of_strangers(random)) {
    if (flood.messages.size() > 1) continue;  // garbage: a connection does not outlive it
    CAPTURE(flood.name);
    const net::TcpClient client{host.stream_address()};
    host.take_over_tcp(client, flood.messages.front(), warm_up);
    CHECK(host.take_over_tcp(client, flood.messages.front(), messages_per_connection) == 0);
  }
}

}  // namespace
}  // namespace turnpike::test
