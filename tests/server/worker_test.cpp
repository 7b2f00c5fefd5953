// Whole workers on real loopback sockets: a thread that runs, and clients that know nothing of it.
#include "server/worker.h"

#include <linux/tcp.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "auth/credentials.h"
#include "base/hex.h"
#include "catch.h"
#include "net/dtls_client.h"
#include "net/send_queue.h"
#include "net/tcp_client.h"
#include "net/tls_test_client.h"
#include "stun/builder.h"

namespace turnpike::server {
namespace {

using net::address;
using net::endpoint;
using net::TcpClient;
using stun::AttributeType;
using stun::Method;
using test::Bytes;
using test::copy_of;
using turn::Reason;
using namespace std::chrono_literals;

using Add = std::function<void(stun::MessageBuilder&)>;

constexpr int ok = 200;
constexpr std::uint16_t ch = 0x4000;
const net::TcpClientOptions slow_reader{{}, 4096};

// --- Clients -------------------------------------------------------------------------------------

/// Receives one by one: a batch may bring more than what is waited for.
class Inbox {
 public:
  explicit Inbox(net::UdpPort& port) : port_(port) {}
  net::Datagram next() {
    if (waiting_.empty()) {
      for (net::Datagram& each : net::receive(port_, 1)) waiting_.push_back(std::move(each));
    }
    net::Datagram first = waiting_.at(0);
    waiting_.pop_front();
    return first;
  }

 private:
  net::UdpPort& port_;
  std::deque<net::Datagram> waiting_;
};

/// Datagrams between a client and the server.
class UdpWire {
 public:
  explicit UdpWire(const Endpoint& server) : server_(server), port_(net::open_port()) {}

  void send(ByteView message) {
    net::SendQueue queue;
    queue.queue_copy(port_, server_, std::nullopt, message);
    queue.flush();
  }
  Bytes receive() {
    const net::Datagram datagram = inbox_.next();
    from = datagram.from;
    return copy_of(bytes_of(datagram.text));
  }

  Endpoint from;  ///< of the latest datagram

 private:
  Endpoint server_;
  net::UdpPort port_;
  Inbox inbox_{port_};
};

/// Messages over a connection.
class TcpWire {
 public:
  explicit TcpWire(const Endpoint& server, const net::TcpClientOptions& options = {})
      : socket(server, options) {}

  void send(ByteView message) { socket.send(message); }
  /// The next message, its padding included.
  Bytes receive() {
    turn::StreamFrame frame{};
    for (;;) {
      const turn::StreamState state = turn::find_frame(input_, frame);
      REQUIRE(state != turn::StreamState::broken);
      if (state == turn::StreamState::complete) break;
      const Bytes some = socket.receive_some();
      REQUIRE_FALSE(some.empty());
      input_.insert(input_.end(), some.begin(), some.end());
    }
    const auto end = input_.begin() + static_cast<std::ptrdiff_t>(frame.total_bytes);
    Bytes message{input_.begin(), end};
    input_.erase(input_.begin(), end);
    return message;
  }

  TcpClient socket;

 private:
  Bytes input_;
};

/// Messages over TLS.
class TlsWire {
 public:
  explicit TlsWire(const Endpoint& server, const net::TcpClientOptions& options = {})
      : socket(server, options) {
    while (SSL_is_init_finished(tls.ssl()) != 1) exchange();
  }

  void send(ByteView message) {
    const std::size_t piece = sends_single_bytes ? 1 : message.size();
    for (; !message.empty(); message = message.subspan(piece)) {
      tls.send(text_of(message.first(piece)));
    }
    socket.send(tls.take_output());
  }
  Bytes receive() {
    turn::StreamFrame frame{};
    while (turn::find_frame(bytes_of(tls.received), frame) != turn::StreamState::complete)
      exchange();
    Bytes message = copy_of(bytes_of(tls.received).first(frame.total_bytes));
    tls.received.erase(0, frame.total_bytes);
    return message;
  }

  TcpClient socket;
  net::TlsTestClient tls;
  bool sends_single_bytes = false;  ///< each in a record of its own

 private:
  void exchange() {
    tls.work();
    const Bytes output = tls.take_output();
    if (!output.empty()) socket.send(output);
    if (SSL_is_init_finished(tls.ssl()) == 1 && !output.empty()) return;
    const Bytes some = socket.receive_some();
    REQUIRE_FALSE(some.empty());
    tls.take(some);
    tls.work();
  }
};

/// Messages over DTLS.
class DtlsWire {
 public:
  explicit DtlsWire(const Endpoint& server, bool connects = true)
      : server_(server), port_(net::open_port()) {
    dtls.work();
    if (connects) connect();
  }

  void connect() {
    flush();
    while (!dtls.is_connected()) exchange();
  }
  void send(ByteView message) {
    dtls.send(message);
    flush();
  }
  /// Sends what waits, each record in a datagram of its own.
  void flush() {
    for (const Bytes& datagram : dtls.take_output()) send_raw(datagram);
  }
  void send_raw(ByteView datagram) {
    net::SendQueue queue;
    queue.queue_copy(port_, server_, std::nullopt, datagram);
    queue.flush();
  }
  Bytes receive() {
    while (dtls.received.empty()) exchange();
    Bytes message = dtls.received.front();
    dtls.received.erase(dtls.received.begin());
    return message;
  }
  /// Takes one datagram, and answers it.
  void exchange() {
    const net::Datagram datagram = inbox_.next();
    from = datagram.from;
    dtls.take(bytes_of(datagram.text));
    dtls.work();
    flush();
  }
  /// The association is forgotten; the port stays.
  void restart() { dtls_.emplace(); }

  Endpoint from;  ///< of the latest datagram

 private:
  Endpoint server_;
  net::UdpPort port_;
  Inbox inbox_{port_};
  std::optional<net::DtlsClient> dtls_{std::in_place};

 public:
  net::DtlsClient& dtls{*dtls_};  ///< the same object after restart()
};

Bytes channel_data(std::uint16_t channel, std::string_view payload) {
  Bytes message(4);
  turn::put_channel_data_header(message, stun::ChannelNumber{channel}, payload.size());
  message.insert(message.end(), payload.begin(), payload.end());
  message.resize(padded_to_4(message.size()));
  return message;
}

int code_of(const Bytes& response) {
  const auto message = stun::MessageView::parse(response).value();
  if (message.message_class() == stun::Class::success) return ok;
  return stun::decode_error_code(message.find(AttributeType::error_code).value()).value().code;
}

/// alice, over any wire.
template <class Wire>
class Caller {
 public:
  template <class... Arguments>
  explicit Caller(const Arguments&... arguments) : wire(arguments...) {}

  /// A message with a transaction id of its own, signed once there is a nonce.
  Bytes build(Method method, const Add& add = {},
              stun::Class message_class = stun::Class::request) {
    Bytes buffer(2048);
    ++transactions_;
    stun::MessageBuilder message{buffer, message_class, method, {transactions_, 1, 2}};
    if (add) add(message);
    if (message_class == stun::Class::request && method != Method::binding && !nonce_.empty()) {
      message.put_text(AttributeType::username, "alice");
      message.put_text(AttributeType::realm, "example.org").put_text(AttributeType::nonce, nonce_);
      const stun::IntegrityKey key{
          auth::long_term_key(stun::PasswordAlgorithm::md5, "alice", "example.org", "wonderland")};
      message.put_message_integrity(key.sha1);
    }
    return copy_of(message.bytes());
  }
  /// The answer to a request; a challenge is met.
  Bytes request(Method method, const Add& add = {}) {
    wire.send(build(method, add));
    Bytes response = wire.receive();
    const int code = code_of(response);
    if (code != 401 && code != 438) return response;
    const auto challenge = stun::MessageView::parse(response).value();
    nonce_ = text_of(challenge.find(AttributeType::nonce).value());
    wire.send(build(method, add));
    return wire.receive();
  }
  int binding() { return code_of(request(Method::binding)); }
  /// The relayed transport address.
  Endpoint allocate(const Add& add = {}) {
    const Bytes response = request(Method::allocate, [&](stun::MessageBuilder& m) {
      m.put_requested_transport(17);
      if (add) add(m);
    });
    REQUIRE(code_of(response) == ok);
    remember_ticket(response);
    const auto message = stun::MessageView::parse(response).value();
    return stun::decode_xor_address(message.find(AttributeType::xor_relayed_address).value(),
                                    message.transaction_id())
        .value();
  }
  /// Takes over the allocation that `other` has a ticket for.
  template <class OtherWire>
  int move_from(const Caller<OtherWire>& other) {
    const Bytes response = request(Method::refresh, [&](stun::MessageBuilder& m) {
      m.put(AttributeType::mobility_ticket, other.ticket);
    });
    if (code_of(response) == ok) remember_ticket(response);
    return code_of(response);
  }
  int refresh(seconds lifetime) {
    return code_of(
        request(Method::refresh, [&](stun::MessageBuilder& m) { m.put_lifetime(lifetime); }));
  }
  int bind_channel(std::uint16_t channel, const Endpoint& peer) {
    return code_of(request(Method::channel_bind, [&](stun::MessageBuilder& m) {
      m.put_channel_number(stun::ChannelNumber{channel});
      m.put_xor_address(AttributeType::xor_peer_address, peer);
    }));
  }
  int permit(const IpAddress& peer) {
    return code_of(request(Method::create_permission, [&](stun::MessageBuilder& m) {
      m.put_xor_address(AttributeType::xor_peer_address, {peer, 0});
    }));
  }
  void send(const Endpoint& peer, std::string_view payload) {
    wire.send(build(
        Method::send,
        [&](stun::MessageBuilder& m) {
          m.put_xor_address(AttributeType::xor_peer_address, peer);
          m.put_text(AttributeType::data, payload);
        },
        stun::Class::indication));
  }

  Wire wire;
  Bytes ticket;  ///< the latest MOBILITY-TICKET

 private:
  void remember_ticket(const Bytes& response) {
    const auto value =
        stun::MessageView::parse(response).value().find(AttributeType::mobility_ticket);
    if (value) ticket = copy_of(*value);
  }

  std::string nonce_;
  std::uint8_t transactions_ = 0;
};

using UdpCaller = Caller<UdpWire>;
using TcpCaller = Caller<TcpWire>;
using TlsCaller = Caller<TlsWire>;
using DtlsCaller = Caller<DtlsWire>;

/// Somebody without TURN.
class Peer {
 public:
  [[nodiscard]] const Endpoint& at() const { return port_.local(); }
  void send(const Endpoint& to, std::string_view payload) {
    net::SendQueue queue;
    queue.queue_copy(port_, to, std::nullopt, bytes_of(payload));
    queue.flush();
  }
  net::Datagram receive() { return inbox_.next(); }

 private:
  net::UdpPort port_ = net::open_port();
  Inbox inbox_{port_};
};

// --- The server ----------------------------------------------------------------------------------

/// Keeps what workers tell of allocations, in their threads, for which Catch is not.
class AllocationNotes : public AllocationObserver {
 public:
  struct Closed {
    turn::AllocationRecord allocation;
    turn::CloseReason reason;
  };

  void on_opened(const turn::AllocationRecord& allocation, Now now) override {
    const std::lock_guard lock{mutex_};
    times_agree = times_agree && allocation.started == now.instant;
    opened.push_back(allocation);
  }
  void on_closed(const turn::AllocationRecord& allocation, turn::CloseReason reason,
                 Now now) override {
    const std::lock_guard lock{mutex_};
    times_agree = times_agree && allocation.started + allocation.duration == now.instant;
    closed.push_back({allocation, reason});
  }

  std::vector<turn::AllocationRecord> opened;
  std::vector<Closed> closed;
  bool times_agree = true;  // with the time of the turn

 private:
  std::mutex mutex_;
};

struct RigSettings {
  std::string udp = "127.0.0.1:0";
  turn::RelayAddress relay{address("127.0.0.1"), address("127.0.0.1")};
  seconds unauthenticated_timeout{60};
  std::uint32_t connections_per_address = 0;
  std::size_t workers = 1;
  bool starts = true;
  UdpService udp_service = UdpService::plain;
  std::string dtls = "127.0.0.1:0";
  HandshakeRates handshakes{};
};

turn::Server::Settings server_settings() {
  turn::Server::Settings settings;
  settings.limits.challenge_rate = 0;
  settings.limits.max_allocations_per_user = 0;
  settings.authentication.nonce_lifetime = seconds{600};
  settings.ticket_key.emplace().fill(1);
  return settings;
}

/// The listeners of one worker: they are its own, so that a client chooses its worker.
struct Doors {
  Endpoint udp;
  Endpoint dtls;
  Endpoint tcp;
  Endpoint tls;
};

/// Workers, and what a Service would give them.
class Rig {
 public:
  explicit Rig(const RigSettings& settings = {})
      : ledger({settings.relay}, PortRange{49152, 65535}, server_settings().limits),
        mailboxes_(settings.workers),
        connections_(settings.connections_per_address) {
    credentials_.set(net::load_context(net::KeyKind::p256));
    auto worker_settings = server_settings();
    for (std::uint8_t i = 0; i < settings.workers; ++i) {
      worker_settings.worker = turn::WorkerId{i};
      const WorkerShared shared{std::make_shared<const auth::CredentialBook>(book_),
                                policy_,
                                ledger,
                                mailboxes_,
                                connections_,
                                credentials_,
                                settings.unauthenticated_timeout,
                                {},
                                settings.handshakes,
                                nullptr,
                                &observer_};
      workers_.push_back(std::make_unique<Worker>(worker_settings, shared, open_doors(settings)));
    }
    udp = doors[0].udp;
    tcp = doors[0].tcp;
    tls = doors[0].tls;
    dtls = doors[0].dtls;
    if (settings.starts) start();
    control_ = std::make_unique<UdpCaller>(Endpoint{address("127.0.0.1"), udp.port});
  }
  ~Rig() { stop(); }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  void start() {
    for (const auto& worker : workers_) threads_.emplace_back([&w = *worker] { w.run(); });
  }
  void stop() {
    if (threads_.empty()) return;
    for (const auto& worker : workers_) worker->stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  /// Returns when the first worker has accepted, read and closed whatever was sent, closed and so
  /// on before: three turns. An answer may come in the middle of its turn, so the turn before is
  /// over then.
  void settle() {
    for (int i = 0; i < 4; ++i) REQUIRE(control_->binding() == ok);
  }
  /// Stops; how many datagrams ended so.
  std::uint64_t count(Reason reason) {
    stop();
    std::uint64_t sum = 0;
    for (const auto& worker : workers_) {
      sum += worker->counters().at(static_cast<std::size_t>(reason)).value();
    }
    return sum;
  }
  /// Stops; of the first worker.
  StreamCounters streams() {
    stop();
    return workers_[0]->stream_counters();
  }

  /// Stops.
  DtlsCounters dtls_counters() {
    stop();
    return workers_[0]->dtls_counters();
  }
  /// Stops; what was told of allocations.
  const AllocationNotes& allocations() {
    stop();
    CHECK(observer_.times_agree);
    return observer_;
  }
  /// Stops, and has all allocations end; what was told of them.
  const AllocationNotes& finish() {
    stop();
    for (const auto& worker : workers_) worker->finish();
    CHECK(observer_.times_agree);
    return observer_;
  }
  /// Stops; of all workers.
  turn::RelayTotals relay_totals() {
    stop();
    turn::RelayTotals totals;
    for (const auto& worker : workers_) totals += worker->relay_counters();
    return totals;
  }
  void renew_certificate(net::KeyKind kind) { credentials_.set(net::load_context(kind)); }

  std::vector<Doors> doors;  ///< of each worker
  Endpoint udp;              ///< of the first
  Endpoint dtls;
  Endpoint tcp;
  Endpoint tls;
  turn::Ledger ledger;

 private:
  static auth::CredentialSettings credential_settings() {
    auth::CredentialSettings settings;
    settings.realm = "example.org";
    settings.users = {{"alice", "wonderland"}};
    return settings;
  }
  static turn::PeerPolicy::Settings policy_settings() {
    turn::PeerPolicy::Settings settings;
    settings.insecure_allow = {IpPrefix::parse("127.0.0.0/8").value()};
    return settings;
  }

  auth::CredentialBook book_{credential_settings()};
  WorkerListeners open_doors(const RigSettings& settings) {
    WorkerListeners listeners;
    Doors& door = doors.emplace_back();
    auto udp_options = net::bound_to(settings.udp);
    udp_options.destination_address = udp_options.bind.address.is_any();
    listeners.udp.push_back({net::open_port(udp_options), false, settings.udp_service});
    door.udp = listeners.udp[0].port.local();
    auto dtls_options = net::bound_to(settings.dtls);
    dtls_options.destination_address = dtls_options.bind.address.is_any();
    listeners.udp.push_back({net::open_port(dtls_options), false, UdpService::dtls});
    door.dtls = listeners.udp[1].port.local();
    for (const Transport transport : {Transport::tcp, Transport::tls}) {
      auto listener = net::TcpListener::open({endpoint("127.0.0.1:0")});
      REQUIRE(listener.has_value());
      (transport == Transport::tcp ? door.tcp : door.tls) = listener->local();
      listeners.streams.push_back({std::move(*listener), transport});
    }
    return listeners;
  }

  turn::PeerPolicy policy_{policy_settings(), ledger.live_relays()};
  Mailboxes mailboxes_;
  ConnectionLimits connections_;
  TlsCredentials credentials_;
  AllocationNotes observer_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::unique_ptr<UdpCaller> control_;
};

}  // namespace

// --- UDP -----------------------------------------------------------------------------------------

TEST_CASE("answers leave from the address that was asked", "[server][rfc8489-6.3.1][c06]") {
  const auto asked = GENERATE(as<std::string>{}, "127.0.0.1", "127.0.0.2", "127.1.2.3");
  Rig rig{{.udp = "0.0.0.0:0"}};
  const Endpoint server{address(asked), rig.udp.port};
  UdpCaller alice{server};
  CHECK(alice.binding() == ok);
  CHECK((alice.wire.from == server));
}

TEST_CASE("relayed data too leaves from the address that was asked", "[server][c06]") {
  Rig rig{{.udp = "0.0.0.0:0"}};
  const Endpoint server{address("127.0.0.2"), rig.udp.port};
  UdpCaller alice{server};
  const Endpoint relayed = alice.allocate();
  Peer peer;
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  peer.send(relayed, "abc");
  CHECK(alice.wire.receive() == Bytes{0x40, 0, 0, 3, 'a', 'b', 'c'});  // over UDP without padding
  CHECK((alice.wire.from == server));
}

TEST_CASE("a port where nobody listens becomes a Data indication with ICMP",
          "[server][rfc8656-11.5][c48]") {
  Rig rig;
  UdpCaller alice{rig.udp};
  alice.allocate();
  const Endpoint nobody = net::closed_endpoint();
  REQUIRE(alice.permit(nobody.address) == ok);
  alice.send(nobody, "anyone?");
  const Bytes bytes = alice.wire.receive();
  const auto indication = stun::MessageView::parse(bytes).value();
  CHECK(indication.message_class() == stun::Class::indication);
  CHECK(indication.method() == Method::data);
  CHECK((stun::decode_xor_address(indication.find(AttributeType::xor_peer_address).value(),
                                  indication.transaction_id()) == nobody));
  CHECK(stun::decode_icmp(indication.find(AttributeType::icmp).value()) == stun::Icmp{3, 3, 0});
  CHECK_FALSE(indication.has(AttributeType::data));
  CHECK(rig.count(Reason::relayed_icmp) == 1);
}

TEST_CASE("data goes both ways through a relay", "[server][c46][c47]") {
  Rig rig;
  UdpCaller alice{rig.udp};
  const Endpoint relayed = alice.allocate();
  Peer peer;
  REQUIRE(alice.permit(peer.at().address) == ok);
  alice.send(peer.at(), "hello");
  const net::Datagram datagram = peer.receive();
  CHECK(datagram.text == "hello");
  CHECK((datagram.from == relayed));
  peer.send(relayed, "hi");
  const Bytes bytes = alice.wire.receive();
  CHECK(text_of(stun::MessageView::parse(bytes).value().find(AttributeType::data).value()) == "hi");
}

TEST_CASE("behind a 1:1 NAT two clients of the server meet without leaving it",
          "[server][rfc8656-7.2][c42][c57]") {
  const auto bind = GENERATE(as<std::string>{}, "0.0.0.0", "127.0.0.5");
  Rig rig{{.relay = {address(bind), address("203.0.113.10")}}};
  UdpCaller alice{rig.udp};
  UdpCaller bob{rig.udp};
  const Endpoint of_alice = alice.allocate();
  const Endpoint of_bob = bob.allocate();
  CHECK((of_alice.address == address("203.0.113.10")));
  REQUIRE(alice.permit(of_bob.address) == ok);
  REQUIRE(bob.bind_channel(ch, of_alice) == ok);

  alice.send(of_bob, "abc");
  CHECK(bob.wire.receive() == Bytes{0x40, 0, 0, 3, 'a', 'b', 'c'});
  bob.wire.send(channel_data(ch, "back"));
  const Bytes bytes = alice.wire.receive();
  const auto indication = stun::MessageView::parse(bytes).value();
  CHECK((stun::decode_xor_address(indication.find(AttributeType::xor_peer_address).value(),
                                  indication.transaction_id()) == of_bob));
}

TEST_CASE("the observer is told of every allocation, when it comes and when it goes", "[server]") {
  Rig rig{{.workers = 2}};
  Peer peer;
  UdpCaller alice{rig.doors[0].udp};
  TcpCaller bob{rig.doors[1].tcp};
  const Endpoint relayed = alice.allocate();
  bob.allocate();
  alice.permit(peer.at().address);
  alice.send(peer.at(), "12345");
  CHECK(peer.receive().text == "12345");
  CHECK(alice.refresh(0s) == ok);
  const auto& told = rig.allocations();

  REQUIRE(told.opened.size() == 2);
  CHECK(told.opened[0].name == turn::AllocationName{turn::WorkerId{0}, 1});
  CHECK(told.opened[1].name == turn::AllocationName{turn::WorkerId{1}, 1});
  CHECK(told.opened[0].username == "alice");
  CHECK(told.opened[1].client.transport == Transport::tcp);
  REQUIRE(told.closed.size() == 1);  // the other one lives on
  CHECK(told.closed[0].reason == turn::CloseReason::deleted);
  CHECK(told.closed[0].allocation.name == told.opened[0].name);
  CHECK(told.closed[0].allocation.relayed[0] == relayed);
  CHECK(told.closed[0].allocation.traffic == turn::Traffic{1, 5, 0, 0});
  const auto totals = rig.relay_totals();
  CHECK(totals.relays.at(static_cast<std::size_t>(Transport::udp))[0] == 0);
  CHECK(totals.relays.at(static_cast<std::size_t>(Transport::tcp))[0] == 1);
  CHECK(totals.volume(turn::RelayDirection::to_peer, turn::RelayPath::send).bytes == 5);
}

TEST_CASE("what lives ends with the server, and that is told too", "[server]") {
  Rig rig{{.workers = 2}};
  Peer peer;
  UdpCaller alice{rig.doors[0].udp};
  TcpCaller bob{rig.doors[1].tcp};
  const Endpoint relayed = alice.allocate();
  bob.allocate();
  alice.permit(peer.at().address);
  alice.send(peer.at(), "12345");
  CHECK(peer.receive().text == "12345");
  CHECK(rig.allocations().closed.empty());

  const auto& told = rig.finish();
  REQUIRE(told.closed.size() == 2);
  CHECK(told.closed[0].reason == turn::CloseReason::shutdown);
  CHECK(told.closed[0].allocation.relayed[0] == relayed);
  CHECK(told.closed[0].allocation.traffic == turn::Traffic{1, 5, 0, 0});
  CHECK(told.closed[1].allocation.client.transport == Transport::tcp);
  CHECK(rig.ledger.allocations() == 0);
  CHECK(rig.relay_totals().closed.at(static_cast<std::size_t>(turn::CloseReason::shutdown)) == 2);
}

TEST_CASE("two clients of one worker meet without a second pass through the kernel", "[server]") {
  Rig rig;
  UdpCaller alice{rig.udp};
  TcpCaller bob{rig.tcp};
  const Endpoint of_alice = alice.allocate();
  const Endpoint of_bob = bob.allocate();
  REQUIRE(alice.permit(of_bob.address) == ok);
  REQUIRE(bob.bind_channel(ch, of_alice) == ok);
  alice.send(of_bob, "abc");
  CHECK(bob.wire.receive() == channel_data(ch, "abc"));
  bob.wire.send(channel_data(ch, "back"));
  const Bytes bytes = alice.wire.receive();
  const auto data = stun::MessageView::parse(bytes).value().find(AttributeType::data);
  CHECK(text_of(data.value()) == "back");
  CHECK(rig.count(Reason::relayed_between_clients) == 2);
  CHECK(rig.count(Reason::relayed_to_peer) == 0);
}

TEST_CASE("clients of different workers meet by mail", "[server]") {
  Rig rig{{.workers = 2}};
  UdpCaller alice{rig.doors[0].udp};
  TlsCaller bob{rig.doors[1].tls};
  const Endpoint of_alice = alice.allocate();
  const Endpoint of_bob = bob.allocate();
  REQUIRE(alice.bind_channel(ch, of_bob) == ok);
  alice.wire.send(channel_data(ch, "too early"));
  for (int i = 0; i < 2; ++i) REQUIRE(alice.binding() == ok);  // the letter is delivered
  REQUIRE(bob.binding() == ok);                                // and read
  REQUIRE(bob.bind_channel(ch, of_alice) == ok);
  for (int i = 0; i < 100; ++i) {
    const std::string payload = "to bob " + std::to_string(i);
    alice.wire.send(channel_data(ch, payload));
    CHECK(bob.wire.receive() == channel_data(ch, payload));
    bob.wire.send(channel_data(ch, "back"));
    CHECK(alice.wire.receive() == channel_data(ch, "back"));  // a multiple of four: no padding
  }
  CHECK(rig.count(Reason::relayed_to_neighbour) == 201);
  CHECK(rig.count(Reason::relayed_to_client) == 200);
  CHECK(rig.count(Reason::relayed_to_peer) == 0);
  CHECK(rig.count(Reason::dropped_no_permission) == 1);
}

TEST_CASE("a storm of ICMP errors loses no datagram and no allocation", "[server][F11]") {
  Rig rig;
  UdpCaller alice{rig.udp};
  UdpCaller bob{rig.udp};
  const Endpoint relayed = alice.allocate();
  Peer peer;
  const Endpoint nobody = net::closed_endpoint();
  REQUIRE(alice.permit(peer.at().address) == ok);
  REQUIRE(alice.bind_channel(ch, nobody) == ok);
  REQUIRE(alice.bind_channel(ch + 1, peer.at()) == ok);
  constexpr int rounds = 200;
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < 10; ++i) alice.wire.send(channel_data(ch, "anyone?"));
    alice.wire.send(channel_data(ch + 1, "out" + std::to_string(round)));
    peer.send(relayed, "in" + std::to_string(round));
    CHECK(peer.receive().text == "out" + std::to_string(round));
    for (Bytes bytes = alice.wire.receive();; bytes = alice.wire.receive()) {
      if (bytes[0] != 0x40) continue;  // an indication of ICMP
      CHECK(text_of(ByteView{bytes}.subspan(4)) == "in" + std::to_string(round));
      break;
    }
    if (round % 50 == 0) CHECK(bob.binding() == ok);
  }
  CHECK(rig.ledger.allocations() == 1);
  CHECK(rig.count(Reason::relayed_icmp) > 0);
}

// --- Mobility ------------------------------------------------------------------------------------

namespace {

const Add with_ticket = [](stun::MessageBuilder& m) {
  m.put_empty(AttributeType::mobility_ticket);
};

/// A client allocates at `from` and moves to `to`, which are of different workers.
template <class First, class Second>
void move_between_workers(Rig& rig, const Endpoint& from, const Endpoint& to) {
  First old{from};
  Second alice{to};
  Peer peer;
  const Endpoint relayed = old.allocate(with_ticket);
  REQUIRE(old.bind_channel(ch, peer.at()) == ok);
  old.wire.send(channel_data(ch, "before"));
  CHECK(peer.receive().text == "before");
  REQUIRE(alice.move_from(old) == ok);

  peer.send(relayed, "during");
  CHECK(text_of(ByteView{old.wire.receive()}.subspan(4, 6)) == "during");
  old.wire.send(channel_data(ch, "still"));
  CHECK(peer.receive().text == "still");

  alice.wire.send(channel_data(ch, "arrived"));
  const net::Datagram datagram = peer.receive();
  CHECK(datagram.text == "arrived");
  CHECK((datagram.from == relayed));
  for (int i = 0; i < 100; ++i) {
    const std::string payload = "to alice " + std::to_string(100 + i);  // a multiple of four
    peer.send(relayed, payload);
    CHECK(alice.wire.receive() == channel_data(ch, payload));
    alice.wire.send(channel_data(ch, payload));
    CHECK(peer.receive().text == payload);
  }
  peer.send(relayed, "odd");
  CHECK(text_of(ByteView{alice.wire.receive()}.subspan(4, 3)) == "odd");
  CHECK(alice.binding() == ok);  // where the next message begins is clear

  CHECK(old.refresh(600s) == 437);
  CHECK(alice.refresh(600s) == ok);
  CHECK(rig.ledger.allocations() == 1);
  CHECK(alice.refresh(0s) == ok);
  CHECK(rig.ledger.allocations() == 0);
  CHECK(alice.refresh(600s) == 437);
  CHECK(rig.count(Reason::answered_move) == 1);
  CHECK(rig.count(Reason::relayed_to_home) >= 104);
}

}  // namespace

TEST_CASE("a client moves to another worker with all its traffic", "[server][rfc8016-3.2.2][c66]") {
  Rig rig{{.workers = 2}};
  const Doors& one = rig.doors[0];
  const Doors& two = rig.doors[1];
  SECTION("from UDP to UDP") { move_between_workers<UdpCaller, UdpCaller>(rig, one.udp, two.udp); }
  SECTION("from UDP to TCP") { move_between_workers<UdpCaller, TcpCaller>(rig, one.udp, two.tcp); }
  SECTION("from TLS to UDP") { move_between_workers<TlsCaller, UdpCaller>(rig, one.tls, two.udp); }
  SECTION("from TCP to TLS") { move_between_workers<TcpCaller, TlsCaller>(rig, one.tcp, two.tls); }
}

TEST_CASE("a connection with a ticket breaks, and the next one takes over", "[server][c56][c66]") {
  Rig rig{{.workers = 2}};
  Peer peer;
  TcpCaller old{rig.doors[0].tcp};
  const Endpoint relayed = old.allocate(with_ticket);
  REQUIRE(old.bind_channel(ch, peer.at()) == ok);
  old.wire.socket.reset();
  rig.settle();
  CHECK(rig.ledger.allocations() == 1);

  TcpCaller guest{rig.doors[1].tcp};
  REQUIRE(guest.move_from(old) == ok);
  peer.send(relayed, "here");
  CHECK(guest.wire.receive() == channel_data(ch, "here"));

  // The guest's connection breaks too. Another connection in its slot gets none of its data.
  guest.wire.socket.reset();
  UdpCaller neighbour{rig.doors[1].udp};
  for (int i = 0; i < 4; ++i) REQUIRE(neighbour.binding() == ok);
  TcpCaller stranger{rig.doors[1].tcp};
  REQUIRE(stranger.binding() == ok);
  rig.settle();
  peer.send(relayed, "nobody");
  rig.settle();
  CHECK_FALSE(stranger.wire.socket.has_something());

  TlsCaller back{rig.doors[0].tls};
  REQUIRE(back.move_from(guest) == ok);
  peer.send(relayed, "home");
  CHECK(back.wire.receive() == channel_data(ch, "home"));
  CHECK(rig.count(Reason::dropped_client_gone) == 1);
}

TEST_CASE("a guest's connection is not cut off for want of an allocation", "[server][F08][c66]") {
  Rig rig{{.unauthenticated_timeout = 1s, .workers = 2}};
  UdpCaller old{rig.doors[0].udp};
  old.allocate(with_ticket);
  TcpCaller guest{rig.doors[1].tcp};
  const TcpClient idle{rig.doors[1].tcp};
  REQUIRE(guest.move_from(old) == ok);
  CHECK(idle.receive_rest().empty());  // its second is over
  CHECK(guest.refresh(600s) == ok);
}

// --- Streams: framing ----------------------------------------------------------------------------

TEST_CASE("single bytes make messages", "[server][F01]") {
  Rig rig;
  TcpCaller alice{rig.tcp};
  const Endpoint relayed = alice.allocate();
  Peer peer;
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  Bytes stream = alice.build(Method::binding);
  for (const Bytes& message : {channel_data(ch, "abc"), alice.build(Method::binding)}) {
    stream.insert(stream.end(), message.begin(), message.end());
  }
  for (const std::uint8_t byte : stream) {
    alice.wire.send(ByteView{&byte, 1});
    rig.settle();  // so that it is read alone
  }
  CHECK(code_of(alice.wire.receive()) == ok);
  CHECK(code_of(alice.wire.receive()) == ok);
  const net::Datagram datagram = peer.receive();
  CHECK(datagram.text == "abc");
  CHECK((datagram.from == relayed));
}

TEST_CASE("requests in one segment are answered in order", "[server][F04]") {
  Rig rig;
  TcpCaller alice{rig.tcp};
  const int count = GENERATE(3, 64, 65, 1000);  // 64 have their turn at once
  Bytes stream;
  for (int i = 0; i < count; ++i) {
    const Bytes request = alice.build(Method::binding);
    stream.insert(stream.end(), request.begin(), request.end());
  }
  REQUIRE(alice.wire.socket.send_some(stream) == stream.size());
  for (int i = 0; i < count; ++i) {
    const Bytes response = alice.wire.receive();
    REQUIRE(code_of(response) == ok);
    REQUIRE(response[8] == static_cast<std::uint8_t>(i + 1));  // of the transaction id
  }
}

TEST_CASE("answers come in as many writes as there are turns of 64", "[server][F04]") {
  Rig rig;
  TcpCaller alice{rig.tcp};
  constexpr int count = 1000;
  Bytes stream;
  for (int i = 0; i < count; ++i) {
    const Bytes request = alice.build(Method::binding);
    stream.insert(stream.end(), request.begin(), request.end());
  }
  REQUIRE(alice.wire.socket.send_some(stream) == stream.size());
  for (int i = 0; i < count; ++i) REQUIRE(code_of(alice.wire.receive()) == ok);
  tcp_info info{};
  socklen_t size = sizeof info;
  const int descriptor = alice.wire.socket.descriptor();
  REQUIRE(getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) == 0);
  // A turn's answers leave in one write, and loopback makes one segment of it. All at once would be
  // one; some turns may share one, should the kernel have been slow.
  CHECK(info.tcpi_segs_in >= count / 64 / 2);
}

TEST_CASE("the largest messages of a stream are taken whole, and the next one is found",
          "[server][F02]") {
  Rig rig;
  TcpCaller alice{rig.tcp};
  const std::size_t attribute_bytes = GENERATE(as<std::size_t>{}, 65512, 65528);  // 65,516, 65,532
  Bytes large(stun::header_bytes + 4 + attribute_bytes);
  stun::MessageBuilder message{large, stun::Class::request, Method::binding, {9, 9, 9}};
  message.put(AttributeType::software, Bytes(attribute_bytes, 'x'));
  alice.wire.send(message.bytes());
  const Bytes answer = alice.wire.receive();
  CHECK(code_of(answer) == ok);
  CHECK(answer[8] == 9);
  CHECK(alice.binding() == ok);

  alice.allocate();
  Peer peer;
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  alice.wire.send(channel_data(ch, std::string(65535, 'x')));  // no datagram is that long
  alice.wire.send(channel_data(ch, std::string(65507, 'y')));  // the longest there is
  alice.wire.send(channel_data(ch, "z"));
  CHECK(peer.receive().text == std::string(65507, 'y'));
  CHECK(peer.receive().text == "z");
  alice.wire.send(alice.build(Method::binding));
  for (;;) {
    const Bytes bytes = alice.wire.receive();
    const auto next = stun::MessageView::parse(bytes).value();
    if (next.message_class() == stun::Class::success) break;
    CHECK(next.has(AttributeType::icmp));  // the kernel says of the first that it is too big
  }
}

TEST_CASE("garbage behind a whole turn of messages is not forgotten", "[server][F03][F04]") {
  Rig rig;
  TcpCaller alice{rig.tcp};
  Bytes stream;
  for (int i = 0; i < 64; ++i) {
    const Bytes request = alice.build(Method::binding);
    stream.insert(stream.end(), request.begin(), request.end());
  }
  stream.push_back(0xff);
  REQUIRE(alice.wire.socket.send_some(stream) == stream.size());
  for (int i = 0; i < 64; ++i) CHECK(code_of(alice.wire.receive()) == ok);
  CHECK(alice.wire.socket.receive_rest().empty());
  CHECK(rig.streams().broken == 1);
}

TEST_CASE("two ChannelData in one segment are two datagrams", "[server][rfc8656-12.5][c53]") {
  Rig rig;
  TcpCaller alice{rig.tcp};
  alice.allocate();
  Peer peer;
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  Bytes glued = channel_data(ch, "one");
  for (const Bytes& next : {channel_data(ch, ""), channel_data(ch, "three")}) {
    glued.insert(glued.end(), next.begin(), next.end());
  }
  alice.wire.send(glued);
  CHECK(peer.receive().text == "one");
  CHECK(peer.receive().text.empty());
  CHECK(peer.receive().text == "three");
}

TEST_CASE("ChannelData to a TCP client is padded", "[server][rfc8656-12.5][c53]") {
  Rig rig;
  TcpCaller alice{rig.tcp};
  const Endpoint relayed = alice.allocate();
  Peer peer;
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  for (const std::string payload : {"", "a", "ab", "abc", "abcd", "abcde"}) {
    peer.send(relayed, payload);
    CHECK(alice.wire.receive() == channel_data(ch, payload));
  }
  CHECK(alice.binding() == ok);  // where the next message begins is still clear
}

TEST_CASE("ICMP and Data indications reach a TCP client", "[server][c47][c48]") {
  Rig rig;
  TcpCaller alice{rig.tcp};
  const Endpoint relayed = alice.allocate();
  Peer peer;
  REQUIRE(alice.permit(peer.at().address) == ok);
  const Endpoint nobody = net::closed_endpoint();
  REQUIRE(alice.permit(nobody.address) == ok);
  peer.send(relayed, "abc");
  const Bytes data = alice.wire.receive();
  CHECK(text_of(stun::MessageView::parse(data).value().find(AttributeType::data).value()) == "abc");
  alice.send(nobody, "anyone?");
  CHECK(stun::MessageView::parse(alice.wire.receive()).value().has(AttributeType::icmp));
}

TEST_CASE("who speaks no protocol of ours is cut off without a byte", "[server][F03]") {
  const auto text = GENERATE(as<std::string>{}, "\x16\x03\x01", "\xff", "\x04", "\x80\x01");
  Rig rig;
  const TcpClient client{rig.tcp};
  client.send(bytes_of(text));
  CHECK(client.receive_rest().empty());
  CHECK(rig.streams().broken == 1);
}

TEST_CASE("a browser gets 404 and the end", "[server]") {
  Rig rig;
  const TcpClient client{rig.tcp};
  client.send(bytes_of("GET / HTTP/1.1\r\nHost: turn.example.org\r\n\r\n"));
  const Bytes answer = client.receive_rest();
  CHECK(text_of(answer).starts_with("HTTP/1.1 404 Not Found\r\n"));
  CHECK(text_of(answer).find("This is a STUN and TURN server.") != std::string_view::npos);
  CHECK(rig.streams().broken == 0);
}

// --- Streams: the end ----------------------------------------------------------------------------

TEST_CASE("the allocation ends when its connection does", "[server][rfc8656-3.1][c56][F10]") {
  Rig rig;
  const std::size_t ports = rig.ledger.free_ports();
  std::optional<TcpCaller> alice;
  alice.emplace(rig.tcp);
  TcpCaller bob{rig.tcp};
  alice->allocate();
  bob.allocate();
  REQUIRE(rig.ledger.allocations() == 2);

  SECTION("by FIN") { alice->wire.socket.finish(); }
  SECTION("by RST") { alice->wire.socket.reset(); }
  SECTION("by closing") { alice.reset(); }
  SECTION("by garbage") { alice->wire.send(bytes_of("\xff")); }
  SECTION("by the middle of a message") {
    alice->wire.send(Bytes{0, 1, 0, 8});
    alice->wire.socket.finish();
  }
  rig.settle();
  CHECK(rig.ledger.allocations() == 1);
  CHECK(rig.ledger.free_ports() == ports - 1);
  CHECK(bob.binding() == ok);
}

TEST_CASE("what was asked before FIN is answered", "[server][F10]") {
  Rig rig;
  TcpCaller alice{rig.tcp};
  const int count = GENERATE(1, 64, 300);
  Bytes stream;
  for (int i = 0; i < count; ++i) {
    const Bytes request = alice.build(Method::binding);
    stream.insert(stream.end(), request.begin(), request.end());
  }
  REQUIRE(alice.wire.socket.send_some(stream) == stream.size());
  alice.wire.socket.finish();
  for (int i = 0; i < count; ++i) REQUIRE(code_of(alice.wire.receive()) == ok);
  CHECK(alice.wire.socket.receive_rest().empty());
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

/// Cuts conversations off after each number of bytes, from none to all that lead to an allocation.
/// How many bytes that were.
template <class Caller>
std::size_t cut_off_everywhere(Rig& rig, const Endpoint& server, net::Ending ending) {
  for (std::size_t size = 0;; ++size) {
    bool is_whole = false;
    try {
      Caller alice{server, net::TcpClientOptions{.cut_after = size, .ending = ending}};
      alice.allocate();
      is_whole = true;
      if (rig.ledger.allocations() != 1) FAIL("no allocation after " << size << " bytes");
      alice.wire.send(Bytes{0x40});  // and then it breaks as well
    } catch (const net::CutOff&) {
    }
    rig.settle();
    if (rig.ledger.allocations() != 0) FAIL("an allocation is left after " << size << " bytes");
    if (is_whole) return size;
  }
}

TEST_CASE("a conversation that breaks at any byte leaves nothing behind", "[server][F10]") {
  Rig rig{{.connections_per_address = 1}};
  const std::size_t ports = rig.ledger.free_ports();
  const std::size_t descriptors = open_descriptors();
  const auto ending = GENERATE(net::Ending::close, net::Ending::reset, net::Ending::finish);
  CAPTURE(static_cast<int>(ending));

  SECTION("TCP") { CHECK(cut_off_everywhere<TcpCaller>(rig, rig.tcp, ending) > 140); }
  SECTION("TLS") { CHECK(cut_off_everywhere<TlsCaller>(rig, rig.tls, ending) > 400); }
  CHECK(open_descriptors() == descriptors);
  CHECK(rig.ledger.free_ports() == ports);
  CHECK(rig.streams().refused_limit == 0);
}

TEST_CASE("who gets no allocation in time is cut off", "[server][F08]") {
  Rig rig{{.unauthenticated_timeout = 1s}};
  TcpCaller bob{rig.tcp};
  bob.allocate();
  const TcpClient idle{rig.tcp};
  const TcpClient slow{rig.tcp};
  const TcpClient slow_tls{rig.tls};
  TcpCaller chatty{rig.tcp};
  slow.send(Bytes{0});
  slow_tls.send(Bytes{0x16});
  CHECK(chatty.binding() == ok);  // a Binding is no allocation
  CHECK(idle.receive_rest().empty());
  CHECK(slow.receive_rest().empty());
  CHECK(slow_tls.receive_rest().empty());
  CHECK(chatty.wire.socket.receive_rest().empty());
  CHECK(bob.binding() == ok);
  CHECK(rig.streams().timed_out == 4);
}

// --- Streams: too much ---------------------------------------------------------------------------

TEST_CASE("a client that does not read loses datagrams, whole ones, and harms nobody",
          "[server][F09]") {
  Rig rig;
  TcpCaller slow{rig.tcp, slow_reader};
  TcpCaller bob{rig.tcp};
  const Endpoint relayed = slow.allocate();
  Peer peer;
  REQUIRE(slow.bind_channel(ch, peer.at()) == ok);
  constexpr int datagrams = 12000;
  for (int i = 0; i < datagrams; ++i) {
    std::string payload = std::to_string(i);
    payload.resize(1199, '.');
    peer.send(relayed, payload);
    if (i % 50 == 0) rig.settle();  // so that the relay's own socket is not what loses
  }
  CHECK(bob.binding() == ok);
  rig.settle();

  // What does arrive is well-formed and in order, and what was queued comes by itself. As soon as
  // there is room, a marker gets through.
  std::string marker = "-1";
  marker.resize(1199, '.');
  int latest = -1;
  int arrived = 0;
  for (;; ++arrived) {
    if (arrived % 100 == 99) peer.send(relayed, marker);
    const Bytes message = slow.wire.receive();
    REQUIRE(message.size() == 1204);
    REQUIRE(load_be16(ByteView{message}.subspan(2)) == 1199);
    const int number = std::stoi(std::string{text_of(ByteView{message}.subspan(4, 1199))});
    if (number == -1) break;
    REQUIRE(number > latest);
    latest = number;
  }
  CHECK(arrived < datagrams);
  CHECK(rig.streams().dropped_full > 0);
}

TEST_CASE("a client that asks and does not read is cut off", "[server][F09]") {
  Rig rig;
  TcpCaller deaf{rig.tcp, slow_reader};
  TcpCaller bob{rig.tcp};
  deaf.allocate();
  Bytes stream;
  for (int i = 0; i < 1000; ++i) {
    const Bytes request = deaf.build(Method::binding);
    stream.insert(stream.end(), request.begin(), request.end());
  }
  std::size_t sent = 0;
  while (net::wait_for(deaf.wire.socket.descriptor(), POLLOUT)) {
    const std::size_t some =
        deaf.wire.socket.send_some(ByteView{stream}.subspan(sent % stream.size()));
    if (some == 0) break;  // the connection is gone
    sent += some;
    REQUIRE(sent < (std::size_t{64} << 20));
  }
  rig.settle();
  CHECK(rig.ledger.allocations() == 0);
  CHECK(bob.binding() == ok);
}

TEST_CASE("a client that sends without end leaves the others their turn", "[server][F04]") {
  Rig rig;
  TcpCaller alice{rig.tcp};
  const TcpClient flood{rig.tcp};
  Bytes stream;
  while (stream.size() < 1 << 18) stream.insert(stream.end(), {0x40, 0, 0, 0});  // to nowhere
  std::size_t sent = 0;
  for (int round = 0; round < 20; ++round) {
    sent += flood.send_some(ByteView{stream}.subspan(sent % stream.size()));
    REQUIRE(alice.binding() == ok);
  }
  CHECK(rig.streams().broken == 0);
}

TEST_CASE("one address has so many connections", "[server][H17]") {
  Rig rig{{.connections_per_address = 2}};
  TcpCaller first{rig.tcp};
  TlsCaller second{rig.tls};
  CHECK(first.binding() == ok);
  CHECK(second.binding() == ok);
  for (const Endpoint& server : {rig.tcp, rig.tls}) {
    const TcpClient third{server};
    CHECK(third.receive_rest().empty());
  }
  TcpCaller neighbour{rig.tcp, net::TcpClientOptions{endpoint("127.0.0.2:0")}};
  CHECK(neighbour.binding() == ok);
  first.wire.socket.close();
  rig.settle();
  TcpCaller next{rig.tcp};
  CHECK(next.binding() == ok);
  const StreamCounters counters = rig.streams();
  CHECK(counters.refused_limit == 2);
  CHECK(counters.accepted == 4);
}

TEST_CASE("without descriptors connections wait, and the others go on", "[server][Q11]") {
  Rig rig{{.starts = false}};
  UdpCaller alice{rig.udp};
  // One at each listener, so that both fail in the same turn.
  TcpCaller over_tcp{rig.tcp};
  const TcpClient over_tls{rig.tls};
  {
    const net::NoDescriptors none;
    rig.start();
    for (int i = 0; i < 10; ++i) CHECK(alice.binding() == ok);
    CHECK_FALSE(over_tcp.wire.socket.has_something());
  }
  CHECK(over_tcp.binding() == ok);
  over_tls.send(bytes_of("this is no TLS"));
  CHECK(over_tls.receive_rest().empty());
  CHECK(rig.streams().accepted == 2);
}

TEST_CASE("a relay that gets no descriptor is refused with 508", "[server][Q11]") {
  Rig rig;
  TcpCaller alice{rig.tcp};
  alice.request(Method::refresh);  // for the nonce
  const Add udp = [](stun::MessageBuilder& m) { m.put_requested_transport(17); };
  {
    const net::NoDescriptors none;
    CHECK(code_of(alice.request(Method::allocate, udp)) == 508);
  }
  CHECK(rig.ledger.allocations() == 0);
  CHECK(code_of(alice.request(Method::allocate, udp)) == ok);
}

// --- TLS -----------------------------------------------------------------------------------------

TEST_CASE("a TLS client allocates, sends, is sent to and goes", "[server][c25][c56]") {
  Rig rig;
  TlsCaller alice{rig.tls};
  CHECK(alice.binding() == ok);
  const Endpoint relayed = alice.allocate();
  Peer peer;
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  alice.wire.send(channel_data(ch, "hello"));
  CHECK(peer.receive().text == "hello");
  peer.send(relayed, "abc");
  CHECK(alice.wire.receive() == channel_data(ch, "abc"));
  CHECK(rig.ledger.allocations() == 1);

  SECTION("with close_notify") {
    SSL_shutdown(alice.wire.tls.ssl());
    alice.wire.socket.send(alice.wire.tls.take_output());
  }
  SECTION("without a word") { alice.wire.socket.finish(); }
  SECTION("by RST") { alice.wire.socket.reset(); }
  rig.settle();
  CHECK(rig.ledger.allocations() == 0);
}

TEST_CASE("large messages cross TLS records", "[server]") {
  Rig rig;
  TlsCaller alice{rig.tls};
  const Endpoint relayed = alice.allocate();
  Peer peer;
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  const std::string large(40001, 'L');
  alice.wire.send(channel_data(ch, large));
  CHECK(peer.receive().text == large);
  peer.send(relayed, large);
  CHECK(alice.wire.receive() == channel_data(ch, large));
}

// --- DTLS ----------------------------------------------------------------------------------------

TEST_CASE("a DTLS client allocates, sends, is sent to and goes", "[server][c25][c56][c76]") {
  Rig rig;
  DtlsCaller alice{rig.dtls};
  CHECK(alice.binding() == ok);
  const Endpoint relayed = alice.allocate();
  Peer peer;
  REQUIRE(alice.permit(peer.at().address) == ok);
  alice.send(peer.at(), "hello");
  const net::Datagram datagram = peer.receive();
  CHECK(datagram.text == "hello");
  CHECK((datagram.from == relayed));
  peer.send(relayed, "hi");
  const Bytes bytes = alice.wire.receive();
  CHECK(text_of(stun::MessageView::parse(bytes).value().find(AttributeType::data).value()) == "hi");
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  peer.send(relayed, "abc");
  CHECK(alice.wire.receive() == Bytes{0x40, 0, 0, 3, 'a', 'b', 'c'});  // without padding

  SSL_shutdown(alice.wire.dtls.ssl());
  alice.wire.flush();
  rig.settle();
  CHECK(rig.ledger.live_relays().contains(relayed) == false);
  CHECK(rig.dtls_counters().established == 1);
}

TEST_CASE("several records in one datagram are as many messages", "[server][c76]") {
  Rig rig;
  DtlsCaller alice{rig.dtls};
  alice.allocate();
  Peer peer;
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  for (const char* text : {"one", "two", "three"}) alice.wire.dtls.send(channel_data(ch, text));
  alice.wire.send_raw(alice.wire.dtls.take_output_as_one());
  for (const char* text : {"one", "two", "three"}) CHECK(peer.receive().text == text);
}

TEST_CASE("a burst of large records over DTLS keeps every byte", "[server]") {
  Rig rig;
  DtlsCaller alice{rig.dtls};
  alice.allocate();
  Peer peer;
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  for (int round = 0; round < 10; ++round) {
    for (char c = 'a'; c < 'e'; ++c) {
      alice.wire.dtls.send(channel_data(ch, std::string(8000, c)));
    }
    alice.wire.send_raw(alice.wire.dtls.take_output_as_one());
    for (char c = 'a'; c < 'e'; ++c) CHECK(peer.receive().text == std::string(8000, c));
  }
}

TEST_CASE("payload that fills a record is relayed, what exceeds it is counted", "[server]") {
  Rig rig;
  DtlsCaller alice{rig.dtls};
  const Endpoint relayed = alice.allocate();
  Peer peer;
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  peer.send(relayed, std::string(16'381, 'x'));
  peer.send(relayed, std::string(16'380, 'y'));
  const Bytes message = alice.wire.receive();
  CHECK(message.size() == 16'384);
  CHECK(message.back() == 'y');
  CHECK(rig.dtls_counters().dropped_too_large == 1);
}

TEST_CASE("one port tells STUN, ChannelData and DTLS apart", "[server][rfc7983][c49]") {
  Rig rig{{.udp_service = UdpService::both}};
  UdpCaller plain{rig.udp};
  DtlsCaller dtls{rig.udp};
  CHECK(plain.binding() == ok);
  CHECK(dtls.binding() == ok);
  plain.allocate();
  dtls.allocate();
  Peer peer;
  REQUIRE(plain.bind_channel(ch, peer.at()) == ok);
  REQUIRE(dtls.bind_channel(ch, peer.at()) == ok);
  plain.wire.send(channel_data(ch, "plain"));
  CHECK(peer.receive().text == "plain");
  dtls.wire.send(channel_data(ch, "dtls"));
  CHECK(peer.receive().text == "dtls");
}

TEST_CASE("a port serves only what it is for", "[server][rfc7983]") {
  Rig rig;
  UdpCaller plain{rig.dtls};
  plain.wire.send(plain.build(Method::binding));
  plain.wire.send(channel_data(ch, "x"));
  DtlsWire dtls{rig.udp, false};
  dtls.flush();
  rig.settle();
  CHECK(rig.count(Reason::dropped_not_turn) == 3);
  CHECK(rig.dtls_counters().challenged == 0);
}

TEST_CASE("DTLS leaves from the address that was asked", "[server][c06]") {
  Rig rig{{.dtls = "0.0.0.0:0"}};
  const Endpoint server{address("127.0.0.2"), rig.dtls.port};
  DtlsCaller alice{server};
  const Endpoint relayed = alice.allocate();
  CHECK((alice.wire.from == server));
  Peer peer;
  REQUIRE(alice.bind_channel(ch, peer.at()) == ok);
  peer.send(relayed, "abc");
  alice.wire.receive();
  CHECK((alice.wire.from == server));
}

TEST_CASE("what strangers throw at a live DTLS five-tuple harms nothing", "[server][L10]") {
  Rig rig;
  DtlsCaller alice{rig.dtls};
  alice.allocate();
  net::DtlsClient stranger;
  alice.wire.send_raw(stranger.hello());                                            // challenged
  alice.wire.send_raw(Bytes{21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40});  // an alert
  alice.wire.send_raw(Bytes(100, 22));
  alice.wire.send_raw(Bytes(20, 23));
  Peer peer;
  CHECK(alice.bind_channel(ch, peer.at()) == ok);
  const DtlsCounters counters = rig.dtls_counters();
  CHECK(counters.challenged == 2);
  CHECK(counters.accepted == 1);
  CHECK(counters.failed == 0);
}

TEST_CASE("a client that begins anew replaces its session, and the allocation ends",
          "[server][rfc6347-4.2.8]") {
  Rig rig;
  DtlsCaller alice{rig.dtls};
  const Endpoint relayed = alice.allocate();
  alice.wire.restart();
  alice.wire.dtls.work();
  alice.wire.connect();
  CHECK(alice.binding() == ok);
  CHECK_FALSE(rig.ledger.live_relays().contains(relayed));
  alice.allocate();  // and no 437
  const DtlsCounters counters = rig.dtls_counters();
  CHECK(counters.replaced == 1);
  CHECK(counters.established == 2);
}

TEST_CASE("who gets no allocation over DTLS in time is told goodbye", "[server][F08]") {
  Rig rig{{.unauthenticated_timeout = seconds{1}}};
  DtlsCaller idle{rig.dtls};
  DtlsCaller busy{rig.dtls};
  const Endpoint relayed = busy.allocate();
  while (SSL_get_shutdown(idle.wire.dtls.ssl()) == 0) idle.wire.exchange();
  CHECK(SSL_get_shutdown(idle.wire.dtls.ssl()) == SSL_RECEIVED_SHUTDOWN);
  // As long again for the other one, which is asked about at that time.
  DtlsCaller second{rig.dtls};
  while (SSL_get_shutdown(second.wire.dtls.ssl()) == 0) second.wire.exchange();
  CHECK(busy.binding() == ok);
  CHECK(rig.ledger.live_relays().contains(relayed));
  CHECK(rig.dtls_counters().timed_out == 2);
}

TEST_CASE("a renewed certificate is shown to new DTLS sessions, and old ones go on",
          "[server][L12]") {
  Rig rig;
  DtlsCaller old{rig.dtls};
  rig.renew_certificate(net::KeyKind::rsa_2048);
  DtlsCaller renewed{rig.dtls};
  const auto key_type = [](const DtlsCaller& caller) {
    return EVP_PKEY_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(caller.wire.dtls.ssl())));
  };
  CHECK(key_type(old) == EVP_PKEY_EC);
  CHECK(key_type(renewed) == EVP_PKEY_RSA);
  CHECK(old.binding() == ok);
  CHECK(renewed.binding() == ok);
}

TEST_CASE("a TLS client that writes byte by byte allocates and binds a channel",
          "[server][F01][L05]") {
  Rig rig;
  TlsCaller client{rig.tls};
  client.wire.sends_single_bytes = true;
  Peer peer;
  client.allocate();
  CHECK(client.permit(peer.at().address) == ok);
  CHECK(client.bind_channel(0x4000, peer.at()) == ok);
  CHECK(client.refresh(seconds{600}) == ok);
  CHECK(rig.streams().flooded == 0);
}

TEST_CASE("a TLS client that sends tiny records without end is cut off", "[server][L05]") {
  Rig rig;
  TlsCaller flooder{rig.tls};
  TlsCaller other{rig.tls};
  REQUIRE(flooder.binding() == ok);
  // The beginning of a message that never ends.
  std::string endless(1100, '\0');
  endless[2] = 0x7f;
  endless.replace(4, 4, "\x21\x12\xa4\x42");
  for (const char byte : endless) flooder.wire.tls.send({&byte, 1});
  flooder.wire.socket.send(flooder.wire.tls.take_output());
  static_cast<void>(flooder.wire.socket.receive_rest());
  CHECK(other.binding() == ok);
  CHECK(rig.streams().flooded == 1);
}

TEST_CASE("TLS handshakes beyond the budget are cut off", "[server][L03]") {
  Rig rig{{.handshakes = {.per_network = 3, .total = 0}}};
  TlsCaller first{rig.tls};
  TlsCaller second{rig.tls};
  std::deque<TcpClient> more;
  for (int i = 0; i < 20; ++i) more.emplace_back(rig.tls);
  rig.settle();
  CHECK(first.binding() == ok);
  CHECK(second.binding() == ok);
  CHECK(rig.streams().refused_rate >= 1);
}

}  // namespace turnpike::server
