#include "net/dtls_endpoint.h"

#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <array>
#include <optional>

#include "base/seeded_random.h"
#include "catch.h"
#include "net/dtls_client.h"
#include "net/loopback.h"

namespace turnpike::net {
namespace {

using namespace std::chrono_literals;
using Packet = DtlsClient::Packet;
using Hello = DtlsListener::Hello;
using Status = DtlsSession::Status;

constexpr Instant start{1h};

FiveTuple tuple_of(const std::string& client) {
  return {endpoint(client), endpoint("192.0.2.1:5349"), Transport::dtls};
}

std::string text(ByteView bytes) { return std::string{text_of(bytes)}; }

/// A listener, the client, and the session once there is one.
struct Pair {
  explicit Pair(const DtlsClientOptions& options = {}) : client{options} {}

  /// Hands one datagram to whom it belongs.
  void to_server(ByteView datagram) {
    if (session) {
      status = session->receive(datagram, now, messages, wire);
    } else if (is_client_hello(datagram)) {
      hello = listener.receive(context, tuple, datagram, now, wire);
      if (hello == Hello::verified) session.emplace(listener.accept(wire));
    }
  }
  void to_client() {
    for (std::size_t i = 0; i < wire.size(); ++i) client.take(wire[i]);
    wire.clear();
    client.work();
  }
  /// Until both are silent.
  void exchange() {
    client.work();
    for (auto output = client.take_output(); !output.empty(); output = client.take_output()) {
      for (const Packet& datagram : output) to_server(datagram);
      to_client();
    }
  }
  Pair& connect() {
    exchange();
    REQUIRE(session);
    REQUIRE(session->is_established());
    REQUIRE(client.is_connected());
    REQUIRE(status == Status::open);
    return *this;
  }
  /// Until the client has sent its last flight, which is given back.
  std::vector<Packet> until_last_flight() {
    to_server(client.hello());
    to_client();
    for (const Packet& datagram : client.take_output()) to_server(datagram);
    REQUIRE(session);
    to_client();
    return client.take_output();
  }
  void check_alive() {
    messages.clear();
    client.send(bytes_of("still there?"));
    to_server(client.take_output_as_one());
    REQUIRE(status == Status::open);
    REQUIRE(messages.size() == 1);
    CHECK(text(messages[0]) == "still there?");
    client.received.clear();
    REQUIRE(session->send(bytes_of("yes"), wire) == Status::open);
    to_client();
    REQUIRE(client.received.size() == 1);
    CHECK(text(client.received[0]) == "yes");
  }

  std::shared_ptr<const TlsContext> context = load_context(KeyKind::p256);
  test::SeededRandom random{7};
  DtlsListener listener{random};
  FiveTuple tuple = tuple_of("198.51.100.7:4000");
  Instant now = start;
  DtlsClient client;
  std::optional<DtlsSession> session;
  Hello hello = Hello::dropped;
  Status status = Status::open;
  DatagramList messages;
  DatagramList wire;
};

/// Writes records that OpenSSL would not, with the keys of a connected client whose cipher is
/// AES-128-GCM with SHA-256 (RFC 5246 §6.3, RFC 5288 §3).
class Forger {
 public:
  explicit Forger(const SSL* client) {
    std::array<std::uint8_t, 48> secret{};
    SSL_SESSION_get_master_key(SSL_get_session(client), secret.data(), secret.size());
    std::string seed = "key expansion";
    std::array<std::uint8_t, 32> random{};
    SSL_get_server_random(client, random.data(), random.size());
    seed += text_of(random);
    SSL_get_client_random(client, random.data(), random.size());
    seed += text_of(random);

    const std::unique_ptr<EVP_KDF, FreeWith<EVP_KDF_free>> prf{
        EVP_KDF_fetch(nullptr, "TLS1-PRF", nullptr)};
    const std::unique_ptr<EVP_KDF_CTX, FreeWith<EVP_KDF_CTX_free>> context{
        EVP_KDF_CTX_new(prf.get())};
    std::string digest = "SHA256";
    const std::array parameters{
        OSSL_PARAM_construct_utf8_string("digest", digest.data(), 0),
        OSSL_PARAM_construct_octet_string("secret", secret.data(), secret.size()),
        OSSL_PARAM_construct_octet_string("seed", seed.data(), seed.size()),
        OSSL_PARAM_construct_end()};
    REQUIRE(EVP_KDF_derive(context.get(), keys_.data(), keys_.size(), parameters.data()) == 1);
  }

  Packet record(std::uint8_t type, ByteView plaintext) {
    const std::uint64_t epoch_and_number = std::uint64_t{1} << 48 | ++number_;
    std::array<std::uint8_t, 12> nonce{};
    copy_bytes(ByteView{keys_}.subspan(32, 4), nonce);
    store_be64(MutableByteView{nonce}.subspan(4), epoch_and_number);
    std::array<std::uint8_t, 13> covered{};
    store_be64(covered, epoch_and_number);
    covered[8] = type;
    covered[9] = 0xfe;
    covered[10] = 0xfd;
    store_be16(MutableByteView{covered}.subspan(11), static_cast<std::uint16_t>(plaintext.size()));

    Packet record(13 + 8 + plaintext.size() + 16);
    const MutableByteView out{record};
    out[0] = type;
    out[1] = 0xfe;
    out[2] = 0xfd;
    store_be64(out.subspan(3), epoch_and_number);
    store_be16(out.subspan(11), static_cast<std::uint16_t>(record.size() - 13));
    store_be64(out.subspan(13), epoch_and_number);
    const std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>> cipher{
        EVP_CIPHER_CTX_new()};
    int written = 0;
    EVP_EncryptInit_ex(cipher.get(), EVP_aes_128_gcm(), nullptr, keys_.data(), nonce.data());
    EVP_EncryptUpdate(cipher.get(), nullptr, &written, covered.data(), covered.size());
    if (!plaintext.empty()) {
      EVP_EncryptUpdate(cipher.get(), &out[21], &written, plaintext.data(),
                        static_cast<int>(plaintext.size()));
    }
    EVP_EncryptFinal_ex(cipher.get(), out.last(16).data(), &written);
    EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, 16, out.last(16).data());
    return record;
  }

 private:
  std::array<std::uint8_t, 40> keys_{};  // client's and server's key, client's and server's salt
  std::uint64_t number_ = 1000;          // beyond what the client itself has used
};

Packet cookie_hello(Pair& pair) {
  pair.to_server(pair.client.hello());
  REQUIRE(pair.hello == Hello::challenged);
  pair.to_client();
  std::vector<Packet> output = pair.client.take_output();
  REQUIRE(output.size() == 1);
  return output[0];
}

}  // namespace

// --- Handshakes ----------------------------------------------------------------------------------

TEST_CASE("a DTLS session shakes hands and carries messages both ways", "[net][c25][c76]") {
  Pair pair;
  pair.connect().check_alive();
  CHECK(SSL_version(pair.client.ssl()) == DTLS1_2_VERSION);
  CHECK(pair.session->alpn().empty());
}

TEST_CASE("DTLS agrees on a protocol as TLS does", "[net]") {
  Pair pair{{.alpn = "\x02h2\x09stun.turn"}};
  pair.connect();
  CHECK(pair.session->alpn() == "stun.turn");
}

TEST_CASE("DTLS 1.0 and weak ciphers are refused with an alert", "[net][c25][L01]") {
  const auto options = GENERATE(values<DtlsClientOptions>({
      {.version_min = DTLS1_VERSION, .version_max = DTLS1_VERSION},
      {.ciphers = "AES128-SHA"},
      {.ciphers = "ECDHE-ECDSA-AES128-SHA"},
      {.ciphers = "aNULL"},
  }));
  Pair pair{options};
  pair.exchange();
  CHECK_FALSE(pair.client.is_connected());
  CHECK(pair.client.alert >= 0);
}

TEST_CASE("flights of the handshake keep to a size that passes everywhere", "[net]") {
  Pair pair;
  pair.context = load_context(KeyKind::rsa_2048);
  const Packet hello = cookie_hello(pair);
  pair.to_server(hello);
  REQUIRE(pair.session);
  REQUIRE_FALSE(pair.wire.empty());
  for (std::size_t i = 0; i < pair.wire.size(); ++i) CHECK(pair.wire[i].size() <= 1200);
  pair.to_client();
  pair.exchange();
  CHECK(pair.client.is_connected());
}

TEST_CASE("a lost flight is sent again when its time has come", "[net]") {
  Pair pair;
  pair.to_server(cookie_hello(pair));
  REQUIRE(pair.session);
  const std::size_t datagrams = pair.wire.size();
  pair.wire.clear();  // lost
  const auto wait = pair.session->time_to_timer();
  REQUIRE(wait);
  CHECK(*wait <= 1s);
  CHECK(pair.session->on_timer(pair.wire) == Status::open);
  CHECK(pair.wire.empty());  // too early
  // OpenSSL's timers run on the system's clock, so this waits for the event itself.
  while (pair.wire.empty() && pair.session->on_timer(pair.wire) == Status::open) {
  }
  CHECK(pair.wire.size() >= datagrams);
  pair.to_client();
  pair.exchange();
  CHECK(pair.client.is_connected());
  CHECK_FALSE(pair.session->time_to_timer());
}

TEST_CASE("a last flight that was lost is sent again when the client asks", "[net]") {
  Pair pair;
  for (const Packet& datagram : pair.until_last_flight()) pair.to_server(datagram);
  REQUIRE(pair.session->is_established());
  REQUIRE_FALSE(pair.client.is_connected());
  pair.wire.clear();  // lost
  while (DTLSv1_handle_timeout(pair.client.ssl()) == 0) {
  }
  for (const Packet& again : pair.client.take_output()) pair.to_server(again);
  pair.to_client();
  CHECK(pair.client.is_connected());
  pair.check_alive();
}

// --- Cookies -------------------------------------------------------------------------------------

TEST_CASE("strangers get a smaller answer and leave nothing behind", "[net][c76][L08][M05]") {
  Pair pair;
  const Packet hello = pair.client.hello();
  const auto greet = [&](unsigned first, unsigned count) {
    for (unsigned i = first; i < first + count; ++i) {
      const FiveTuple tuple{{IpAddress::v4(0x0a000000 + i), static_cast<std::uint16_t>(1024 + i)},
                            endpoint("192.0.2.1:5349"),
                            Transport::dtls};
      REQUIRE(pair.listener.receive(pair.context, tuple, hello, pair.now, pair.wire) ==
              Hello::challenged);
      REQUIRE(pair.wire.size() == 1);
      REQUIRE(pair.wire[0].size() < hello.size());
      pair.wire.clear();
    }
  };
  greet(0, 100);  // the listening object and what libraries make once
  const auto before = mallinfo2().uordblks;
  greet(100, 10'000);
  CHECK(mallinfo2().uordblks <= before);
}

TEST_CASE("the smallest ClientHello there is is answered with less", "[net][M05]") {
  Pair pair;
  Packet hello(13 + 12 + 42);  // no session, no cookie, one cipher, no extensions
  hello[0] = 22;
  hello[1] = 0xfe;
  hello[2] = 0xfd;
  hello[12] = 54;
  hello[13] = 1;
  hello[16] = hello[24] = 42;
  hello[25] = 0xfe;
  hello[26] = 0xfd;
  hello[62] = 2;  // cipher suites
  hello[65] = 1;  // compression methods
  pair.to_server(hello);
  CHECK(pair.hello == Hello::challenged);
  REQUIRE(pair.wire.size() == 1);
  CHECK(pair.wire[0].size() <= hello.size());
}

TEST_CASE("a cookie serves the five-tuple it went to", "[net][L08]") {
  Pair pair;
  const Packet hello = cookie_hello(pair);
  SECTION("another port") { pair.tuple = tuple_of("198.51.100.7:4001"); }
  SECTION("another address") { pair.tuple = tuple_of("198.51.100.8:4000"); }
  SECTION("another family") { pair.tuple = tuple_of("[2001:db8::7]:4000"); }
  SECTION("another address of the server") { pair.tuple.server = endpoint("192.0.2.2:5349"); }
  pair.to_server(hello);
  CHECK(pair.hello == Hello::challenged);
  CHECK_FALSE(pair.session);
}

TEST_CASE("a cookie serves for a minute or two", "[net]") {
  Pair pair;
  const Packet hello = cookie_hello(pair);
  const auto [age, serves] = GENERATE(table<seconds, bool>(
      {{59s, true}, {60s, true}, {61s, true}, {119s, true}, {120s, false}, {24h, false}}));
  INFO(age.count());
  SECTION("seen at once") {
    pair.now += age;
    pair.to_server(hello);
    CHECK((pair.hello == Hello::verified) == serves);
  }
  SECTION("with others in between") {
    for (seconds i{0}; i < age && i < 200s; i += 20s) {
      pair.now = start + i;
      DtlsClient other;
      DatagramList ignored;
      CHECK(pair.listener.receive(pair.context, tuple_of("203.0.113.1:9"), other.hello(), pair.now,
                                  ignored) == Hello::challenged);
    }
    pair.now = start + age;
    pair.to_server(hello);
    CHECK((pair.hello == Hello::verified) == serves);
  }
}

TEST_CASE("a verified client that is not accepted is forgotten", "[net]") {
  Pair pair;
  const Packet hello = cookie_hello(pair);
  CHECK(pair.listener.receive(pair.context, pair.tuple, hello, pair.now, pair.wire) ==
        Hello::verified);
  CHECK(pair.wire.empty());
  CHECK(pair.listener.receive(pair.context, tuple_of("203.0.113.1:9"), hello, pair.now,
                              pair.wire) == Hello::challenged);
  pair.wire.clear();
  pair.to_server(hello);
  pair.to_client();
  pair.exchange();
  pair.check_alive();
}

TEST_CASE("a fragment of a ClientHello is dropped without a word", "[net][L09]") {
  Pair pair;
  Packet hello = pair.client.hello();
  SECTION("of a message of 650 kB") {
    hello.resize(35);
    hello[11] = 0;
    hello[12] = 22;
    hello[14] = 0x09;
    hello[22] = hello[23] = 0;
    hello[24] = 10;
  }
  SECTION("the first half") {
    const std::size_t body = (hello.size() - 25) / 2;
    hello.resize(25 + body);
    hello[11] = 0;
    hello[12] = static_cast<std::uint8_t>(12 + body);
    hello[22] = hello[23] = 0;
    hello[24] = static_cast<std::uint8_t>(body);
  }
  SECTION("that begins later") { hello[21] = 1; }
  REQUIRE(is_client_hello(hello));
  pair.to_server(hello);
  CHECK(pair.hello == Hello::dropped);
  CHECK(pair.wire.empty());
}

TEST_CASE("a ClientHello cut at any length or changed in any byte never breaks the listener",
          "[net][L07]") {
  Pair pair;
  const Packet hello = cookie_hello(pair);
  for (std::size_t size = 0; size < hello.size(); ++size) {
    const ByteView cut = ByteView{hello}.first(size);
    if (!is_client_hello(cut)) continue;
    CHECK(pair.listener.receive(pair.context, pair.tuple, cut, pair.now, pair.wire) ==
          Hello::dropped);
  }
  CHECK(pair.wire.empty());
  for (std::size_t i = 0; i < hello.size(); ++i) {
    Packet changed = hello;
    changed[i] ^= 0xff;
    if (!is_client_hello(changed)) continue;
    static_cast<void>(
        pair.listener.receive(pair.context, pair.tuple, changed, pair.now, pair.wire));
    pair.wire.clear();
  }
  pair.to_server(hello);
  CHECK(pair.hello == Hello::verified);
}

// --- Records -------------------------------------------------------------------------------------

TEST_CASE("each of several records in a datagram is a message", "[net][c76]") {
  Pair pair;
  pair.connect();
  for (const char* message : {"one", "two", "three"}) pair.client.send(bytes_of(message));
  pair.to_server(pair.client.take_output_as_one());
  REQUIRE(pair.messages.size() == 3);
  CHECK(text(pair.messages[0]) == "one");
  CHECK(text(pair.messages[1]) == "two");
  CHECK(text(pair.messages[2]) == "three");
}

TEST_CASE("a datagram full of large records loses none", "[net]") {
  Pair pair;
  pair.connect();
  const Packet large(16'000, 0x55);
  for (int i = 0; i < 4; ++i) pair.client.send(large);
  const Packet datagram = pair.client.take_output_as_one();
  REQUIRE(datagram.size() < 65'507);
  pair.to_server(datagram);
  REQUIRE(pair.messages.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(pair.messages[i].size() == large.size());
  CHECK(pair.messages.total_bytes() <= datagram.size());
}

TEST_CASE("a record takes up to 16 KiB, both ways", "[net]") {
  Pair pair;
  pair.connect();
  const Packet largest(DtlsSession::message_bytes_max, 0x55);
  pair.client.send(largest);
  pair.to_server(pair.client.take_output_as_one());
  REQUIRE(pair.messages.size() == 1);
  CHECK(pair.messages[0].size() == largest.size());
  REQUIRE(pair.session->send(largest, pair.wire) == Status::open);
  CHECK(pair.wire.size() == 1);
  pair.to_client();
  REQUIRE(pair.client.received.size() == 1);
  CHECK(pair.client.received[0] == largest);

  const Packet too_large(DtlsSession::message_bytes_max + 1);
  CHECK(pair.session->send(too_large, pair.wire) == Status::open);
  CHECK(pair.session->send({}, pair.wire) == Status::open);
  CHECK(pair.wire.empty());
}

TEST_CASE("records that are cut, forged, repeated or from another epoch are ignored",
          "[net][L10]") {
  Pair pair;
  pair.connect();
  pair.client.send(bytes_of("hello"));
  const Packet record = pair.client.take_output_as_one();
  for (std::size_t size = 0; size < record.size(); ++size) {
    pair.to_server(ByteView{record}.first(size));
  }
  for (std::size_t i = 0; i < record.size(); ++i) {
    Packet changed = record;
    changed[i] ^= 0x01;
    pair.to_server(changed);
    REQUIRE(pair.status == Status::open);
  }
  CHECK(pair.messages.empty());
  CHECK(pair.wire.empty());
  pair.to_server(record);
  CHECK(pair.messages.size() == 1);
  pair.to_server(record);  // replayed
  CHECK(pair.messages.size() == 1);
  pair.check_alive();
}

TEST_CASE("an alert that nobody signed ends nothing", "[net][L10]") {
  Pair pair;
  pair.connect();
  for (const std::uint8_t epoch : std::array<std::uint8_t, 3>{0, 1, 2}) {
    for (const std::uint8_t description : std::array<std::uint8_t, 4>{0, 10, 40, 90}) {
      Packet alert{21, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 99, 0, 2, 2, description};
      pair.to_server(alert);
      REQUIRE(pair.status == Status::open);
    }
  }
  CHECK(pair.wire.empty());
  pair.check_alive();
}

/// A record of `epoch` with a content of `bytes` zeros, late enough in the sequence to be new.
Packet unsigned_record(std::uint8_t type, std::uint8_t epoch, std::uint8_t bytes) {
  Packet record{type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 99, 0, bytes};
  record.resize(record.size() + bytes);
  return record;
}

constexpr std::array<std::uint8_t, 6> content_types{20, 21, 22, 23, 24, 0};

std::string any_cipher() {
  return GENERATE(as<std::string>{}, "ECDHE-ECDSA-AES128-GCM-SHA256",
                  "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305");
}

TEST_CASE("a record too short for its cipher does not end a live session", "[net][L10]") {
  const std::string cipher = any_cipher();
  CAPTURE(cipher);
  Pair pair{{.ciphers = cipher}};
  pair.connect();
  for (const std::uint8_t type : content_types) {
    for (std::uint8_t bytes = 0; bytes < 64; ++bytes) {
      CAPTURE(int{type}, int{bytes});
      pair.to_server(unsigned_record(type, 1, bytes));
      REQUIRE(pair.status == Status::open);
    }
  }
  CHECK(pair.wire.empty());
  pair.check_alive();
}

TEST_CASE("a record too short for its cipher does not end a handshake", "[net][L10]") {
  const std::string cipher = any_cipher();
  const std::uint8_t type = GENERATE(from_range(content_types));
  const int bytes = GENERATE(0, 1, 2, 7, 8, 15, 16, 23, 24, 25);
  CAPTURE(cipher, int{type}, bytes);
  Pair pair{{.ciphers = cipher}};
  const std::vector<Packet> flight = pair.until_last_flight();
  pair.to_server(unsigned_record(type, 1, static_cast<std::uint8_t>(bytes)));
  for (const Packet& datagram : flight) pair.to_server(datagram);
  pair.to_client();
  REQUIRE(pair.status == Status::open);
  REQUIRE(pair.session->is_established());
  pair.check_alive();
}

TEST_CASE("close_notify is understood with each cipher", "[net]") {
  const std::string cipher = any_cipher();
  CAPTURE(cipher);
  Pair pair{{.ciphers = cipher}};
  pair.connect();
  SSL_shutdown(pair.client.ssl());
  pair.to_server(pair.client.take_output_as_one());
  CHECK(pair.status == Status::closed);
}

TEST_CASE("a ClientHello on a live session, with or without a cookie, harms nothing",
          "[net][L10]") {
  Pair pair;
  const Packet first_hello = cookie_hello(pair);
  pair.to_server(first_hello);
  REQUIRE(pair.session);
  pair.to_client();
  pair.exchange();
  CHECK(pair.session->began_with(first_hello));
  DtlsClient stranger;
  const Packet hello = stranger.hello();
  CHECK_FALSE(pair.session->began_with(hello));
  for (const Packet& each : {first_hello, hello}) pair.to_server(each);
  CHECK(pair.status == Status::open);
  CHECK(pair.wire.empty());
  pair.check_alive();
}

// --- The end -------------------------------------------------------------------------------------

TEST_CASE("close_notify of a DTLS client is answered and closes", "[net]") {
  Pair pair;
  pair.connect();
  pair.client.send(bytes_of("bye"));
  SSL_shutdown(pair.client.ssl());
  pair.to_server(pair.client.take_output_as_one());
  CHECK(pair.status == Status::closed);
  REQUIRE(pair.messages.size() == 1);
  CHECK(text(pair.messages[0]) == "bye");
  CHECK(pair.wire.size() == 1);
  pair.wire.clear();
  CHECK(pair.session->send(bytes_of("x"), pair.wire) == Status::closed);
  CHECK(pair.session->on_timer(pair.wire) == Status::closed);
  CHECK_FALSE(pair.session->time_to_timer());
  pair.to_server(Packet(20));
  CHECK(pair.status == Status::closed);
  CHECK(pair.wire.empty());
}

TEST_CASE("closing a DTLS session sends close_notify once the handshake is done", "[net]") {
  Pair pair;
  SECTION("done") {
    pair.connect();
    pair.session->close(pair.wire);
    CHECK(pair.wire.size() == 1);
    pair.to_client();
    CHECK(SSL_get_shutdown(pair.client.ssl()) == SSL_RECEIVED_SHUTDOWN);
  }
  SECTION("not done") {
    pair.to_server(cookie_hello(pair));
    pair.wire.clear();
    pair.session->close(pair.wire);
    CHECK(pair.wire.empty());
  }
  CHECK(pair.session->receive(Packet(20), pair.now, pair.messages, pair.wire) == Status::closed);
}

TEST_CASE("a DTLS client may not renegotiate", "[net][L02]") {
  Pair pair;
  pair.connect();
  SSL_renegotiate(pair.client.ssl());
  SSL_do_handshake(pair.client.ssl());
  pair.to_server(pair.client.take_output_as_one());
  CHECK(pair.status == Status::open);
  pair.to_client();
  CHECK(pair.client.alert == SSL_AD_NO_RENEGOTIATION);
  CHECK(pair.messages.empty());
}

// --- Floods --------------------------------------------------------------------------------------

TEST_CASE("a session ends after more than 32 empty records within a second", "[net][L05]") {
  Pair pair{{.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"}};
  pair.connect();
  Forger forger{pair.client.ssl()};
  for (int i = 0; i < 32; ++i) pair.to_server(forger.record(23, {}));
  CHECK(pair.status == Status::open);
  pair.now += 1s;
  for (int i = 0; i < 32; ++i) pair.to_server(forger.record(23, {}));
  CHECK(pair.status == Status::open);
  CHECK(pair.messages.empty());
  pair.to_server(forger.record(23, bytes_of("full ones are not counted")));
  CHECK(pair.messages.size() == 1);
  pair.to_server(forger.record(23, {}));
  CHECK(pair.status == Status::failed);
}

TEST_CASE("records with less than a message count as empty ones do", "[net][L05]") {
  Pair pair;
  pair.connect();
  const auto [content, survives] = GENERATE(
      table<std::string, bool>({{"1", false}, {"123", false}, {"1234", true}, {"12345", true}}));
  CAPTURE(content);
  for (int i = 0; i < 33 && pair.status == Status::open; ++i) {
    pair.client.send(bytes_of(content));
    pair.to_server(pair.client.take_output_as_one());
  }
  CHECK((pair.status == Status::open) == survives);
}

TEST_CASE("one datagram may be full of empty records, up to the limit", "[net][L05]") {
  Pair pair{{.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"}};
  pair.connect();
  Forger forger{pair.client.ssl()};
  Packet many;
  for (int i = 0; i < 1000; ++i) {
    const Packet record = forger.record(23, {});
    many.insert(many.end(), record.begin(), record.end());
  }
  pair.to_server(many);
  CHECK(pair.status == Status::failed);
}

TEST_CASE("a session ends after more than 32 handshake messages or alerts within a second",
          "[net][L05]") {
  Pair pair{{.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256"}};
  pair.connect();
  Forger forger{pair.client.ssl()};
  const Packet warning{1, 100};  // no_renegotiation
  const Packet hello_request(12);
  const std::uint8_t type = GENERATE(std::uint8_t{21}, std::uint8_t{22});
  for (int i = 0; i < 100 && pair.status == Status::open; ++i) {
    pair.to_server(forger.record(type, type == 21 ? warning : hello_request));
  }
  CHECK(pair.status == Status::failed);
}

TEST_CASE("what comes before its time is kept up to a limit", "[net][L09]") {
  Pair pair;
  pair.to_server(cookie_hello(pair));
  REQUIRE(pair.session);
  const auto before = mallinfo2().uordblks;
  Packet early(13 + 16'000, 0x55);
  early[0] = 22;
  early[1] = 0xfe;
  early[2] = 0xfd;
  early[3] = 0;
  early[4] = 1;
  early[11] = static_cast<std::uint8_t>(16'000 >> 8);
  early[12] = static_cast<std::uint8_t>(16'000 & 0xff);
  for (int i = 0; i < 1000; ++i) {
    early[10] = static_cast<std::uint8_t>(i & 0xff);
    early[9] = static_cast<std::uint8_t>(i >> 8 & 0xff);
    pair.to_server(early);
  }
  CHECK(mallinfo2().uordblks - before < 128 * 1024);
  CHECK(pair.status == Status::open);
}

}  // namespace turnpike::net
