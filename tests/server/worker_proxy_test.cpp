// A worker behind balancers: real loopback sockets, and balancers that are a few bytes in front.
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "auth/credentials.h"
#include "base/proxy_header.h"
#include "catch.h"
#include "net/send_queue.h"
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
using test::proxy_v2;
using test::proxy_v2_for;
using turn::Reason;

using Add = std::function<void(stun::MessageBuilder&)>;

constexpr int ok = 200;
constexpr std::uint16_t ch = 0x4000;
const std::string client = "192.0.2.1:4000";
const Bytes v1 = copy_of(bytes_of("PROXY TCP4 192.0.2.1 198.51.100.1 4000 3478\r\n"));
const Bytes v2 = proxy_v2_for(client);

Bytes joined(Bytes first, const Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// --- Clients and their balancers -----------------------------------------------------------------

/// A balancer's UDP port that puts `header` before each datagram.
class UdpWire {
 public:
  UdpWire(const Endpoint& server, Bytes header, const std::string& from = "127.0.0.1:0")
      : server_(server), header_(std::move(header)), port_(net::open_port(from)) {}

  void send(const Bytes& message) {
    const Bytes datagram = joined(header_, message);
    net::SendQueue queue;
    queue.queue_copy(port_, server_, std::nullopt, datagram);
    queue.flush();
  }
  Bytes receive() { return copy_of(bytes_of(net::receive(port_, 1).at(0).text)); }
  bool is_silent() { return net::is_silent(port_); }

 private:
  Endpoint server_;
  Bytes header_;
  net::UdpPort port_;
};

/// A balancer's connection that begins with `header`.
class TcpWire {
 public:
  TcpWire(const Endpoint& server, const Bytes& header, const net::TcpClientOptions& options = {})
      : socket(server, options) {
    socket.send(header);
  }
  void send(const Bytes& message) const { socket.send(message); }
  Bytes receive() {
    turn::StreamFrame frame{};
    while (turn::find_frame(input_, frame) != turn::StreamState::complete) {
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

/// TLS with one header before it and one inside; either may be empty.
class TlsWire {
 public:
  TlsWire(const Endpoint& server, const Bytes& before, const Bytes& inside) : socket(server) {
    tls.work();
    socket.send(joined(before, tls.take_output()));  // in one segment with the ClientHello
    while (SSL_is_init_finished(tls.ssl()) != 1) exchange();
    send(inside);
  }
  void send(const Bytes& message) {
    if (!message.empty()) tls.send(text_of(message));
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
  /// True when the server ends the connection without a message.
  bool is_ended() {
    for (Bytes some = socket.receive_some(); !some.empty(); some = socket.receive_some()) {
      tls.take(some);
      tls.work();
    }
    return tls.received.empty();
  }

  TcpClient socket;
  net::TlsTestClient tls;

 private:
  void exchange() {
    const Bytes some = socket.receive_some();
    REQUIRE_FALSE(some.empty());
    tls.take(some);
    tls.work();
    const Bytes output = tls.take_output();
    if (!output.empty()) socket.send(output);
  }
};

Bytes binding_request() {
  Bytes buffer(64);
  return copy_of(
      stun::MessageBuilder{buffer, stun::Class::request, Method::binding, {7, 1, 2}}.bytes());
}

int code_of(const Bytes& response) {
  const auto message = stun::MessageView::parse(response).value();
  if (message.message_class() == stun::Class::success) return ok;
  return stun::decode_error_code(message.find(AttributeType::error_code).value()).value().code;
}

Endpoint address_in(const Bytes& response, AttributeType type) {
  const auto message = stun::MessageView::parse(response).value();
  return stun::decode_xor_address(message.find(type).value(), message.transaction_id()).value();
}

std::string mapped_address(const Bytes& response) {
  return address_in(response, AttributeType::xor_mapped_address).to_string();
}

/// alice. Which wire her requests take may change.
template <class Wire>
class Caller {
 public:
  /// The answer to a request over `wire`; a challenge is met.
  Bytes request(Wire& wire, Method method, const Add& add) {
    wire.send(build(method, add));
    Bytes response = wire.receive();
    if (code_of(response) != 401) return response;
    const auto challenge = stun::MessageView::parse(response).value();
    nonce_ = text_of(challenge.find(AttributeType::nonce).value());
    wire.send(build(method, add));
    return wire.receive();
  }
  Bytes allocate(Wire& wire) {
    return request(wire, Method::allocate,
                   [](stun::MessageBuilder& m) { m.put_requested_transport(17); });
  }
  int bind_channel(Wire& wire, const Endpoint& peer) {
    return code_of(request(wire, Method::channel_bind, [&](stun::MessageBuilder& m) {
      m.put_channel_number(stun::ChannelNumber{ch});
      m.put_xor_address(AttributeType::xor_peer_address, peer);
    }));
  }

 private:
  Bytes build(Method method, const Add& add) {
    Bytes buffer(2048);
    ++transactions_;
    stun::MessageBuilder message{buffer, stun::Class::request, method, {transactions_, 1, 2}};
    add(message);
    if (!nonce_.empty()) {
      message.put_text(AttributeType::username, "alice");
      message.put_text(AttributeType::realm, "example.org").put_text(AttributeType::nonce, nonce_);
      const stun::IntegrityKey key{
          auth::long_term_key(stun::PasswordAlgorithm::md5, "alice", "example.org", "wonderland")};
      message.put_message_integrity(key.sha1);
    }
    return copy_of(message.bytes());
  }

  std::string nonce_;
  std::uint8_t transactions_ = 0;
};

Bytes channel_data(std::string_view payload) {
  Bytes message(4);
  turn::put_channel_data_header(message, stun::ChannelNumber{ch}, payload.size());
  message.insert(message.end(), payload.begin(), payload.end());
  message.resize(padded_to_4(message.size()));
  return message;
}

void send_from(net::UdpPort& port, const Endpoint& to, std::string_view text) {
  net::SendQueue queue;
  queue.queue_copy(port, to, std::nullopt, bytes_of(text));
  queue.flush();
}

// --- The server ----------------------------------------------------------------------------------

struct RigSettings {
  seconds unauthenticated_timeout{60};
  std::uint32_t connections_per_address = 0;
};

/// One worker with three listeners for balancers at 127.0.0.1 and one UDP listener for everybody.
class Rig {
 public:
  explicit Rig(const RigSettings& settings = {})
      : ledger({{address("127.0.0.1"), address("127.0.0.1")}}, PortRange{49152, 65535}, {}),
        connections_(settings.connections_per_address) {
    WorkerListeners listeners;
    for (Endpoint* const udp_endpoint : {&udp, &open_udp}) {
      listeners.udp.push_back({net::open_port(), udp_endpoint == &udp});
      *udp_endpoint = listeners.udp.back().port.local();
    }
    const auto listen = [&](Endpoint& at, Transport transport, bool expects_proxy) {
      auto listener = net::TcpListener::open({endpoint("127.0.0.1:0")});
      REQUIRE(listener.has_value());
      at = listener->local();
      listeners.streams.push_back({std::move(*listener), transport, expects_proxy});
    };
    listen(tcp, Transport::tcp, true);
    listen(tls, Transport::tls, true);
    listen(open_tcp, Transport::tcp, false);
    credentials_.set(net::load_context(net::KeyKind::p256));
    turn::Server::Settings server;
    server.limits.max_allocations_per_user = 0;
    server.authentication.nonce_lifetime = seconds{600};
    worker_ = std::make_unique<Worker>(
        server,
        WorkerShared{std::make_shared<const auth::CredentialBook>(book_),
                     policy_,
                     ledger,
                     mailboxes_,
                     connections_,
                     credentials_,
                     settings.unauthenticated_timeout,
                     {IpPrefix::parse("10.0.0.0/8").value(), IpPrefix::parse("127.0.0.1").value()}},
        std::move(listeners));
    thread_ = std::thread{[this] { worker_->run(); }};
  }
  ~Rig() { stop(); }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

  /// Returns when what was sent and closed before has been dealt with.
  void settle() {
    for (int i = 0; i < 4; ++i) {
      UdpWire wire{open_udp, {}};
      wire.send(binding_request());
      REQUIRE(code_of(wire.receive()) == ok);
    }
  }
  std::uint64_t count(Reason reason) {
    stop();
    return worker_->counters().at(static_cast<std::size_t>(reason)).value();
  }
  StreamCounters streams() {
    stop();
    return worker_->stream_counters();
  }

  Endpoint udp;
  Endpoint open_udp;
  Endpoint tcp;
  Endpoint tls;
  Endpoint open_tcp;
  turn::Ledger ledger;

 private:
  void stop() {
    if (!thread_.joinable()) return;
    worker_->stop();
    thread_.join();
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
  Mailboxes mailboxes_{1};
  ConnectionLimits connections_;
  TlsCredentials credentials_;
  std::unique_ptr<Worker> worker_;
  std::thread thread_;
};

/// Binds over `wire`; the mapped address of the answer.
template <class Wire>
std::string binding_over(Wire&& wire) {
  wire.send(binding_request());
  return mapped_address(wire.receive());
}

}  // namespace

// --- TCP -----------------------------------------------------------------------------------------

TEST_CASE("over TCP the client is who the balancer says", "[server][proxy]") {
  Rig rig;
  CHECK(binding_over(TcpWire{rig.tcp, v1}) == client);
  CHECK(binding_over(TcpWire{rig.tcp, v2}) == client);
  // An IPv6 client behind a balancer that reaches us over IPv4.
  CHECK(binding_over(TcpWire{rig.tcp, proxy_v2_for("[2001:db8::7]:4000")}) == "[2001:db8::7]:4000");
}

TEST_CASE("a header and the first message in one segment are two things", "[server][proxy]") {
  Rig rig;
  for (const Bytes& header : {v1, v2}) {
    TcpWire wire{rig.tcp, joined(header, joined(binding_request(), binding_request()))};
    CHECK(mapped_address(wire.receive()) == client);
    CHECK(mapped_address(wire.receive()) == client);
  }
}

TEST_CASE("a header byte by byte is a header", "[server][proxy]") {
  Rig rig;
  for (const Bytes& header : {v1, v2}) {
    const TcpWire wire{rig.tcp, {}};
    for (const std::uint8_t byte : header) {
      wire.send({byte});
      rig.settle();
    }
    TcpWire whole{rig.tcp, header};
    CHECK(binding_over(whole) == client);
  }
  CHECK(rig.streams().no_proxy_header == 0);
}

TEST_CASE("a balancer that speaks for itself is its own client", "[server][proxy]") {
  Rig rig;
  for (const Bytes& header :
       {proxy_v2(0x20, 0, {}), proxy_v2(0x21, 0, {}), copy_of(bytes_of("PROXY UNKNOWN\r\n"))}) {
    TcpWire wire{rig.tcp, header};
    CHECK(binding_over(wire) == wire.socket.local().to_string());
  }
}

TEST_CASE("only trusted balancers are listened to", "[server][proxy]") {
  Rig rig;
  const net::TcpClientOptions elsewhere{endpoint("127.0.0.2:0"), 0};
  const Endpoint listener = GENERATE(false, true) ? rig.tls : rig.tcp;
  const TcpClient stranger{listener, elsewhere};
  CHECK(stranger.receive_rest().empty());
  CHECK(rig.streams().refused_untrusted == 1);
  CHECK(rig.streams().accepted == 0);
}

TEST_CASE("a trusted balancer without a proper header is cut off without a byte",
          "[server][proxy]") {
  Rig rig;
  const Bytes bytes =
      GENERATE(as<Bytes>{}, binding_request(), copy_of(bytes_of("GET / HTTP/1.1\r\n")),
               copy_of(bytes_of("PROXY TCP4 192.0.2.1 198.51.100.1 4000\r\n")),
               proxy_v2_for(client, true), Bytes{0x16, 3, 1}, channel_data("x"));
  const TcpClient balancer{rig.tcp};
  balancer.send(bytes);
  CHECK(balancer.receive_rest().empty());
  CHECK(rig.streams().no_proxy_header == 1);
}

TEST_CASE("a second header is garbage", "[server][proxy]") {
  Rig rig;
  const TcpClient balancer{rig.tcp};
  balancer.send(joined(v2, v2));
  CHECK(balancer.receive_rest().empty());
  CHECK(rig.streams().broken == 1);
}

TEST_CASE("a listener for everybody takes no header", "[server][proxy]") {
  Rig rig;
  SECTION("version 2") {
    const TcpClient somebody{rig.open_tcp};
    somebody.send(v2);
    CHECK(somebody.receive_rest().empty());
    CHECK(rig.streams().broken == 1);
  }
  SECTION("version 1 looks like a browser") {
    const TcpClient somebody{rig.open_tcp};
    somebody.send(v1);
    CHECK(text_of(somebody.receive_rest()).starts_with("HTTP/1.1 404"));
  }
  SECTION("over UDP") {
    UdpWire wire{rig.open_udp, proxy_v2_for(client, true)};
    wire.send(binding_request());
    rig.settle();
    CHECK(wire.is_silent());
    CHECK(rig.count(Reason::dropped_not_turn) == 1);
  }
}

TEST_CASE("a balancer that never says for whom is cut off in time", "[server][proxy]") {
  Rig rig{{.unauthenticated_timeout = seconds{1}}};
  const TcpClient silent{rig.tcp};
  const TcpClient slow{rig.tcp};
  slow.send(ByteView{v2}.first(20));
  const TcpClient slow_tls{rig.tls};
  slow_tls.send(ByteView{v1}.first(20));
  CHECK(silent.receive_rest().empty());
  CHECK(slow.receive_rest().empty());
  CHECK(slow_tls.receive_rest().empty());
  CHECK(rig.streams().timed_out == 3);
}

TEST_CASE("connections are counted by client, not by balancer", "[server][proxy]") {
  Rig rig{{.connections_per_address = 1}};
  {
    std::vector<TcpWire> wires;
    for (int i = 1; i < 5; ++i) {
      const std::string other = "192.0.2." + std::to_string(i) + ":4000";
      wires.emplace_back(rig.tcp, proxy_v2_for(other));
      CHECK(binding_over(wires.back()) == other);
    }
    const TcpClient again{rig.tcp};
    again.send(proxy_v2_for("192.0.2.1:4001"));
    CHECK(again.receive_rest().empty());
  }
  rig.settle();  // all have gone, and were uncounted once
  TcpWire wire{rig.tcp, proxy_v2_for("192.0.2.1:4001")};
  CHECK(binding_over(wire) == "192.0.2.1:4001");
  CHECK(rig.streams().refused_limit == 1);
}

TEST_CASE("data goes both ways through a balancer's connection", "[server][proxy]") {
  Rig rig;
  TcpWire wire{rig.tcp, v1};
  Caller<TcpWire> alice;
  const Bytes response = alice.allocate(wire);
  REQUIRE(code_of(response) == ok);
  CHECK(mapped_address(response) == client);
  net::UdpPort peer = net::open_port();
  REQUIRE(alice.bind_channel(wire, peer.local()) == ok);
  wire.send(channel_data("hello"));
  const net::Datagram datagram = net::receive(peer, 1).at(0);
  CHECK(datagram.text == "hello");
  send_from(peer, datagram.from, "back");
  CHECK(wire.receive() == channel_data("back"));
}

TEST_CASE("who comes again from the same port takes the place of his former connection",
          "[server][proxy]") {
  Rig rig;
  TcpWire former{rig.tcp, v2};
  Caller<TcpWire> alice;
  REQUIRE(code_of(alice.allocate(former)) == ok);
  TcpWire latter{rig.tcp, v2};
  CHECK(binding_over(latter) == client);
  CHECK(former.socket.receive_rest().empty());
  CHECK(rig.ledger.allocations() == 0);
  // The end of the former says nothing about the latter.
  Caller<TcpWire> again;
  REQUIRE(code_of(again.allocate(latter)) == ok);
  former.socket.close();
  rig.settle();
  CHECK(rig.ledger.allocations() == 1);
  latter.socket.close();
  rig.settle();
  CHECK(rig.ledger.allocations() == 0);
}

// --- TLS -----------------------------------------------------------------------------------------

TEST_CASE("the header comes before TLS or inside it", "[server][proxy]") {
  Rig rig;
  for (const Bytes& header : {v1, v2}) {
    CHECK(binding_over(TlsWire{rig.tls, header, {}}) == client);
    CHECK(binding_over(TlsWire{rig.tls, {}, header}) == client);
  }
  TlsWire wire{rig.tls, v2, {}};
  Caller<TlsWire> alice;
  CHECK(mapped_address(alice.allocate(wire)) == client);
}

TEST_CASE("neither inside TLS nor before it is no header", "[server][proxy]") {
  Rig rig;
  TlsWire wire{rig.tls, {}, {}};
  wire.send(binding_request());
  CHECK(wire.is_ended());
  CHECK(rig.streams().no_proxy_header == 1);
}

TEST_CASE("a header before TLS and one inside are one too many", "[server][proxy]") {
  Rig rig;
  TlsWire wire{rig.tls, v1, v2};
  CHECK(wire.is_ended());
  CHECK(rig.streams().broken == 1);
}

TEST_CASE("a header before TLS may come in pieces, and garbage after it ends the connection",
          "[server][proxy]") {
  Rig rig;
  const TcpClient balancer{rig.tls};
  for (const std::uint8_t byte : v2) {
    balancer.send(ByteView{&byte, 1});
    rig.settle();
  }
  SECTION("then TLS") {
    net::TlsTestClient tls;
    tls.work();
    balancer.send(tls.take_output());
    CHECK_FALSE(balancer.receive_some().empty());
  }
  SECTION("then garbage") {
    balancer.send(Bytes(20, 0xff));
    static_cast<void>(balancer.receive_rest());  // the end
    CHECK(rig.streams().no_proxy_header == 0);
  }
}

// --- UDP -----------------------------------------------------------------------------------------

TEST_CASE("over UDP each datagram says whose it is, and answers go to the balancer",
          "[server][proxy]") {
  Rig rig;
  CHECK(binding_over(UdpWire{rig.udp, proxy_v2_for(client, true)}) == client);
  CHECK(binding_over(UdpWire{rig.udp, proxy_v2_for("[2001:db8::7]:4000", true)}) ==
        "[2001:db8::7]:4000");
}

TEST_CASE("relayed data goes through the balancer, without a header", "[server][proxy]") {
  Rig rig;
  UdpWire wire{rig.udp, proxy_v2_for(client, true)};
  Caller<UdpWire> alice;
  const Bytes response = alice.allocate(wire);
  REQUIRE(code_of(response) == ok);
  CHECK(mapped_address(response) == client);
  net::UdpPort peer = net::open_port();
  REQUIRE(alice.bind_channel(wire, peer.local()) == ok);
  wire.send(channel_data("hell"));
  const net::Datagram datagram = net::receive(peer, 1).at(0);
  CHECK(datagram.text == "hell");
  send_from(peer, datagram.from, "back");
  CHECK(wire.receive() == channel_data("back"));
}

TEST_CASE("clients behind one balancer's port are told apart", "[server][proxy]") {
  Rig rig;
  UdpWire of_alice{rig.udp, proxy_v2_for("192.0.2.1:4000", true)};
  UdpWire of_bob{rig.udp, proxy_v2_for("192.0.2.2:4000", true)};
  Caller<UdpWire> alice;
  Caller<UdpWire> bob;
  REQUIRE(code_of(alice.allocate(of_alice)) == ok);
  REQUIRE(code_of(bob.allocate(of_bob)) == ok);
  CHECK(rig.ledger.allocations() == 2);
}

TEST_CASE("an allocation follows its balancer to another port with the next proven request",
          "[server][proxy]") {
  Rig rig;
  UdpWire before{rig.udp, proxy_v2_for(client, true)};
  UdpWire after{rig.udp, proxy_v2_for(client, true)};
  Caller<UdpWire> alice;
  const Bytes response = alice.allocate(before);
  const Endpoint relayed = address_in(response, AttributeType::xor_relayed_address);
  net::UdpPort peer = net::open_port();
  REQUIRE(alice.bind_channel(before, peer.local()) == ok);

  after.send(channel_data("hell"));  // is relayed, and moves nothing: it proves nothing
  CHECK(net::receive(peer, 1).at(0).text == "hell");
  send_from(peer, relayed, "abcd");
  CHECK(before.receive() == channel_data("abcd"));

  Caller<UdpWire> stranger;  // is challenged, and moves nothing
  after.send(binding_request());
  CHECK(mapped_address(after.receive()) == client);
  send_from(peer, relayed, "efgh");
  CHECK(before.receive() == channel_data("efgh"));

  REQUIRE(alice.bind_channel(after, peer.local()) == ok);
  send_from(peer, relayed, "ijkl");
  CHECK(after.receive() == channel_data("ijkl"));
}

TEST_CASE("a health check over UDP is answered where it came from", "[server][proxy]") {
  Rig rig;
  net::UdpPort balancer = net::open_port();
  send_from(balancer, rig.udp, text_of(joined(proxy_v2(0x20, 0, {}), binding_request())));
  const std::string answer = net::receive(balancer, 1).at(0).text;
  CHECK(mapped_address(copy_of(bytes_of(answer))) == balancer.local().to_string());
}

TEST_CASE("datagrams without a proper header, or from elsewhere, are dropped and counted",
          "[server][proxy]") {
  Rig rig;
  SECTION("none") {
    UdpWire wire{rig.udp, {}};
    wire.send(binding_request());
    wire.send({});
    rig.settle();
    CHECK(wire.is_silent());
    CHECK(rig.count(Reason::dropped_proxy_header) == 2);
  }
  SECTION("half of one, a TCP client's, or version 1") {
    const Bytes whole = proxy_v2_for(client, true);
    for (const Bytes& header : {copy_of(ByteView{whole}.first(20)), v2, v1}) {
      UdpWire wire{rig.udp, header};
      wire.send(header.size() == 20 ? Bytes{} : binding_request());
      rig.settle();
      CHECK(wire.is_silent());
    }
    CHECK(rig.count(Reason::dropped_proxy_header) == 3);
  }
  SECTION("from a stranger") {
    UdpWire wire{rig.udp, proxy_v2_for(client, true), "127.0.0.2:0"};
    wire.send(binding_request());
    rig.settle();
    CHECK(wire.is_silent());
    CHECK(rig.count(Reason::dropped_untrusted_proxy) == 1);
  }
  SECTION("a claimed client that must not be answered") {
    UdpWire wire{rig.udp, proxy_v2_for("192.0.2.1:53", true)};
    wire.send(binding_request());
    rig.settle();
    CHECK(wire.is_silent());
    CHECK(rig.count(Reason::dropped_source) == 1);
  }
  SECTION("a header and nothing else") {
    UdpWire wire{rig.udp, proxy_v2_for(client, true)};
    wire.send({});
    rig.settle();
    CHECK(wire.is_silent());
    CHECK(rig.count(Reason::dropped_not_turn) == 1);
  }
}

}  // namespace turnpike::server
