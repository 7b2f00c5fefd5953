// TCP allocations (RFC 6062) on real loopback sockets: workers that share their listeners, clients
// over TCP and TLS, and peers that know nothing of TURN.
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "auth/credentials.h"
#include "base/hex.h"
#include "catch.h"
#include "net/clock.h"
#include "net/tcp_client.h"
#include "net/tls_test_client.h"
#include "server/worker.h"
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

using Add = std::function<void(stun::MessageBuilder&)>;

constexpr int ok = 200;

// --- The server ----------------------------------------------------------------------------------

struct RigSettings {
  std::size_t workers = 1;
  std::uint32_t connections_per_address = 0;
  turn::RelayAddress relay{address("127.0.0.1"), address("127.0.0.1")};
  std::uint64_t bandwidth = 0;  // of an allocation
};

/// Workers on the same ports, as a Service runs them: the kernel gives a connection to any of them.
class Rig {
 public:
  explicit Rig(const RigSettings& settings = {})
      : ledger({settings.relay}, PortRange{49152, 65535}, turn::Limits{}),
        connections(settings.connections_per_address),
        mailboxes_(settings.workers) {
    credentials_.set(net::load_context(net::KeyKind::p256));
    turn::Server::Settings server;
    server.tcp_relays = true;
    server.limits.bandwidth_per_allocation = settings.bandwidth;
    for (std::uint8_t i = 0; i < settings.workers; ++i) {
      server.worker = turn::WorkerId{i};
      WorkerListeners listeners;
      listeners.streams.push_back(open(tcp, Transport::tcp));
      listeners.streams.push_back(open(tls, Transport::tls));
      const WorkerShared shared{std::make_shared<const auth::CredentialBook>(book_),
                                policy_,
                                ledger,
                                mailboxes_,
                                connections,
                                credentials_,
                                seconds{60}};
      workers_.push_back(std::make_unique<Worker>(server, shared, std::move(listeners)));
    }
    for (const auto& worker : workers_) threads_.emplace_back([&w = *worker] { w.run(); });
  }
  ~Rig() { stop(); }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  void stop() {
    for (const auto& worker : workers_) worker->stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  /// Stops; how many messages ended so.
  std::uint64_t count(Reason reason) {
    stop();
    std::uint64_t sum = 0;
    for (const auto& worker : workers_) {
      sum += worker->counters().at(static_cast<std::size_t>(reason)).value();
    }
    return sum;
  }
  /// Stops; what went through data connections.
  std::uint64_t stream_bytes(turn::RelayDirection direction) {
    stop();
    turn::RelayTotals totals;
    for (const auto& worker : workers_) totals += worker->relay_counters();
    return totals.volume(direction, turn::RelayPath::stream).bytes;
  }
  /// Stops; how many connections each worker accepted.
  std::vector<std::uint64_t> accepted() {
    stop();
    std::vector<std::uint64_t> counts;
    for (const auto& worker : workers_) counts.push_back(worker->stream_counters().accepted);
    return counts;
  }

  Endpoint tcp = endpoint("127.0.0.1:0");
  Endpoint tls = endpoint("127.0.0.1:0");
  turn::Ledger ledger;
  ConnectionLimits connections;

 private:
  static StreamListener open(Endpoint& at, Transport transport) {
    auto listener = net::TcpListener::open({.bind = at, .reuse_port = true});
    REQUIRE(listener.has_value());
    at = listener->local();
    return {std::move(*listener), transport};
  }
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
  turn::PeerPolicy policy_{policy_settings(), ledger.live_relays()};
  Mailboxes mailboxes_;
  TlsCredentials credentials_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
};

// --- Clients and peers ---------------------------------------------------------------------------

/// Sends in a thread of its own.
class Sender {
 public:
  template <class TrySend>
  explicit Sender(TrySend try_send) : thread_{[this, try_send] { is_sent_ = try_send(); }} {}
  ~Sender() {
    if (thread_.joinable()) thread_.join();
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  /// Waits for the end. True when everything was sent.
  [[nodiscard]] bool is_done() {
    thread_.join();
    return is_sent_;
  }

 private:
  bool is_sent_ = false;
  std::thread thread_;  // the last to be made
};

/// Bytes to and from the server, over TCP or TLS.
class Wire {
 public:
  Wire(const Rig& rig, Transport transport, const net::TcpClientOptions& options = {})
      : socket(transport == Transport::tls ? rig.tls : rig.tcp, options) {
    if (transport != Transport::tls) return;
    tls_ = std::make_unique<net::TlsTestClient>();
    for (tls_->work(); !SSL_is_init_finished(tls_->ssl()); take_some()) push();
    push();
  }

  void send(ByteView bytes) {
    if (!tls_) return socket.send(bytes);
    tls_->send(text_of(bytes));
    push();
  }
  /// Without Catch, which is not for threads; false when the connection is broken.
  [[nodiscard]] bool try_send(ByteView bytes) {
    if (!tls_) return socket.try_send(bytes);
    return tls_->try_send(text_of(bytes)) && socket.try_send(tls_->take_output());
  }
  /// At least one byte more in `input`; false at the end.
  bool take_some() {
    const Bytes some = socket.receive_some();
    if (some.empty()) return false;
    if (!tls_) {
      input.append(text_of(some));
      return true;
    }
    tls_->take(some);
    tls_->work();
    input += std::exchange(tls_->received, {});
    return true;
  }
  /// The next `size` bytes.
  std::string receive(std::size_t size) {
    while (input.size() < size) REQUIRE(take_some());
    std::string bytes = input.substr(0, size);
    input.erase(0, size);
    return bytes;
  }
  std::string receive_rest() {
    while (take_some()) {
    }
    return std::exchange(input, {});
  }
  /// The next message.
  Bytes message() {
    turn::StreamFrame frame{};
    while (turn::find_frame(bytes_of(input), frame) != turn::StreamState::complete) {
      REQUIRE(take_some());
    }
    return copy_of(bytes_of(receive(frame.total_bytes)));
  }
  /// Says goodbye, as TLS does it or TCP.
  void finish() {
    if (tls_) {
      SSL_shutdown(tls_->ssl());
      static_cast<void>(socket.try_send(tls_->take_output()));  // it may be gone
    }
    socket.finish();
  }

  TcpClient socket;
  std::string input;

 private:
  void push() { socket.send(tls_->take_output()); }
  std::unique_ptr<net::TlsTestClient> tls_;
};

int code_of(const Bytes& response) {
  const auto message = stun::MessageView::parse(response).value();
  if (message.message_class() == stun::Class::success) return ok;
  return stun::decode_error_code(message.find(AttributeType::error_code).value()).value().code;
}

std::optional<std::uint32_t> connection_id_of(const Bytes& bytes) {
  const auto message = stun::MessageView::parse(bytes).value();
  const auto value = message.find(AttributeType::connection_id);
  return value ? stun::decode_connection_id(*value) : std::nullopt;
}

Endpoint address_in(const Bytes& bytes, AttributeType type) {
  const auto message = stun::MessageView::parse(bytes).value();
  return stun::decode_xor_address(message.find(type).value(), message.transaction_id()).value();
}

/// alice on one connection.
class Client {
 public:
  Client(const Rig& rig, Transport transport, const net::TcpClientOptions& options = {})
      : wire(rig, transport, options) {}

  Bytes build(Method method, const Add& add) {
    Bytes buffer(2048);
    stun::MessageBuilder message{buffer, stun::Class::request, method, {++transactions_, 1}};
    if (add) add(message);
    if (!nonce_.empty()) {
      message.put_text(AttributeType::username, "alice");
      message.put_text(AttributeType::realm, "example.org").put_text(AttributeType::nonce, nonce_);
      const stun::IntegrityKey key{
          auth::long_term_key(stun::PasswordAlgorithm::md5, "alice", "example.org", "wonderland")};
      message.put_message_integrity(key.sha1);
    }
    return copy_of(message.bytes());
  }
  Bytes request(Method method, const Add& add = {}) {
    log_in();
    wire.send(build(method, add));
    return wire.message();
  }
  void log_in() {
    if (!nonce_.empty()) return;
    wire.send(build(Method::refresh, {}));
    const Bytes response = wire.message();
    REQUIRE(code_of(response) == 401);
    const auto challenge = stun::MessageView::parse(response).value();
    nonce_ = text_of(challenge.find(AttributeType::nonce).value());
  }
  /// The relayed transport address.
  Endpoint allocate() {
    const Bytes response =
        request(Method::allocate, [](stun::MessageBuilder& m) { m.put_requested_transport(6); });
    REQUIRE(code_of(response) == ok);
    return address_in(response, AttributeType::xor_relayed_address);
  }
  int permit(const IpAddress& peer) {
    return code_of(request(Method::create_permission, [&](stun::MessageBuilder& m) {
      m.put_xor_address(AttributeType::xor_peer_address, {peer, 0});
    }));
  }
  Bytes connect(const Endpoint& peer) {
    return request(Method::connect, [&](stun::MessageBuilder& m) {
      m.put_xor_address(AttributeType::xor_peer_address, peer);
    });
  }
  Bytes bind_request(std::uint32_t number) {
    log_in();
    return build(Method::connection_bind,
                 [&](stun::MessageBuilder& m) { m.put_u32(AttributeType::connection_id, number); });
  }
  int bind(std::uint32_t number) {
    wire.send(bind_request(number));
    return code_of(wire.message());
  }

  Wire wire;

 private:
  std::string nonce_;
  std::uint8_t transactions_ = 0;
};

/// Somebody who listens.
class Peer {
 public:
  Peer() : listener_(net::TcpListener::open({.bind = endpoint("127.0.0.1:0")}).value()) {}
  [[nodiscard]] const Endpoint& at() const { return listener_.local(); }
  /// The next connection, blocking as TcpClient's.
  TcpClient accept() {
    REQUIRE(net::wait_for(listener_.descriptor(), POLLIN));
    auto accepted = listener_.accept();
    REQUIRE(accepted.has_value());
    from = accepted->client;
    return TcpClient{dup(accepted->socket.descriptor())};
  }

  Endpoint from;  ///< of the latest connection

 private:
  net::TcpListener listener_;
};

std::string receive(const TcpClient& socket, std::size_t size) {
  std::string bytes;
  while (bytes.size() < size) {
    const Bytes some = socket.receive_some();
    REQUIRE_FALSE(some.empty());
    bytes += text_of(some);
  }
  return bytes;
}

/// Bytes whose order can be told.
std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

/// A control connection with an allocation, a peer, and the two joined: alice on `data`, the peer
/// on `far`.
struct Joined {
  explicit Joined(const Rig& rig, Transport transport = Transport::tcp)
      : control(rig, transport), relayed(control.allocate()), data(rig, transport), far(connect()) {
    REQUIRE(data.bind(number) == ok);
  }

  TcpClient connect() {
    const Bytes response = control.connect(peer.at());
    REQUIRE(code_of(response) == ok);
    number = connection_id_of(response).value();
    return peer.accept();
  }

  Peer peer;
  Client control;
  Endpoint relayed;
  std::uint32_t number = 0;
  Client data;
  TcpClient far;
};

Transport any_stream() { return GENERATE(Transport::tcp, Transport::tls); }

}  // namespace

TEST_CASE("a client reaches a peer from its relayed address", "[server][rfc6062-5.2][c59][c62]") {
  Rig rig;
  Joined joined{rig, any_stream()};
  CHECK((joined.peer.from == joined.relayed));
  joined.data.wire.send(bytes_of("ping"));
  CHECK(receive(joined.far, 4) == "ping");
  joined.far.send(bytes_of("pong"));
  CHECK(joined.data.wire.receive(4) == "pong");
  // What looks like TURN is data too.
  const Bytes request = joined.control.bind_request(1);
  joined.data.wire.send(request);
  CHECK(receive(joined.far, request.size()) == text_of(request));
  CHECK(joined.control.permit(address("127.0.0.1")) == ok);
  CHECK(rig.count(Reason::answered_connected) == 1);
  CHECK(rig.count(Reason::answered_connection_bind) == 1);
  CHECK(rig.stream_bytes(turn::RelayDirection::to_peer) == 4 + request.size());
  CHECK(rig.stream_bytes(turn::RelayDirection::to_client) == 4);
}

TEST_CASE("a peer reaches a client at its relayed address", "[server][rfc6062-5.3][c61]") {
  Rig rig;
  const Transport transport = any_stream();
  Client control{rig, transport};
  const Endpoint relayed = control.allocate();
  REQUIRE(control.permit(address("127.0.0.1")) == ok);
  TcpClient peer{relayed};
  const Bytes attempt = control.wire.message();
  const auto message = stun::MessageView::parse(attempt).value();
  CHECK(message.method() == Method::connection_attempt);
  CHECK(message.message_class() == stun::Class::indication);
  CHECK((address_in(attempt, AttributeType::xor_peer_address) == peer.local()));
  Client data{rig, transport};
  REQUIRE(data.bind(connection_id_of(attempt).value()) == ok);
  peer.send(bytes_of("hello"));
  CHECK(data.wire.receive(5) == "hello");
  data.wire.send(bytes_of("good day"));
  CHECK(receive(peer, 8) == "good day");
}

TEST_CASE("a peer without permission is let in and shown out", "[server][rfc6062-5.3][c61]") {
  Rig rig;
  Client control{rig, Transport::tcp};
  const TcpClient peer{control.allocate()};
  CHECK(peer.receive_rest().empty());
  CHECK(rig.count(Reason::dropped_no_permission) == 1);
}

TEST_CASE("what a peer says before the bind waits in the kernel and arrives complete",
          "[server][rfc6062-5.3][rfc6062-5.4][c61]") {
  Rig rig;
  const Transport transport = any_stream();
  const bool is_inbound = GENERATE(false, true);
  Client control{rig, transport};
  const Endpoint relayed = control.allocate();
  REQUIRE(control.permit(address("127.0.0.1")) == ok);
  Peer listening;
  std::optional<TcpClient> peer;
  std::uint32_t number = 0;
  if (is_inbound) {
    peer.emplace(relayed);
    number = connection_id_of(control.wire.message()).value();
  } else {
    number = connection_id_of(control.connect(listening.at())).value();
    peer.emplace(listening.accept());
  }
  const std::string text = pattern(16 << 20);
  // Until the kernels have no more room: nobody takes it.
  ByteView left = bytes_of(text);
  while (const std::size_t sent = peer->send_some(left)) left = left.subspan(sent);
  REQUIRE_FALSE(left.empty());
  REQUIRE(left.size() < (15U << 20));
  Sender sender{[&] {
    const bool is_sent = peer->try_send(left);
    peer->finish();
    return is_sent;
  }};
  Client data{rig, transport};
  const int code = data.bind(number);
  const std::string received = data.wire.receive(text.size());
  CHECK(sender.is_done());
  CHECK(code == ok);
  CHECK((received == text));
  CHECK(data.wire.receive_rest().empty());
}

TEST_CASE("bytes glued to the ConnectionBind are data", "[server][rfc6062-5.4][c62]") {
  Rig rig;
  const Transport transport = any_stream();
  Client control{rig, transport};
  control.allocate();
  Peer peer;
  const auto number = connection_id_of(control.connect(peer.at())).value();
  const TcpClient far = peer.accept();
  far.send(bytes_of("early"));
  Client data{rig, transport};
  Bytes glued = data.bind_request(number);
  const std::string text = "GET / HTTP/1.1\r\n\r\n" + pattern(10'000);
  glued.insert(glued.end(), text.begin(), text.end());
  data.wire.send(glued);
  CHECK(code_of(data.wire.message()) == ok);
  CHECK(data.wire.receive(5) == "early");
  CHECK((receive(far, text.size()) == text));
}

TEST_CASE("on a data connection over TLS any number of single bytes is data",
          "[server][rfc6062-5.4][L05]") {
  Rig rig;
  Joined joined{rig, Transport::tls};
  const std::string keystrokes = pattern(3000);
  for (std::size_t i = 0; i < keystrokes.size(); ++i) {
    joined.data.wire.send(bytes_of(keystrokes).subspan(i, 1));
  }
  CHECK(receive(joined.far, keystrokes.size()) == keystrokes);
}

TEST_CASE("a side that does not read stops the other one", "[server][rfc6062-3]") {
  Rig rig;
  const bool is_client_slow = GENERATE(false, true);
  const std::string text = pattern(32 << 20);
  Joined joined{rig};
  const TcpClient& from = is_client_slow ? joined.far : joined.data.wire.socket;
  const TcpClient& to = is_client_slow ? joined.data.wire.socket : joined.far;
  ByteView left = bytes_of(text);
  // The sockets of this host hold a few megabytes; the server adds 128 KiB and no more. Half of the
  // text never goes through; giving up too early would only make the test weaker.
  pollfd writable{from.descriptor(), POLLOUT, 0};
  while (left.size() > (16U << 20) && poll(&writable, 1, 200) == 1) {
    left = left.subspan(from.send_some(left.first(65536)));
  }
  REQUIRE(left.size() > (16U << 20));
  Sender sender{[&] { return from.try_send(left); }};
  const std::string received = receive(to, text.size());
  CHECK(sender.is_done());
  CHECK((received == text));
}

TEST_CASE("beyond its bandwidth a data connection is read later, and loses nothing",
          "[server][Q03][rfc6062-3]") {
  // 10 MB a second, of which 2.5 MB at once
  Rig rig{{.bandwidth = 80'000'000}};
  const bool is_to_peer = GENERATE(false, true);
  Joined joined{rig, any_stream()};
  const std::string text = pattern(5 << 20);
  const Instant start = net::read_clock().instant;
  Sender sender{[&] {
    return is_to_peer ? joined.data.wire.try_send(bytes_of(text))
                      : joined.far.try_send(bytes_of(text));
  }};
  const std::string received =
      is_to_peer ? receive(joined.far, text.size()) : joined.data.wire.receive(text.size());
  CHECK(sender.is_done());
  CHECK((received == text));
  // Never sooner, however fast the host is.
  CHECK(net::read_clock().instant - start > milliseconds{200});
}

TEST_CASE("the end of one side is the end of the other, after all that was said",
          "[server][rfc6062-5.5][c63]") {
  Rig rig;
  const Transport transport = any_stream();
  const std::string text = pattern(3 << 20);
  Joined joined{rig, transport};
  SECTION("the peer's") {
    Sender sender{[&] {
      const bool is_sent = joined.far.try_send(bytes_of(text));
      joined.far.finish();
      return is_sent;
    }};
    const std::string received = joined.data.wire.receive_rest();
    CHECK(sender.is_done());
    CHECK((received == text));
  }
  SECTION("the client's") {
    Sender sender{[&] {
      const bool is_sent = joined.data.wire.try_send(bytes_of(text));
      joined.data.wire.finish();
      return is_sent;
    }};
    const Bytes received = joined.far.receive_rest();
    CHECK(sender.is_done());
    CHECK((text_of(received) == text));
  }
}

TEST_CASE("whoever has said everything still gets the answer", "[server][rfc6062-5.5]") {
  Rig rig;
  const bool is_client_first = GENERATE(false, true);
  Joined joined{rig};
  const TcpClient& asks = is_client_first ? joined.data.wire.socket : joined.far;
  const TcpClient& answers = is_client_first ? joined.far : joined.data.wire.socket;
  asks.send(bytes_of("question"));
  asks.finish();
  CHECK(text_of(answers.receive_rest()) == "question");
  const std::string answer = pattern(1 << 20);
  Sender sender{[&] {
    const bool is_sent = answers.try_send(bytes_of(answer));
    answers.finish();
    return is_sent;
  }};
  const Bytes received = asks.receive_rest();
  CHECK(sender.is_done());
  CHECK((text_of(received) == answer));
}

TEST_CASE("a reset of one side closes the other", "[server][rfc6062-5.5][c63]") {
  Rig rig;
  const Transport transport = any_stream();
  Joined joined{rig, transport};
  SECTION("the peer's") {
    joined.far.reset();
    CHECK(joined.data.wire.receive_rest().empty());
  }
  SECTION("the client's") {
    joined.data.wire.socket.reset();
    CHECK(joined.far.receive_rest().empty());
  }
}

TEST_CASE("the end of the allocation closes both sides", "[server][rfc6062-5.5][c63]") {
  Rig rig;
  const bool is_deleted = GENERATE(false, true);
  Joined joined{rig, any_stream()};
  if (is_deleted) {
    const Bytes response = joined.control.request(
        Method::refresh, [](stun::MessageBuilder& m) { m.put_lifetime(seconds{0}); });
    CHECK(code_of(response) == ok);
  } else {
    joined.control.wire.socket.close();
  }
  CHECK(joined.far.receive_rest().empty());
  CHECK(joined.data.wire.receive_rest().empty());
}

TEST_CASE("a peer that refuses is answered at once", "[server][rfc6062-5.2][c59]") {
  Rig rig;
  Client control{rig, Transport::tcp};
  control.allocate();
  const Endpoint nobody = Peer{}.at();  // any more
  CHECK(code_of(control.connect(nobody)) == 447);
  CHECK(rig.count(Reason::refused_not_connected) == 1);
}

TEST_CASE("one allocation talks to many peers, both ways, from one port",
          "[server][rfc6062][c59]") {
  Rig rig;
  Client control{rig, Transport::tcp};
  const Endpoint relayed = control.allocate();
  REQUIRE(control.permit(address("127.0.0.1")) == ok);
  std::deque<Peer> peers(8);
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<TcpClient> far;
  for (Peer& peer : peers) {
    const auto number = connection_id_of(control.connect(peer.at())).value();
    far.push_back(peer.accept());
    CHECK((peer.from == relayed));
    clients.push_back(std::make_unique<Client>(rig, Transport::tcp));
    REQUIRE(clients.back()->bind(number) == ok);
    far.emplace_back(relayed);
    const auto inbound = connection_id_of(control.wire.message()).value();
    clients.push_back(std::make_unique<Client>(rig, Transport::tcp));
    REQUIRE(clients.back()->bind(inbound) == ok);
  }
  for (std::size_t i = 0; i < far.size(); ++i) {
    const std::string text = "to " + std::to_string(i);
    clients[i]->wire.send(bytes_of(text));
    CHECK(receive(far[i], text.size()) == text);
    far[i].send(bytes_of(text));
    CHECK(clients[i]->wire.receive(text.size()) == text);
  }
}

TEST_CASE("two clients of the server meet, also behind a 1:1 NAT", "[server][rfc6062][c57]") {
  const auto [bind, seen] = GENERATE(table<std::string, std::string>({
      {"127.0.0.1", "127.0.0.1"},
      {"127.0.0.5", "203.0.113.10"},
      {"0.0.0.0", "203.0.113.10"},
  }));
  Rig rig{{.relay = {address(bind), address(seen)}}};
  Client alice{rig, Transport::tcp};
  Client bob{rig, Transport::tls};
  const Endpoint of_alice = alice.allocate();
  const Endpoint of_bob = bob.allocate();
  REQUIRE(bob.permit(of_alice.address) == ok);
  const Bytes response = alice.connect(of_bob);
  REQUIRE(code_of(response) == ok);
  const Bytes attempt = bob.wire.message();
  CHECK((address_in(attempt, AttributeType::xor_peer_address) == of_alice));
  Client data_of_alice{rig, Transport::tcp};
  Client data_of_bob{rig, Transport::tls};
  REQUIRE(data_of_alice.bind(connection_id_of(response).value()) == ok);
  REQUIRE(data_of_bob.bind(connection_id_of(attempt).value()) == ok);
  data_of_alice.wire.send(bytes_of("hello bob"));
  CHECK(data_of_bob.wire.receive(9) == "hello bob");
  data_of_bob.wire.send(bytes_of("hello alice"));
  CHECK(data_of_alice.wire.receive(11) == "hello alice");
}

TEST_CASE("a data connection may come to any worker", "[server][rfc6062-5.4][c62]") {
  Rig rig{{.workers = 3}};
  const Transport transport = any_stream();
  Client control{rig, transport};
  control.allocate();
  // The kernel chooses: that all of them come to one worker happens once in 3^23 runs.
  for (int i = 0; i < 24; ++i) {
    Peer peer;
    const auto number = connection_id_of(control.connect(peer.at())).value();
    TcpClient far = peer.accept();
    far.send(bytes_of("early"));
    Client data{rig, transport};
    Bytes glued = data.bind_request(number);
    glued.insert(glued.end(), {'g', 'l', 'u', 'e'});
    data.wire.send(glued);
    REQUIRE(code_of(data.wire.message()) == ok);
    CHECK(data.wire.receive(5) == "early");
    CHECK(receive(far, 4) == "glue");
    const std::string text = pattern(200'000);
    data.wire.send(bytes_of(text));
    CHECK((receive(far, text.size()) == text));
    far.send(bytes_of(text));
    CHECK((data.wire.receive(text.size()) == text));
    if (i % 2 == 0) {
      far.finish();
      CHECK(data.wire.receive_rest().empty());
    } else {
      data.wire.finish();
      CHECK(far.receive_rest().empty());
    }
  }
  const auto accepted = rig.accepted();
  CHECK(std::count(accepted.begin(), accepted.end(), 0U) < 2);
}

TEST_CASE("data connections count among their address's, wherever they go", "[server][rfc6062]") {
  constexpr std::uint32_t limit = 4;
  Rig rig{{.workers = 2, .connections_per_address = limit}};
  for (int round = 0; round < 8; ++round) {
    Joined joined{rig};
    joined.data.wire.finish();
    CHECK(joined.far.receive_rest().empty());
    joined.far.close();
    CHECK(joined.data.wire.receive_rest().empty());
  }
  rig.stop();
  for (std::uint32_t i = 0; i < limit - 1; ++i) {
    CHECK(rig.connections.add(address("127.0.0.1")));
  }
}

}  // namespace turnpike::server
