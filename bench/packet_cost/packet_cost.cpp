// packet_cost up|down TRAIN TURNS: a worker relays packets of 160 bytes by a channel, a train of so
// many in each turn of its loop. Run under callgrind with --toggle-collect on Worker::take_turn,
// which leaves out the client and the peer here; the difference between two numbers of turns is
// what a turn costs (packet_cost.mjs). One thread, so that the count is the same each time.
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "base/crypto.h"
#include "bench/framing.h"
#include "bench/turn_session.h"
#include "net/clock.h"
#include "server/worker.h"

namespace turnpike::bench {
namespace {

constexpr std::size_t payload_bytes = 160;
constexpr seconds unauthenticated_timeout{10};

net::UdpPort open_on_loopback() {
  auto port = net::UdpPort::open(
      {.bind = Endpoint{IpAddress::parse("127.0.0.1").value(), 0}, .receive_trains = true});
  if (!port) throw std::runtime_error{"no port: " + port.error().message()};
  return std::move(*port);
}

auth::CredentialSettings one_user() {
  auth::CredentialSettings settings;
  settings.realm = "bench";
  settings.users = {{"bench", "bench"}};
  return settings;
}

turn::PeerPolicy::Settings loopback_peers() {
  turn::PeerPolicy::Settings settings;
  settings.insecure_allow = {IpPrefix::parse("127.0.0.0/8").value()};
  return settings;
}

/// One worker, one client, one peer, in one thread.
class Bench {
 public:
  Bench() {
    server::WorkerListeners listeners;
    auto port = open_on_loopback();
    server_ = port.local();
    listeners.udp.push_back({std::move(port)});
    turn::Server::Settings settings;
    settings.limits.challenge_rate = 0;
    settings.authentication.nonce_lifetime = seconds{600};
    const server::WorkerShared shared{std::make_shared<const auth::CredentialBook>(one_user()),
                                      policy_,
                                      ledger_,
                                      mailboxes_,
                                      connections_,
                                      tls_,
                                      unauthenticated_timeout};
    worker_ = std::make_unique<server::Worker>(settings, shared, std::move(listeners));
    finish(&TurnSession::begin_allocate, true, Family::ipv4);
    finish(&TurnSession::begin_bind, Framing::channel, peer_.local());
  }

  void send_up(int train, int turns) {
    const Envelope envelope{Framing::channel, peer_.local(), payload_bytes, false};
    std::vector<std::uint8_t> message(envelope.header().begin(), envelope.header().end());
    message.resize(envelope.message_bytes());
    for (int i = 0; i < turns; ++i) relay(client_, server_, message, train, peer_);
  }
  void send_down(int train, int turns) {
    const std::vector<std::uint8_t> payload(payload_bytes);
    for (int i = 0; i < turns; ++i) relay(peer_, session_.relayed(), payload, train, client_);
  }

 private:
  /// `train` times the same bytes.
  void relay(net::UdpPort& from, const Endpoint& to, ByteView bytes, int train,
             net::UdpPort& receiver) {
    for (int i = 0; i < train; ++i) queue_.queue_copy(from, to, std::nullopt, bytes);
    queue_.flush();
    worker_->take_turn();
    if (receiver.receive(batch_) != static_cast<std::size_t>(train)) {
      throw std::runtime_error{"a packet was not relayed"};
    }
  }

  /// Begins something with the session and sees it through.
  template <class... Parameters, class... Arguments>
  void finish(void (TurnSession::*begin)(Parameters...), Arguments... arguments) {
    (session_.*begin)(arguments..., net::read_clock().instant);
    auto step = TurnSession::Step::send;
    while (step == TurnSession::Step::send) {
      queue_.queue_copy(client_, server_, std::nullopt, session_.request());
      queue_.flush();
      worker_->take_turn();
      client_.receive(batch_);
      const auto message = stun::MessageView::parse(batch_.datagrams().front().bytes);
      step = session_.on_message(message.value(), net::read_clock().instant);
    }
    if (step != TurnSession::Step::done) throw std::runtime_error{session_.failure().text};
  }

  SecureRandom random_;
  turn::Ledger ledger_{
      {{IpAddress::parse("127.0.0.1").value(), IpAddress::parse("127.0.0.1").value()}},
      PortRange{49152, 65535},
      turn::Limits{}};
  turn::PeerPolicy policy_{loopback_peers(), ledger_.live_relays()};
  server::Mailboxes mailboxes_{1};
  server::ConnectionLimits connections_{0};
  server::TlsCredentials tls_;
  std::unique_ptr<server::Worker> worker_;
  Endpoint server_;
  net::SendQueue queue_;
  net::ReceiveBatch batch_;
  net::UdpPort client_ = open_on_loopback();
  net::UdpPort peer_ = open_on_loopback();
  TurnSession session_{0, client::LongTermClient{"bench", "bench"}, random_};
};

int run(std::string_view way, int train, int turns) {
  if ((way != "up" && way != "down") || train <= 0 || turns <= 0) {
    std::fputs("usage: packet_cost up|down TRAIN TURNS\n", stderr);
    return 2;
  }
  Bench bench;
  way == "up" ? bench.send_up(train, turns) : bench.send_down(train, turns);
  return 0;
}

}  // namespace
}  // namespace turnpike::bench

int main(int count, char** arguments) {
  try {
    if (count != 4) return turnpike::bench::run("", 0, 0);
    return turnpike::bench::run(arguments[1], std::stoi(arguments[2]), std::stoi(arguments[3]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "packet_cost: %s\n", error.what());
    return 1;
  }
}
