#include "net/tls_client.h"

#include <optional>

#include "base/seeded_random.h"
#include "catch.h"
#include "net/certificates.h"
#include "net/dtls_endpoint.h"
#include "net/loopback.h"
#include "net/tls.h"

namespace turnpike::net {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::uint8_t>;
using Plaintext = TlsClientSession::Plaintext;

std::unique_ptr<TlsClientContext> context_for(Transport transport) {
  auto context = TlsClientContext::make(transport, "turn.example.com");
  REQUIRE(context);
  return std::move(*context);
}

/// A client and our server's side of TLS, wired together.
struct TlsEnds {
  std::unique_ptr<TlsClientContext> context = context_for(Transport::tls);
  Bytes to_server;
  Bytes to_client;
  TlsClientSession client{*context, to_server};
  TlsSession server{load_context(KeyKind::p256)};
  Plaintext at_client;
  Bytes at_server;
  bool is_open = true;

  /// Until both are silent.
  void exchange() {
    while (!to_server.empty() || !to_client.empty()) {
      const Bytes up = std::exchange(to_server, {});
      if (!up.empty()) static_cast<void>(server.receive(up, at_server, to_client));
      const Bytes down = std::exchange(to_client, {});
      if (!down.empty()) is_open = client.receive(down, at_client, to_server);
    }
  }
};

/// The same over DTLS, whose datagrams stay apart.
struct DtlsEnds {
  std::unique_ptr<TlsClientContext> context = context_for(Transport::dtls);
  std::shared_ptr<const TlsContext> server_context = load_context(KeyKind::p256);
  Bytes to_server;
  DatagramList to_client;
  TlsClientSession client{*context, to_server};
  test::SeededRandom random{1};
  DtlsListener listener{random};
  std::optional<DtlsSession> server;
  Plaintext at_client;
  DatagramList at_server;
  bool is_open = true;

  void take_at_server(ByteView datagram) {
    const FiveTuple tuple{endpoint("192.0.2.9:4000"), endpoint("192.0.2.1:5349"), Transport::dtls};
    constexpr Instant now{1h};
    if (server) {
      static_cast<void>(server->receive(datagram, now, at_server, to_client));
    } else if (listener.receive(server_context, tuple, datagram, now, to_client) ==
               DtlsListener::Hello::verified) {
      server.emplace(listener.accept(to_client));
    }
  }
  void exchange() {
    while (!to_server.empty() || to_client.size() > 0) {
      const Bytes up = std::exchange(to_server, {});
      if (!up.empty()) take_at_server(up);
      std::vector<Bytes> down;
      for (std::size_t i = 0; i < to_client.size(); ++i) {
        down.emplace_back(to_client[i].begin(), to_client[i].end());
      }
      to_client.clear();
      for (const Bytes& datagram : down) {
        is_open = is_open && client.receive(datagram, at_client, to_server);
      }
    }
  }
};

}  // namespace

TEST_CASE("a TLS client shakes hands with our server and exchanges bytes", "[net]") {
  TlsEnds ends;
  CHECK_FALSE(ends.client.is_established());
  ends.exchange();
  REQUIRE(ends.client.is_established());
  REQUIRE(ends.server.is_established());
  const std::string large(50'000, 'q');
  CHECK(ends.client.send(bytes_of(large), ends.to_server));
  ends.exchange();
  CHECK(text_of(ends.at_server) == large);
  REQUIRE(ends.server.send(bytes_of(large), ends.to_client) == TlsSession::Status::open);
  ends.exchange();
  CHECK(text_of(ends.at_client.bytes) == large);
  CHECK(ends.is_open);
}

TEST_CASE("a TLS client takes bytes in pieces of any size", "[net]") {
  TlsEnds ends;
  ends.exchange();
  REQUIRE(ends.server.send(bytes_of("hello"), ends.to_client) == TlsSession::Status::open);
  for (const std::uint8_t byte : std::exchange(ends.to_client, {})) {
    CHECK(ends.client.receive(ByteView{&byte, 1}, ends.at_client, ends.to_server));
  }
  CHECK(text_of(ends.at_client.bytes) == "hello");
}

TEST_CASE("a TLS client says when the connection is over, and why", "[net]") {
  TlsEnds ends;
  ends.exchange();
  ends.server.close(ends.to_client);
  ends.exchange();
  CHECK_FALSE(ends.is_open);
  CHECK(ends.client.problem() == "the connection was closed");

  TlsEnds other;
  CHECK_FALSE(other.client.receive(bytes_of("HTTP/1.1 400 Bad Request\r\n"), other.at_client,
                                   other.to_server));
  CHECK_FALSE(other.client.problem().empty());
}

TEST_CASE("a DTLS client shakes hands with our server; each message is one record", "[net]") {
  DtlsEnds ends;
  ends.exchange();
  REQUIRE(ends.client.is_established());
  REQUIRE(ends.server);
  CHECK(ends.client.send(bytes_of("one"), ends.to_server));
  ends.exchange();
  REQUIRE(ends.at_server.size() == 1);
  CHECK(text_of(ends.at_server[0]) == "one");
  REQUIRE(ends.server->send(bytes_of("first"), ends.to_client) == DtlsSession::Status::open);
  REQUIRE(ends.server->send(bytes_of("two"), ends.to_client) == DtlsSession::Status::open);
  ends.exchange();
  CHECK(ends.at_client.pieces == std::vector<std::size_t>{5, 3});
  CHECK(text_of(ends.at_client.bytes) == "firsttwo");
  CHECK(ends.is_open);
}

}  // namespace turnpike::net
