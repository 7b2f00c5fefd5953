#include "net/tls.h"

#include <sys/stat.h>
#include <unistd.h>

#include "catch.h"
#include "net/certificates.h"
#include "net/tls_test_client.h"

namespace turnpike::net {
namespace {

using Status = TlsSession::Status;

const std::shared_ptr<const TlsContext>& rsa_context() {
  static const auto context = load_context(KeyKind::rsa_2048);
  return context;
}

ClientOptions only(int version) {
  ClientOptions options;
  options.version_min = options.version_max = version;
  return options;
}

bool contains(const std::string& text, std::string_view piece) {
  return text.find(piece) != std::string::npos;
}

/// A record with a ClientHello of TLS 1.2 or older, which need not be one that OpenSSL would send.
struct RawHello {
  int version = TLS1_2_VERSION;
  unsigned cipher = 0xc02f;  // ECDHE-RSA-AES128-GCM-SHA256
  std::uint8_t compression = 0;
  std::string server_name{};  ///< empty: no such extension

  [[nodiscard]] Bytes bytes() const {
    const auto high = [](std::size_t value) { return static_cast<std::uint8_t>(value >> 8); };
    const auto low = [](std::size_t value) { return static_cast<std::uint8_t>(value); };
    const auto word = [&](Bytes& to, std::size_t value) {
      to.insert(to.end(), {high(value), low(value)});
    };
    Bytes extensions{0, 10, 0, 4, 0, 2, 0, 23};                      // supported_groups: P-256
    extensions.insert(extensions.end(), {0, 13, 0, 4, 0, 2, 4, 1});  // rsa_pkcs1_sha256
    if (!server_name.empty()) {
      word(extensions, 0);
      word(extensions, server_name.size() + 5);
      word(extensions, server_name.size() + 3);
      extensions.push_back(0);  // host_name
      word(extensions, server_name.size());
      extensions.insert(extensions.end(), server_name.begin(), server_name.end());
    }
    Bytes body;
    word(body, static_cast<std::size_t>(version));
    body.insert(body.end(), 32, 0x42);  // random
    body.push_back(0);                  // no session
    word(body, 2);
    word(body, cipher);
    body.insert(body.end(), {1, compression});
    word(body, extensions.size());
    body.insert(body.end(), extensions.begin(), extensions.end());

    Bytes record{22, 3, 1};
    word(record, body.size() + 4);
    record.insert(record.end(), {1, 0});
    word(record, body.size());
    record.insert(record.end(), body.begin(), body.end());
    return record;
  }
};

/// How many records `wire` is, by their headers.
std::size_t records_in(ByteView wire) {
  std::size_t records = 0;
  while (!wire.empty()) {
    REQUIRE(wire.size() >= 5);
    wire = wire.subspan(std::size_t{5} + load_be16(wire.subspan(3)));
    ++records;
  }
  return records;
}

}  // namespace

// --- Handshake and data --------------------------------------------------------------------------

TEST_CASE("a TLS session shakes hands and carries bytes both ways in pieces of any size", "[net]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const auto kind = GENERATE(KeyKind::rsa_2048, KeyKind::p256);
  const auto piece = GENERATE(std::size_t{1}, 2, 7, 100'000);
  CAPTURE(version, static_cast<int>(kind), piece);
  TlsPair pair{load_context(kind), only(version)};
  pair.piece = piece;
  CHECK_FALSE(pair.server.is_established());
  pair.connect();
  CHECK(SSL_version(pair.client.ssl()) == version);
  CHECK(pair.server.alpn().empty());

  const std::string request(40'000, 'q');
  const std::string response(50'000, 'r');
  pair.client.send("a");
  pair.client.send(request);
  pair.exchange();
  CHECK(pair.received == "a" + request);

  pair.server_sends("b");
  pair.server_sends(response);
  pair.to_client();
  CHECK(pair.client.received == "b" + response);
  CHECK(pair.status == Status::open);
}

TEST_CASE("data that comes in one piece with the end of the handshake is not lost", "[net]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  ClientOptions options = only(version);
  TlsPair pair{rsa_context(), options};
  pair.client.work();
  pair.to_server(pair.client.take_output());
  pair.to_client();
  if (version == TLS1_2_VERSION) {  // the client may send once it has the server's Finished
    pair.exchange();
  }
  pair.client.send("early bird");
  pair.to_server(pair.client.take_output());
  CHECK(pair.server.is_established());
  CHECK(pair.received == "early bird");
}

TEST_CASE("plaintext is sent in as few records as possible", "[net]") {
  TlsPair pair{rsa_context()};
  pair.connect();
  const std::size_t before = pair.wire.size();
  pair.server_sends("");
  CHECK(pair.wire.size() == before);
  pair.server_sends(std::string(16'384, 'x'));
  CHECK(records_in(pair.wire) == 1);
  pair.server_sends(std::string(16'385, 'x'));
  CHECK(records_in(pair.wire) == 3);
}

TEST_CASE("output is appended to what the buffers hold", "[net]") {
  TlsPair pair{rsa_context()};
  pair.connect();
  pair.client.send("two");
  Bytes plaintext{'o', 'n', 'e'};
  CHECK(pair.server.receive(pair.client.take_output(), plaintext, pair.wire) == Status::open);
  CHECK(text_of(plaintext) == "onetwo");
  pair.wire = {'x'};
  pair.server_sends("y");
  CHECK(pair.wire.front() == 'x');
}

TEST_CASE("a session that is moved goes on", "[net]") {
  TlsPair pair{rsa_context()};
  pair.client.work();
  pair.to_server(pair.client.take_output());
  TlsSession moved{std::move(pair.server)};
  pair.server = std::move(moved);
  pair.to_client();
  pair.connect();
  pair.client.send("still here");
  pair.exchange();
  CHECK(pair.received == "still here");
}

TEST_CASE("sessions survive errors that others left in OpenSSL's queue", "[net]") {
  TlsPair pair{rsa_context()};
  pair.connect();
  pair.client.send("x");
  const Bytes sent = pair.client.take_output();
  ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH);
  Bytes plaintext;
  CHECK(pair.server.receive(sent, plaintext, pair.wire) == Status::open);
  CHECK(text_of(plaintext) == "x");
  CHECK(ERR_peek_error() == 0);
}

// --- Settings ------------------------------------------------------------------------------------

TEST_CASE("TLS 1.1 and older are refused with an alert", "[net][L01]") {
  const int version = GENERATE(TLS1_VERSION, TLS1_1_VERSION);
  ClientOptions options = only(version);
  options.ciphers = "ALL:@SECLEVEL=0";
  TlsPair pair{rsa_context(), options};
  pair.exchange();
  CHECK(pair.status == Status::failed);
  CHECK_FALSE(pair.server.is_established());
  CHECK(pair.client.alert == SSL_AD_PROTOCOL_VERSION);
}

TEST_CASE("TLS 1.2 takes ciphers with forward secrecy and authentication only", "[net][L01]") {
  const auto [cipher, taken] = GENERATE(table<const char*, bool>({
      {"ECDHE-RSA-AES128-GCM-SHA256", true},  // RFC 8489 §6.2.3
      {"ECDHE-RSA-AES256-GCM-SHA384", true},
      {"ECDHE-RSA-CHACHA20-POLY1305", true},
      {"AES128-GCM-SHA256", false},  // static RSA
      {"AES256-SHA", false},
      {"DHE-RSA-AES128-GCM-SHA256", false},
      {"ECDHE-RSA-AES128-SHA256", false},  // CBC
      {"ECDHE-RSA-NULL-SHA", false},
      {"AECDH-AES128-SHA", false},  // anonymous
      {"PSK-AES128-GCM-SHA256", false},
  }));
  CAPTURE(cipher);
  ClientOptions options = only(TLS1_2_VERSION);
  options.ciphers = std::string{cipher} + ":@SECLEVEL=0";
  TlsPair pair{rsa_context(), options};
  pair.exchange();
  CHECK(pair.server.is_established() == taken);
  CHECK(pair.status == (taken ? Status::open : Status::failed));
  if (taken) CHECK(std::string{SSL_get_cipher_name(pair.client.ssl())} == cipher);
}

TEST_CASE("what no library speaks any more is refused with an alert", "[net][L01][L02]") {
  const auto [name, hello, alert] = GENERATE(table<std::string, RawHello, int>({
      {"SSL 3.0", {.version = SSL3_VERSION}, -1},
      {"RC4", {.cipher = 0x0005}, SSL_AD_HANDSHAKE_FAILURE},
      {"3DES", {.cipher = 0x000a}, SSL_AD_HANDSHAKE_FAILURE},
      {"3DES with ECDHE", {.cipher = 0xc012}, SSL_AD_HANDSHAKE_FAILURE},
      {"nothing but NULL", {.cipher = 0x0002}, SSL_AD_HANDSHAKE_FAILURE},
      {"anonymous", {.cipher = 0x0034}, SSL_AD_HANDSHAKE_FAILURE},
      {"export", {.cipher = 0x0003}, SSL_AD_HANDSHAKE_FAILURE},
      {"compression and nothing else", {.compression = 1}, -1},
  }));
  CAPTURE(name);
  TlsPair pair{rsa_context()};
  pair.to_server(hello.bytes());
  CHECK(pair.status == Status::failed);
  CHECK_FALSE(pair.server.is_established());
  constexpr std::size_t alert_bytes = 7;
  constexpr std::uint8_t alert_record = 21;
  REQUIRE(pair.wire.size() == alert_bytes);
  CHECK(pair.wire[0] == alert_record);
  if (alert >= 0) CHECK(pair.wire[6] == alert);
}

TEST_CASE("the same ClientHello with what libraries do speak is answered", "[net]") {
  TlsPair pair{rsa_context()};
  pair.to_server(RawHello{.server_name = "turn.example.com"}.bytes());
  CHECK(pair.status == Status::open);
  constexpr std::uint8_t handshake_record = 22;
  REQUIRE_FALSE(pair.wire.empty());
  CHECK(pair.wire[0] == handshake_record);
}

TEST_CASE("compression that a client offers is not taken", "[net][L02]") {
  ClientOptions options = only(TLS1_2_VERSION);
  TlsPair pair{rsa_context(), options};
  SSL_clear_options(pair.client.ssl(), SSL_OP_NO_COMPRESSION);
  pair.connect();
  CHECK(SSL_get_current_compression(pair.client.ssl()) == nullptr);
}

TEST_CASE("the server's order of ciphers decides", "[net]") {
  ClientOptions options = only(TLS1_2_VERSION);
  options.ciphers = "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256";
  TlsPair pair{rsa_context(), options};
  pair.connect();
  CHECK(std::string{SSL_get_cipher_name(pair.client.ssl())} == "ECDHE-RSA-AES128-GCM-SHA256");
}

TEST_CASE("expensive groups are refused", "[net]") {
  const std::string group = GENERATE("P-521", "ffdhe8192", "X448");
  ClientOptions options = only(TLS1_3_VERSION);
  options.groups = group;
  TlsPair pair{rsa_context(), options};
  pair.exchange();
  CHECK(pair.status == Status::failed);
}

TEST_CASE("ALPN picks TURN, NAT discovery or HTTP in this order, or refuses (RFC 7443)",
          "[net][L06]") {
  const auto [offer, chosen] = GENERATE(table<std::string, std::string>({
      {"\x09stun.turn", "stun.turn"},
      {"\x12stun.nat-discovery", "stun.nat-discovery"},
      {"\x08http/1.1", "http/1.1"},
      {"\x02h2\x08http/1.1", "http/1.1"},
      {"\x08http/1.1\x12stun.nat-discovery\x09stun.turn", "stun.turn"},
      {"\x08http/1.1\x12stun.nat-discovery", "stun.nat-discovery"},
      {"", ""},
      {"\x02h2", "refused"},
      {"\x09stun.turm", "refused"},
      {"\x08stun.tur\x06webrtc", "refused"},
  }));
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  CAPTURE(offer, version);
  ClientOptions options = only(version);
  options.alpn = offer;
  TlsPair pair{rsa_context(), options};
  pair.exchange();
  if (chosen == "refused") {
    CHECK(pair.status == Status::failed);
    CHECK(pair.client.alert == SSL_AD_NO_APPLICATION_PROTOCOL);
    CHECK(pair.server.alpn().empty());
    return;
  }
  CHECK(pair.server.is_established());
  CHECK(pair.server.alpn() == chosen);
  Bytes wire;
  pair.server.close(wire);
  CHECK(pair.server.alpn() == chosen);
}

TEST_CASE("whatever name a client asks for, the certificate is the configured one", "[net][L06]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const auto shown_to = [version](const char* name) {
    TlsPair pair{rsa_context(), only(version)};
    if (name != nullptr) {  // as SSL_set_tlsext_host_name() does, with a cast of the old style
      REQUIRE(SSL_ctrl(pair.client.ssl(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                       const_cast<char*>(name)) == 1);
    }
    pair.connect();
    const std::unique_ptr<X509, FreeWith<X509_free>> certificate{
        SSL_get1_peer_certificate(pair.client.ssl())};
    const std::unique_ptr<BIO, FreeWith<BIO_free_all>> der{BIO_new(BIO_s_mem())};
    REQUIRE(i2d_X509_bio(der.get(), certificate.get()) == 1);
    Bytes bytes(BIO_ctrl_pending(der.get()));
    BIO_read(der.get(), bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  };
  const Bytes usual = shown_to("turn.example.com");
  const std::string longest(255, 'a');
  for (const char* const name : {"other.example", "localhost", "192.0.2.1", "*", longest.c_str()}) {
    CAPTURE(name);
    CHECK(shown_to(name) == usual);
  }
  CHECK(shown_to(nullptr) == usual);
}

TEST_CASE("a server name that is none ends the handshake", "[net][L06]") {
  TlsPair pair{rsa_context()};
  pair.to_server(RawHello{.server_name = std::string("a\0b", 3)}.bytes());
  CHECK(pair.status == Status::failed);
  CHECK_FALSE(pair.server.is_established());
}

TEST_CASE("a second handshake resumes the first, without early data", "[net][L02][L07]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  CAPTURE(version);
  TlsPair first{rsa_context(), only(version)};
  first.connect();
  CHECK(SSL_session_reused(first.client.ssl()) == 0);
  const std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>> session{
      SSL_get1_session(first.client.ssl())};
  CHECK(SSL_SESSION_has_ticket(session.get()) == 1);
  CHECK(SSL_SESSION_get_max_early_data(session.get()) == 0);

  ClientOptions options = only(version);
  options.session = session.get();
  options.alpn = "\x09stun.turn";
  SECTION("on the same context") {
    TlsPair second{rsa_context(), options};
    second.connect();
    CHECK(SSL_session_reused(second.client.ssl()) == 1);
    CHECK(second.server.alpn() == "stun.turn");
    second.client.send("again");
    second.exchange();
    CHECK(second.received == "again");
  }
  SECTION("not with another certificate") {
    TlsPair second{load_context(KeyKind::p256), options};
    second.connect();
    CHECK(SSL_session_reused(second.client.ssl()) == 0);
  }
}

TEST_CASE("early data that a client sends all the same is not taken", "[net][L02]") {
  TlsPair first{rsa_context(), only(TLS1_3_VERSION)};
  first.connect();
  const std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>> session{
      SSL_get1_session(first.client.ssl())};
  REQUIRE(SSL_SESSION_set_max_early_data(session.get(), 1000) == 1);  // as if it had been told so

  ClientOptions options = only(TLS1_3_VERSION);
  options.session = session.get();
  TlsPair pair{rsa_context(), options};
  std::size_t written = 0;
  REQUIRE(SSL_write_early_data(pair.client.ssl(), "early", 5, &written) == 1);
  pair.exchange();
  CHECK(pair.received.empty());
  CHECK(SSL_get_early_data_status(pair.client.ssl()) != SSL_EARLY_DATA_ACCEPTED);
}

TEST_CASE("renegotiation is refused and harms nothing", "[net][L02]") {
  TlsPair pair{rsa_context(), only(TLS1_2_VERSION)};
  pair.connect();
  REQUIRE(SSL_renegotiate(pair.client.ssl()) == 1);
  SSL_do_handshake(pair.client.ssl());
  pair.to_server(pair.client.take_output());
  pair.to_client();
  CHECK(pair.client.alert == SSL_AD_NO_RENEGOTIATION);
  CHECK(pair.status == Status::open);
}

// --- The end -------------------------------------------------------------------------------------

TEST_CASE("close_notify of the client is answered and closes", "[net]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  TlsPair pair{rsa_context(), only(version)};
  pair.connect();
  pair.client.send("last words");
  SSL_shutdown(pair.client.ssl());
  pair.to_server(pair.client.take_output());
  CHECK(pair.received == "last words");
  CHECK(pair.status == Status::closed);
  CHECK(pair.server.is_established());
  pair.to_client();
  CHECK(pair.client.alert == SSL_AD_CLOSE_NOTIFY);

  Bytes plaintext;
  Bytes wire;
  CHECK(pair.server.receive(bytes_of("more"), plaintext, wire) == Status::closed);
  CHECK(pair.server.send(bytes_of("more"), wire) == Status::closed);
  pair.server.close(wire);
  CHECK(wire.empty());
}

TEST_CASE("closing sends close_notify once the handshake is done", "[net]") {
  TlsPair pair{rsa_context()};
  SECTION("before") {
    pair.server.close(pair.wire);
    CHECK(pair.wire.empty());
  }
  SECTION("after") {
    pair.connect();
    pair.server_sends("goodbye");
    pair.server.close(pair.wire);
    pair.to_client();
    CHECK(pair.client.received == "goodbye");
    CHECK(pair.client.alert == SSL_AD_CLOSE_NOTIFY);
  }
  Bytes plaintext;
  CHECK(pair.server.receive(bytes_of("x"), plaintext, pair.wire) == Status::closed);
}

TEST_CASE("what is no TLS fails without an answer", "[net]") {
  const std::string_view garbage = GENERATE("GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                                            "SSH-2.0-OpenSSH_9.2\r\n", "\xff\xff\xff\xff\xff");
  TlsSession session{rsa_context()};
  Bytes plaintext;
  Bytes wire;
  CHECK(session.receive(bytes_of(garbage), plaintext, wire) == Status::failed);
  CHECK(plaintext.empty());
  CHECK(wire.empty());
}

TEST_CASE("broken TLS fails with an alert", "[net][L07]") {
  // A handshake record with a Finished instead of a ClientHello; one longer than records may be.
  using namespace std::string_view_literals;
  const auto garbage = GENERATE("\x16\x03\x01\x00\x04\x14\x00\x00\x00"sv,
                                "\x16\x03\x01\xff\xff\x01"sv, "\x17\x03\x03\x00\x01x"sv);
  TlsSession session{rsa_context()};
  Bytes plaintext;
  Bytes wire;
  CHECK(session.receive(bytes_of(garbage), plaintext, wire) == Status::failed);
  REQUIRE(wire.size() == 7);
  CHECK(wire[0] == SSL3_RT_ALERT);
  CHECK(wire[5] == SSL3_AL_FATAL);
  wire.clear();
  CHECK(session.receive(bytes_of(garbage), plaintext, wire) == Status::failed);
  CHECK(wire.empty());
}

TEST_CASE("a record that was changed on the way fails with an alert", "[net][L07]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  TlsPair pair{rsa_context(), only(version)};
  pair.connect();
  pair.client.send("good");
  pair.client.send("evil");
  Bytes bytes = pair.client.take_output();
  bytes.back() ^= 1;
  pair.to_server(bytes);
  CHECK(pair.status == Status::failed);
  CHECK(pair.received == "good");
  pair.to_client();
  CHECK(pair.client.alert == SSL_AD_BAD_RECORD_MAC);
  Bytes wire;
  CHECK(pair.server.send(bytes_of("x"), wire) == Status::failed);
  CHECK(wire.empty());
}

TEST_CASE("a ClientHello cut at any length waits for the rest", "[net]") {
  TlsTestClient client;
  client.work();
  const Bytes hello = client.take_output();
  for (std::size_t size = 0; size < hello.size(); ++size) {
    TlsSession session{rsa_context()};
    Bytes plaintext;
    Bytes wire;
    REQUIRE(session.receive(ByteView{hello}.first(size), plaintext, wire) == Status::open);
    REQUIRE(wire.empty());
    REQUIRE(session.receive(ByteView{hello}.subspan(size), plaintext, wire) == Status::open);
    REQUIRE_FALSE(wire.empty());
  }
}

TEST_CASE("a ClientHello with a changed byte never breaks the server", "[net][L07]") {
  TlsTestClient client;
  client.work();
  const Bytes hello = client.take_output();
  for (std::size_t at = 0; at < hello.size(); ++at) {
    Bytes changed = hello;
    changed[at] ^= 0x55;
    TlsSession session{rsa_context()};
    Bytes plaintext;
    Bytes wire;
    const Status status = session.receive(changed, plaintext, wire);
    REQUIRE_FALSE(session.is_established());
    REQUIRE(status != Status::closed);
    REQUIRE(ERR_peek_error() == 0);
  }
}

// --- Floods --------------------------------------------------------------------------------------

TEST_CASE("a client may update its keys 32 times, not more", "[net][L05]") {
  TlsPair pair{rsa_context(), only(TLS1_3_VERSION)};
  pair.connect();
  const int kind = GENERATE(SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED);
  for (int i = 0; i < 32; ++i) {
    REQUIRE(SSL_key_update(pair.client.ssl(), kind) == 1);
    pair.client.send("x");
    pair.exchange();
  }
  CHECK(pair.status == Status::open);
  pair.server_sends("y");
  pair.to_client();
  CHECK(pair.client.received == "y");

  // The rest of the flood in one piece, of which only the first is looked at.
  for (int i = 0; i < 1000; ++i) {
    SSL_key_update(pair.client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    pair.client.send("z");
  }
  pair.to_server(pair.client.take_output());
  CHECK(pair.status == Status::failed);
  CHECK(pair.received == std::string(32, 'x'));
  pair.to_client();
  CHECK(pair.client.alert == SSL_AD_DECODE_ERROR);
}

TEST_CASE("a TLS session counts records that hold less than a message", "[net][L05]") {
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  const auto piece = GENERATE(std::size_t{1}, 7, 100'000);
  CAPTURE(version, piece);
  TlsPair pair{rsa_context(), only(version)};
  pair.piece = piece;
  pair.connect();
  CHECK(pair.server.take_tiny_records() == 0);
  for (const std::size_t size : std::initializer_list<std::size_t>{1, 2, 3, 4, 5, 16'384})
    pair.client.send(std::string(size, 'x'));
  pair.exchange();
  CHECK(pair.received.size() == 16'399);
  CHECK(pair.server.take_tiny_records() == 3);
  CHECK(pair.server.take_tiny_records() == 0);
}

TEST_CASE("the end of a record that comes late is no tiny record", "[net]") {
  TlsPair pair{rsa_context()};
  pair.connect();
  pair.client.send(std::string(100, 'x'));
  const Bytes record = pair.client.take_output();
  const std::size_t late = GENERATE(std::size_t{1}, 3, 97, 98, 99);
  pair.to_server(ByteView{record}.first(record.size() - late));
  pair.to_server(ByteView{record}.last(late));
  CHECK(pair.received.size() == 100);
  CHECK(pair.server.take_tiny_records() == 0);
}

TEST_CASE("a handshake that sends without end fails", "[net][L07]") {
  // A ClientHello of 120,000 bytes, which OpenSSL alone would collect to the end.
  Bytes record{0x16, 3, 1, 0x40, 0, 1, 0x01, 0xd4, 0xc0};
  record.resize(5 + 0x4000);
  TlsSession session{rsa_context()};
  Bytes plaintext;
  Bytes wire;
  CHECK(session.receive(record, plaintext, wire) == Status::open);
  std::fill(record.begin() + 5, record.end(), 0);
  CHECK(session.receive(record, plaintext, wire) == Status::failed);
  CHECK_FALSE(wire.empty());
}

// --- Files ---------------------------------------------------------------------------------------

TEST_CASE("a certificate says how long it is valid", "[net]") {
  CHECK(rsa_context()->not_after() == valid_until);
}

TEST_CASE("the chain is sent, the server's certificate first", "[net]") {
  CertificateFiles files{KeyKind::p256};
  files.write_certificate(make_certificate(shared_key(KeyKind::p256)) +
                          make_certificate(shared_key(KeyKind::rsa_2048), "An Issuer"));
  TlsPair pair{files.load().value()};
  pair.connect();
  CHECK(sk_X509_num(SSL_get_peer_cert_chain(pair.client.ssl())) == 2);
}

TEST_CASE("certificate and key may be in one file, and keys in older formats", "[net]") {
  CertificateFiles files;
  EVP_PKEY* const key = shared_key(KeyKind::p256);
  SECTION("one file") {
    files.write_certificate(pem_of(key) + make_certificate(key));
    files.write_key(make_certificate(key) + pem_of(key));
  }
  SECTION("as \"openssl ecparam -genkey\" writes it") {
    const BioPtr bio{BIO_new(BIO_s_mem())};
    REQUIRE(PEM_write_bio_PrivateKey_traditional(bio.get(), key, nullptr, nullptr, 0, nullptr,
                                                 nullptr) == 1);
    files.write_certificate(make_certificate(key));
    files.write_key(
        "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n" +
        text_of_bio(bio.get()));
  }
  const auto loaded = files.load();
  if (!loaded) FAIL(loaded.error());
}

TEST_CASE("files that cannot be used are refused in one sentence that names the file", "[net]") {
  CertificateFiles files{KeyKind::rsa_2048};
  const std::string certificate = make_certificate(shared_key(KeyKind::rsa_2048));
  const std::string key = pem_of(shared_key(KeyKind::rsa_2048));
  std::string named = files.certificate();
  std::string says;
  SECTION("no certificate file") {
    unlink(files.certificate().c_str());
    says = "No such file";
  }
  SECTION("no key file") {
    unlink(files.key().c_str());
    named = files.key();
    says = "No such file";
  }
  SECTION("a directory") {
    unlink(files.certificate().c_str());
    mkdir(files.certificate().c_str(), 0700);
    says = "Is a directory";
  }
  SECTION("a key that we may not read") {
    if (geteuid() == 0) return;  // root reads everything
    chmod(files.key().c_str(), 0);
    named = files.key();
    says = "Permission denied; let the user";
  }
  SECTION("an empty certificate file") {
    files.write_certificate("");
    says = "no PEM certificate";
  }
  SECTION("a certificate that is not PEM") {
    files.write_certificate(std::string(3000, '\x30'));
    says = "no PEM certificate";
  }
  SECTION("the key in the certificate's place") {
    files.write_certificate(key);
    says = "no PEM certificate";
  }
  SECTION("a certificate cut off") {
    files.write_certificate(certificate.substr(0, certificate.size() / 2));
    says = "broken PEM block";
  }
  SECTION("a chain cut off") {
    files.write_certificate(certificate + certificate.substr(0, certificate.size() / 2));
    says = "broken PEM block";
  }
  SECTION("a file without end") {
    files.write_certificate(certificate + std::string(2'000'000, '\n'));
    says = "larger than 1 MiB";
  }
  SECTION("a chain without end") {
    std::string chain;
    for (int i = 0; i < 30; ++i) chain += certificate;
    files.write_certificate(chain);
    says = "more than 20";
  }
  SECTION("an empty key file") {
    files.write_key("");
    named = files.key();
    says = "no usable PEM key";
  }
  SECTION("a key cut off") {
    files.write_key(key.substr(0, key.size() / 2));
    named = files.key();
    says = "no usable PEM key";
  }
  SECTION("an encrypted key") {
    files.write_key(pem_of(shared_key(KeyKind::rsa_2048), "secret"));
    named = files.key();
    says = "is encrypted; remove the passphrase";
  }
  SECTION("a key of another kind") {
    files.write_key(pem_of(shared_key(KeyKind::p256)));
    named = files.key();
    says = "does not belong to";
  }
  SECTION("a key of another pair") {
    files.write_key(pem_of(make_key(KeyKind::rsa_2048).get()));
    named = files.key();
    says = "does not belong to";
  }
  SECTION("a weak key") {
    files.write_pair(KeyKind::rsa_1024);
    says = "RSA with 2048 bits or more";
  }
  const auto loaded = files.load();
  REQUIRE_FALSE(loaded.has_value());
  INFO(loaded.error());
  CHECK(contains(loaded.error(), "\"" + named + "\""));
  CHECK(contains(loaded.error(), says));
  CHECK(loaded.error().find('\n') == std::string::npos);
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("a certificate out of date is refused unless that is allowed", "[net][L11]") {
  const CertificateFiles files{KeyKind::p256};
  CHECK(files.load({valid_from, false}).has_value());
  CHECK(files.load({valid_until, false}).has_value());
  const auto expired = files.load({valid_until + seconds{1}, false});
  REQUIRE_FALSE(expired.has_value());
  CHECK(contains(expired.error(), "expired on 2026-07-01 00:00:00 UTC; renew it"));
  const auto early = files.load({valid_from - seconds{1}, false});
  REQUIRE_FALSE(early.has_value());
  CHECK(contains(early.error(), "not valid before 2026-06-01 00:00:00 UTC"));
  CHECK(files.load({valid_until + seconds{1}, true}).has_value());
  CHECK(files.load({valid_from - seconds{1}, true}).has_value());
}

}  // namespace turnpike::net
