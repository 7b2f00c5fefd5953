// The TLS client for tools, against our own server side of TLS over a real socket.
#include "net/tls_connection.h"

#include <atomic>
#include <thread>

#include "catch.h"
#include "net/certificates.h"
#include "net/clock.h"
#include "net/loopback.h"
#include "net/tcp.h"

namespace turnpike::net {
namespace {

using Bytes = std::vector<std::uint8_t>;

Instant soon() { return read_clock().instant + seconds{5}; }

/// Accepts one connection after another and sends back what it decrypts, until it is destroyed.
class TlsEcho {
 public:
  TlsEcho() : context_(*files_.load()), listener_(open()), thread_([this] { serve(); }) {}
  ~TlsEcho() {
    stop_ = true;
    thread_.join();
  }
  TlsEcho(const TlsEcho&) = delete;
  TlsEcho& operator=(const TlsEcho&) = delete;

  [[nodiscard]] const Endpoint& address() const { return listener_.local(); }

 private:
  static TcpListener open() {
    TcpListenerOptions options;
    options.bind = endpoint("127.0.0.1:0");
    auto listener = TcpListener::open(options);
    REQUIRE(listener);
    return std::move(*listener);
  }

  static bool is_readable(int descriptor) {
    pollfd waiting{descriptor, POLLIN, 0};
    return poll(&waiting, 1, 10) > 0;
  }

  void serve() {
    while (!stop_) {
      if (!is_readable(listener_.descriptor())) continue;
      if (auto accepted = listener_.accept()) echo(accepted->socket);
    }
  }

  void echo(TcpSocket& socket) {
    TlsSession session{context_};
    Bytes buffer(4096);
    for (auto status = TlsSession::Status::open; status == TlsSession::Status::open && !stop_;) {
      if (!is_readable(socket.descriptor())) continue;
      const auto count = socket.read(buffer);
      if (!count) return;
      Bytes plaintext;
      Bytes wire;
      status = session.receive(ByteView{buffer}.first(*count), plaintext, wire);
      if (!plaintext.empty() && status == TlsSession::Status::open) {
        status = session.send(plaintext, wire);
      }
      if (!wire.empty()) static_cast<void>(socket.write(wire));  // small: the kernel takes it all
    }
  }

  CertificateFiles files_{KeyKind::p256};
  std::shared_ptr<const TlsContext> context_;
  TcpListener listener_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace

TEST_CASE("what a TLS client sends comes back", "[net]") {
  const TlsEcho server;
  auto client = TlsConnection::connect(Transport::tls, server.address(), {}, soon());
  REQUIRE(client);
  CHECK(client->version() == "TLSv1.3");
  CHECK(client->alpn().empty());
  const Bytes message{1, 2, 3};
  REQUIRE(client->send(message, soon()));
  CHECK(client->receive(soon()) == message);
}

TEST_CASE("a TLS client offers versions and protocols as it is told", "[net][c75]") {
  const TlsEcho server;
  TlsConnectionOptions options;
  options.max_version = TlsVersion::v1_2;
  options.alpn = {"stun.turn"};
  auto client = TlsConnection::connect(Transport::tls, server.address(), options, soon());
  REQUIRE(client);
  CHECK(client->version() == "TLSv1.2");
  CHECK(client->alpn() == "stun.turn");
}

TEST_CASE("a TLS client begins where an earlier one ended", "[net]") {
  const TlsEcho server;
  TlsConnectionOptions options;
  {
    auto first = TlsConnection::connect(Transport::tls, server.address(), options, soon());
    REQUIRE(first);
    CHECK_FALSE(first->is_resumed());
    CHECK_FALSE(first->certificate_is_in_force());  // the tests' certificates are of June 2026
    REQUIRE(first->send(Bytes{1}, soon()));
    REQUIRE(first->receive(soon()));
    options.resume = first->resumption();
  }
  const auto second = TlsConnection::connect(Transport::tls, server.address(), options, soon());
  REQUIRE(second);
  CHECK(second->is_resumed());
}

TEST_CASE("a refused handshake is told from a refused connection", "[net]") {
  const TlsEcho server;
  TlsConnectionOptions old;
  old.min_version = TlsVersion::v1_0;
  old.max_version = TlsVersion::v1_1;
  const auto too_old = TlsConnection::connect(Transport::tls, server.address(), old, soon());
  REQUIRE_FALSE(too_old);
  CHECK(too_old.error().kind == TlsConnectError::Kind::handshake);

  TlsConnectionOptions strict;
  strict.verify = true;
  strict.server_name = "turn.example.com";  // right, but nobody vouches for it
  const auto unknown = TlsConnection::connect(Transport::tls, server.address(), strict, soon());
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().kind == TlsConnectError::Kind::handshake);
  CHECK(unknown.error().text.starts_with("certificate: "));

  const auto nobody = TlsConnection::connect(Transport::tls, endpoint("127.0.0.1:1"), {}, soon());
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().kind == TlsConnectError::Kind::network);
}

TEST_CASE("a TLS client notices its deadline, and that the server is gone", "[net]") {
  auto server = std::make_unique<TlsEcho>();
  auto client = TlsConnection::connect(Transport::tls, server->address(), {}, soon());
  REQUIRE(client);
  CHECK(client->receive(read_clock().instant).error() == TlsStop::deadline);
  server.reset();
  CHECK(client->receive(soon()).error() == TlsStop::closed);
}

TEST_CASE("nothing speaks DTLS on a closed port", "[net]") {
  const auto nobody = TlsConnection::connect(Transport::dtls, endpoint("127.0.0.1:1"), {}, soon());
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().kind == TlsConnectError::Kind::network);
}

}  // namespace turnpike::net
