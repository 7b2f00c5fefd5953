// NAT behaviour discovery (RFC 5780) by a whole worker: answers that leave from real sockets of two
// addresses with two ports each.
#include <thread>

#include "base/hex.h"
#include "catch.h"
#include "net/loopback.h"
#include "net/send_queue.h"
#include "server/worker.h"
#include "stun/builder.h"

namespace turnpike::server {
namespace {

using net::address;
using stun::AttributeType;
using test::Bytes;
using test::copy_of;

const std::array<IpAddress, 2> addresses{address("127.0.0.1"), address("127.0.0.2")};

/// How the four origins are bound.
enum class Sockets {
  four,       ///< one socket each
  wildcards,  ///< 0.0.0.0 with either port, as ":3478" in listen.udp gives
};

/// A worker that serves RFC 5780 on loopback.
class DiscoveryRig {
 public:
  explicit DiscoveryRig(Sockets sockets) {
    WorkerListeners listeners;
    turn::Server::Settings settings;
    turn::DiscoverySquare square{};
    for (std::uint32_t port_index = 0; port_index < 2; ++port_index) {
      if (sockets == Sockets::wildcards) {
        net::UdpPortOptions options = net::bound_to("0.0.0.0:0");
        options.destination_address = true;
        listeners.udp.push_back({net::open_port(options)});
      } else {
        open_pair(listeners.udp);
      }
      const std::uint16_t port = listeners.udp.back().port.local().port;
      for (std::uint32_t i = 0; i < 2; ++i) {
        const std::uint32_t number =
            sockets == Sockets::wildcards ? port_index : 2 * port_index + i;
        const Endpoint local{addresses.at(i), port};
        square.at(2 * i + port_index) = {turn::ListenerId{number}, local, local};
      }
    }
    origins = square;
    settings.nat_discovery = {square};
    const WorkerShared shared{std::make_shared<const auth::CredentialBook>(book_),
                              policy_,
                              ledger_,
                              mailboxes_,
                              connections_,
                              credentials_,
                              seconds{60}};
    worker_ = std::make_unique<Worker>(settings, shared, std::move(listeners));
    thread_ = std::thread{[this] { worker_->run(); }};
  }
  ~DiscoveryRig() {
    worker_->stop();
    thread_.join();
  }
  DiscoveryRig(const DiscoveryRig&) = delete;
  DiscoveryRig& operator=(const DiscoveryRig&) = delete;

  turn::DiscoverySquare origins{};  // A1:P1, A1:P2, A2:P1, A2:P2

 private:
  /// The same port of both addresses. Another program may have the second one: then try again.
  static void open_pair(std::vector<UdpListener>& listeners) {
    for (;;) {
      auto first = net::open_port(net::bound_to("127.0.0.1:0"));
      auto second = net::UdpPort::open({.bind = {addresses[1], first.local().port}});
      if (!second) continue;
      listeners.push_back({std::move(first)});
      listeners.push_back({std::move(*second)});
      return;
    }
  }

  auth::CredentialBook book_{{}};
  turn::Ledger ledger_{{{addresses[0], addresses[0]}}, PortRange{49152, 49999}, turn::Limits{}};
  turn::PeerPolicy policy_{{}, ledger_.live_relays()};
  Mailboxes mailboxes_{1};
  ConnectionLimits connections_{0};
  TlsCredentials credentials_;
  std::unique_ptr<Worker> worker_;
  std::thread thread_;
};

Bytes binding_with(AttributeType type, const Bytes& value) {
  Bytes buffer(4096);
  stun::MessageBuilder message{buffer, stun::Class::request, stun::Method::binding, {1, 2, 3}};
  message.put(type, value);
  return copy_of(message.bytes());
}

void send(net::UdpPort& from, const Endpoint& to, const Bytes& message) {
  net::SendQueue queue;
  queue.queue_copy(from, to, std::nullopt, message);
  queue.flush();
}

Endpoint endpoint_in(const stun::MessageView& message, AttributeType type) {
  return stun::decode_address(message.find(type).value()).value();
}

}  // namespace

TEST_CASE("from each of four sockets to each of four, answers come from where they say",
          "[server][rfc5780-6.1][c69][c70]") {
  DiscoveryRig rig{GENERATE(Sockets::four, Sockets::wildcards)};
  net::UdpPort client = net::open_port();
  for (std::size_t asked = 0; asked < 4; ++asked) {
    for (std::size_t flip = 0; flip < 4; ++flip) {
      const auto flags = static_cast<std::uint8_t>((flip & 2U) * 2 + (flip & 1U) * 2);
      send(client, rig.origins.at(asked).local,
           binding_with(AttributeType::change_request, {0, 0, 0, flags}));
      const net::Datagram answer = net::receive(client, 1).at(0);
      const auto message = stun::MessageView::parse(bytes_of(answer.text)).value();
      const Endpoint source = rig.origins.at(asked ^ flip).local;
      CHECK((answer.from == source));
      CHECK((endpoint_in(message, AttributeType::response_origin) == source));
      CHECK(
          (endpoint_in(message, AttributeType::other_address) == rig.origins.at(asked ^ 3U).local));
      CHECK((endpoint_in(message, AttributeType::mapped_address) == client.local()));
    }
  }
}

TEST_CASE("RESPONSE-PORT brings the answer to another socket of the client",
          "[server][rfc5780-7.5][c71]") {
  DiscoveryRig rig{GENERATE(Sockets::four, Sockets::wildcards)};
  net::UdpPort asking = net::open_port();
  net::UdpPort listening = net::open_port();
  Bytes port(2);
  store_be16(port, listening.local().port);
  send(asking, rig.origins[0].local, binding_with(AttributeType::response_port, port));
  const net::Datagram answer = net::receive(listening, 1).at(0);
  const auto message = stun::MessageView::parse(bytes_of(answer.text)).value();
  CHECK((answer.from == rig.origins[0].local));
  CHECK((endpoint_in(message, AttributeType::mapped_address) == asking.local()));
  CHECK(net::is_silent(asking));
}

TEST_CASE("an answer with PADDING is longer than an Ethernet frame", "[server][rfc5780-7.6][c72]") {
  DiscoveryRig rig{GENERATE(Sockets::four, Sockets::wildcards)};
  net::UdpPort client = net::open_port();
  send(client, rig.origins[3].local, binding_with(AttributeType::padding, Bytes(1500)));
  const net::Datagram answer = net::receive(client, 1).at(0);
  CHECK(answer.text.size() > 1500);
  CHECK((answer.from == rig.origins[3].local));
}

}  // namespace turnpike::server
