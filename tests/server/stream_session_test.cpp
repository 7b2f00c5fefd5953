// StreamSession over a pair of sockets, plain and with TLS.
#include "server/stream_session.h"

#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "base/hex.h"
#include "catch.h"
#include "net/loopback.h"
#include "net/tls_test_client.h"

namespace turnpike::server {

namespace {

using test::Bytes;
using test::from_hex;
using test::to_hex;

constexpr std::size_t max_queued = StreamSession::max_queued_bytes;
const std::string binding = "000100002112a442000102030405060708090a0b";

std::string name_of(StreamInput input) {
  switch (input) {
    case StreamInput::message:
      return "message";
    case StreamInput::proxy_header:
      return "proxy_header";
    case StreamInput::incomplete:
      return "incomplete";
    case StreamInput::http:
      return "http";
    case StreamInput::broken:
      break;
  }
  return "broken";
}

/// A session, and the client's end of its connection.
class Pair {
 public:
  explicit Pair(std::shared_ptr<const net::TlsContext> tls = nullptr) {
    std::array<int, 2> ends{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    client = ends[1];
    const FiveTuple tuple{net::endpoint("198.51.100.7:4000"), net::endpoint("192.0.2.1:3478"),
                          tls ? Transport::tls : Transport::tcp};
    session.emplace(net::TcpSocket{ends[0]}, tuple, std::move(tls));
  }
  ~Pair() { hang_up(); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  void hang_up() {
    if (client >= 0) ::close(client);
    client = -1;
  }
  /// The client sends, the session receives. What receive() said last.
  bool send(ByteView bytes) {
    REQUIRE(::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
    return receive();
  }
  bool send_hex(std::string_view text) { return send(from_hex(text)); }
  bool receive() {
    Bytes scratch(65536);
    return session->receive(scratch);
  }
  /// What next() says, and in hexadecimal what it gives.
  std::string next() {
    ByteView message;
    const StreamInput input = session->next(message);
    return input == StreamInput::message ? to_hex(message) : name_of(input);
  }
  /// All that waits for the client now; `is_over` when FIN comes after it.
  std::string read() {
    std::string all;
    for (std::size_t count = read_some(); count > 0; count = read_some()) {
      all.append(text_of(ByteView{buffer_}.first(count)));
    }
    return all;
  }
  /// A part of it; how many bytes. Allocates nothing.
  std::size_t read_some() {
    const ssize_t count = recv(client, buffer_.data(), buffer_.size(), 0);
    if (count == 0) is_over = true;
    return count < 0 ? 0 : static_cast<std::size_t>(count);
  }
  bool queue(std::string_view text, std::size_t padding_bytes = 0) {
    return session->queue({}, bytes_of(text), padding_bytes);
  }
  /// Queues and flushes until the kernel takes no more.
  std::size_t clog() {
    const std::string much(65536, 'k');
    std::size_t sent = 0;
    while (!session->wants_to_write()) {
      REQUIRE(queue(much));
      sent += much.size();
      REQUIRE(session->flush());
    }
    return sent;
  }

  int client = -1;
  bool is_over = false;
  std::optional<StreamSession> session;

 private:
  std::array<std::uint8_t, 32 * 1024> buffer_{};
};

bool has_something(int descriptor) {
  pollfd waiting{descriptor, POLLIN, 0};
  return poll(&waiting, 1, 0) == 1;
}

/// Of this process, in bytes.
std::size_t resident_bytes() {
  std::ifstream statm{"/proc/self/statm"};
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  REQUIRE(resident > 0);
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

// --- Input ---------------------------------------------------------------------------------------

TEST_CASE("messages are given out one by one, without padding", "[server][F04]") {
  Pair pair;
  CHECK(pair.session->tuple().client.to_string() == "198.51.100.7:4000");
  CHECK(pair.next() == "incomplete");
  CHECK_FALSE(pair.session->has_input());
  REQUIRE(pair.send_hex(binding + "40000001 61 000000" + "40010004 62636465" + "4000"));
  CHECK(pair.session->has_input());
  CHECK(pair.next() == binding);
  CHECK(pair.next() == "4000000161");
  CHECK(pair.session->has_input());
  CHECK(pair.next() == "4001000462636465");
  CHECK_FALSE(pair.session->has_input());
  CHECK(pair.next() == "incomplete");
}

TEST_CASE("messages come together from single bytes, compacted at any time", "[server][F01]") {
  const bool compacts = GENERATE(false, true);
  Pair pair;
  const Bytes stream = from_hex(binding + "40000003 616263 00" + binding);
  std::vector<std::string> messages;
  for (const std::uint8_t byte : stream) {
    REQUIRE(pair.send(ByteView{&byte, 1}));
    for (std::string next = pair.next(); next != "incomplete"; next = pair.next()) {
      messages.push_back(next);
    }
    if (compacts) pair.session->compact();
  }
  CHECK(messages == std::vector<std::string>{binding, "40000003616263", binding});
}

// All 65,536 lengths, one prefix after the other, are in turn/framing_test; here are the bytes.
TEST_CASE("STUN messages of any length come together from single bytes, and end where they say",
          "[server][F01]") {
  constexpr std::size_t singly_max = 64;  // of the end; what is between comes in one piece
  Pair pair;
  Bytes scratch(65536);
  const auto take = [&](ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(pair.client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      REQUIRE(sent > 0);
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
      while (has_something(pair.session->descriptor())) {
        if (!pair.session->receive(scratch)) FAIL("the session is over");
      }
    }
  };
  const auto message_bytes = [&]() -> std::size_t {  // 0: none yet
    ByteView message;
    return pair.session->next(message) == StreamInput::message ? message.size() : 0;
  };
  const Bytes body(0x10000);
  for (std::size_t length = 0; length <= 0xffff; length += 4) {
    const bool is_at_an_end = length <= 256 || length >= 0xff00 || (length + 4) % 2048 <= 8;
    if (!is_at_an_end) continue;
    CAPTURE(length);
    Bytes header = from_hex(binding);
    store_be16(MutableByteView{header}.subspan(2), static_cast<std::uint16_t>(length));
    for (std::size_t i = 0; i < header.size(); ++i) {
      if (message_bytes() != 0) FAIL("after " << i);
      take(ByteView{header}.subspan(i, 1));
    }
    const std::size_t singly = std::min(length, singly_max);
    take(ByteView{body}.first(length - singly));
    for (std::size_t i = 0; i < singly; ++i) {
      if (message_bytes() != 0) FAIL(singly - i << " bytes before its end");
      take(ByteView{body}.first(1));
    }
    REQUIRE(message_bytes() == 20 + length);
    take(from_hex(binding));
    REQUIRE(message_bytes() == 20);
    pair.session->compact();
  }
}

TEST_CASE("a STUN length that is no multiple of four is the end, at its own last byte",
          "[server][F01]") {
  const auto length = GENERATE(1U, 2U, 3U, 5U, 0xffU, 0x101U, 0x7fffU, 0xfffdU, 0xfffeU, 0xffffU);
  Pair pair;
  for (const unsigned each : {0U, 1U, length >> 8, length & 0xffU}) {
    const auto byte = static_cast<std::uint8_t>(each);
    CHECK(pair.next() == "incomplete");
    REQUIRE(pair.send(ByteView{&byte, 1}));
  }
  CHECK(pair.next() == "broken");
}

TEST_CASE("compact forgets what was given out and nothing else", "[server]") {
  Pair pair;
  REQUIRE(pair.send_hex(binding + "40000000" + "40010000" + "4002"));
  CHECK(pair.next() == binding);
  CHECK(pair.next() == "40000000");
  pair.session->compact();
  CHECK(pair.session->has_input());
  pair.session->compact();
  CHECK(pair.next() == "40010000");
  CHECK(pair.next() == "incomplete");
  pair.session->compact();
  REQUIRE(pair.send_hex("0000"));
  CHECK(pair.next() == "40020000");
  pair.session->compact();
  CHECK(pair.next() == "incomplete");
}

TEST_CASE("what is no message of ours is broken, from the first byte and in the middle",
          "[server][F03]") {
  Pair pair;
  SECTION("at the start") { REQUIRE(pair.send_hex("16")); }
  SECTION("after a message") {
    REQUIRE(pair.send_hex(binding + "ff"));
    CHECK(pair.next() == binding);
  }
  CHECK(pair.session->has_input());
  CHECK(pair.next() == "broken");
  CHECK(pair.next() == "broken");
}

TEST_CASE("only at the start is a capital letter a browser", "[server]") {
  Pair pair;
  SECTION("alone") {
    REQUIRE(pair.send(bytes_of("G")));
    CHECK(pair.session->has_input());
    CHECK(pair.next() == "http");
    CHECK(pair.next() == "http");
  }
  SECTION("not behind a message: there it is a channel that is not allowed") {
    REQUIRE(pair.send_hex(binding + "47450001 61000000"));
    CHECK(pair.next() == binding);
    CHECK(pair.next() == "4745000161");
  }
  SECTION("small letters are channels too") {
    REQUIRE(pair.send(bytes_of("get ")));
    CHECK(pair.next() == "incomplete");
  }
}

TEST_CASE("receive tells the end, and what came before it is there", "[server][F10]") {
  Pair pair;
  REQUIRE(pair.receive());  // nothing there: not the end
  REQUIRE(pair.send_hex(binding));
  pair.hang_up();
  CHECK_FALSE(pair.receive());
  CHECK(pair.next() == binding);
  CHECK(pair.next() == "incomplete");
}

// --- Output --------------------------------------------------------------------------------------

TEST_CASE("header, payload and padding leave in order, together, and only by flush", "[server]") {
  Pair pair;
  CHECK_FALSE(pair.session->wants_to_write());
  CHECK(pair.session->flush());
  CHECK(pair.session->queue(bytes_of("head"), bytes_of("body"), 3));
  CHECK(pair.session->queue(bytes_of("next"), {}, 0));
  CHECK(pair.read().empty());
  CHECK(pair.session->wants_to_write());
  CHECK(pair.session->flush());
  CHECK_FALSE(pair.session->wants_to_write());
  CHECK(pair.read() == std::string("headbody\0\0\0next", 15));
}

TEST_CASE("a full queue refuses and keeps what it has", "[server][F09]") {
  Pair pair;
  REQUIRE(pair.queue(std::string(max_queued - 8, 'a')));
  CHECK_FALSE(pair.session->queue(bytes_of("12345678"), bytes_of("9"), 0));
  CHECK_FALSE(pair.session->queue(bytes_of("1234"), bytes_of("5"), 4));
  CHECK(pair.session->queue(bytes_of("1234"), bytes_of("5"), 3));  // just full
  CHECK_FALSE(pair.queue("x"));
  CHECK(pair.queue(""));
  std::string all;
  while (all.size() < max_queued) {
    REQUIRE(pair.session->flush());
    const std::string some = pair.read();
    REQUIRE_FALSE(some.empty());
    all += some;
  }
  CHECK(all == std::string(max_queued - 8, 'a') + std::string("12345\0\0\0", 8));
  CHECK(pair.queue("there is room again"));
}

TEST_CASE("what the kernel has taken is in the queue no more", "[server][F09]") {
  Pair pair;
  std::size_t sent = pair.clog();
  while (pair.queue("1234")) sent += 4;
  std::size_t arrived = 0;
  while (arrived < sent) {
    const std::size_t count = pair.read().size();
    REQUIRE(count > 0);
    arrived += count;
    REQUIRE(pair.session->flush());
    if (pair.session->wants_to_write()) CHECK(pair.queue("12345678"));
    if (pair.session->wants_to_write()) sent += 8;
  }
  CHECK(arrived == sent);
  CHECK_FALSE(pair.session->wants_to_write());
}

TEST_CASE("a reader that is always behind costs no memory, and loses no byte", "[server][F09]") {
  Pair pair;
  std::size_t queued = pair.clog();
  std::size_t arrived = 0;
  const std::string block(4096, 'b');
  const auto go_on = [&](std::size_t total) {
    while (arrived < total) {
      while (pair.queue(block)) queued += block.size();
      const std::size_t count = pair.read_some();
      REQUIRE(count > 0);
      arrived += count;
      REQUIRE(pair.session->flush());
      REQUIRE(pair.session->wants_to_write());  // it never catches up
    }
  };
  constexpr std::size_t mebibyte = 1 << 20;
  go_on(4 * mebibyte);
  const std::size_t before = resident_bytes();
  go_on(100 * mebibyte);
  CHECK(resident_bytes() < before + 32 * mebibyte);
  while (arrived < queued) {
    const std::size_t count = pair.read().size();
    REQUIRE(count > 0);
    arrived += count;
    REQUIRE(pair.session->flush());
  }
  CHECK(arrived == queued);
}

TEST_CASE("flush tells when the client is gone", "[server]") {
  Pair pair;
  pair.hang_up();
  REQUIRE(pair.queue("anyone?"));
  CHECK_FALSE(pair.session->flush());
}

// --- The end -------------------------------------------------------------------------------------

TEST_CASE("closing sends what was queued, then FIN", "[server]") {
  Pair pair;
  const std::size_t clogged = pair.clog();
  REQUIRE(pair.queue("the last words"));
  pair.session->begin_close();
  CHECK(pair.session->is_closing());
  REQUIRE(pair.session->flush());
  std::string all;
  while (pair.session->wants_to_write()) {
    all += pair.read();
    CHECK_FALSE(pair.is_over);
    REQUIRE(pair.session->flush());
  }
  all += pair.read();
  CHECK(pair.is_over);
  CHECK(all == std::string(clogged, 'k') + "the last words");
  CHECK(pair.session->flush());  // once more is nothing
}

TEST_CASE("what comes in while closing is thrown away, the end is noticed", "[server]") {
  Pair pair;
  pair.session->begin_close();
  REQUIRE(pair.session->flush());
  REQUIRE(pair.send_hex(binding));
  CHECK(pair.next() == "incomplete");
  pair.hang_up();
  CHECK_FALSE(pair.receive());
}

TEST_CASE("a browser is told where it is, and the connection closed", "[server]") {
  Pair pair;
  REQUIRE(pair.send(bytes_of("GET / HTTP/1.1\r\n")));
  REQUIRE(pair.next() == "http");
  pair.session->answer_http();
  CHECK(pair.session->is_closing());
  REQUIRE(pair.session->flush());
  const std::string answer = pair.read();
  CHECK(pair.is_over);
  CHECK(answer.starts_with("HTTP/1.1 404 Not Found\r\n"));
  const std::size_t body = answer.find("\r\n\r\n") + 4;
  REQUIRE(body < answer.size());
  CHECK(answer.find("Content-Length: " + std::to_string(answer.size() - body) + "\r\n") < body);
  CHECK(answer.find("Connection: close\r\n") < body);
}

// --- TLS -----------------------------------------------------------------------------------------

TEST_CASE("a session speaks TLS: messages in, answers out, close_notify and FIN", "[server]") {
  Pair pair{net::load_context(net::KeyKind::p256)};
  net::TlsTestClient client;
  const auto exchange = [&] {
    for (int round = 0; round < 4; ++round) {
      client.work();
      const Bytes output = client.take_output();
      if (!output.empty()) REQUIRE(pair.send(output));
      REQUIRE(pair.session->flush());
      client.take(bytes_of(pair.read()));
    }
    client.work();
  };
  exchange();
  REQUIRE(SSL_is_init_finished(client.ssl()) == 1);
  CHECK_FALSE(pair.session->wants_to_write());

  client.send(text_of(from_hex(binding + "40000001 61 000000 4000")));
  exchange();
  CHECK(pair.next() == binding);
  CHECK(pair.next() == "4000000161");
  CHECK(pair.next() == "incomplete");
  pair.session->compact();

  // What is queued counts before it is encrypted.
  CHECK(pair.session->queue(bytes_of("head"), bytes_of("body"), 2));
  CHECK_FALSE(pair.queue(std::string(max_queued - 9, 'x')));
  CHECK(pair.read().empty());
  exchange();
  CHECK(client.received == std::string("headbody\0\0", 10));

  pair.session->begin_close();
  exchange();
  CHECK((SSL_get_shutdown(client.ssl()) & SSL_RECEIVED_SHUTDOWN) != 0);
  pair.read();
  CHECK(pair.is_over);
}

TEST_CASE("a TLS client may send bytes one by one, but not without end", "[server][L05]") {
  Pair pair{net::load_context(net::KeyKind::p256)};
  net::TlsTestClient client;
  for (int round = 0; round < 4; ++round) {
    client.work();
    const Bytes output = client.take_output();
    if (!output.empty()) REQUIRE(pair.send(output));
    REQUIRE(pair.session->flush());
    client.take(bytes_of(pair.read()));
  }
  REQUIRE(pair.session->is_established());
  const auto send_records = [&](int count, std::string_view content) {
    for (int i = 0; i < count; ++i) client.send(content);
    REQUIRE(pair.send(client.take_output()));
  };
  const Instant start{std::chrono::hours{1}};
  constexpr int at_once = 1024;
  constexpr int a_second = 32;

  send_records(at_once, "x");
  CHECK_FALSE(pair.session->floods_with_records(start));
  SECTION("one more at once is too many") {
    send_records(1, "x");
    CHECK(pair.session->floods_with_records(start));
  }
  SECTION("so many a second are not") {
    for (int second = 1; second <= 3; ++second) {
      send_records(a_second, "xy");
      CHECK_FALSE(pair.session->floods_with_records(start + seconds{second}));
    }
    send_records(a_second + 1, "xyz");
    CHECK(pair.session->floods_with_records(start + seconds{4}));
  }
  SECTION("records with a message's worth are not counted") {
    send_records(2 * at_once, "four");
    CHECK_FALSE(pair.session->floods_with_records(start));
  }
}

TEST_CASE("a browser is answered over TLS too", "[server]") {
  Pair pair{net::load_context(net::KeyKind::p256)};
  net::TlsTestClient client;
  for (int round = 0; round < 4; ++round) {
    client.work();
    const Bytes output = client.take_output();
    if (!output.empty()) REQUIRE(pair.send(output));
    REQUIRE(pair.session->flush());
    client.take(bytes_of(pair.read()));
  }
  client.send("GET / HTTP/1.1\r\n\r\n");
  REQUIRE(pair.send(client.take_output()));
  REQUIRE(pair.next() == "http");
  pair.session->answer_http();
  REQUIRE(pair.session->flush());
  client.take(bytes_of(pair.read()));
  client.work();
  CHECK(client.received.starts_with("HTTP/1.1 404 "));
  CHECK(pair.is_over);
}

TEST_CASE("what is no TLS is the end of a TLS session", "[server][F03]") {
  Pair pair{net::load_context(net::KeyKind::p256)};
  CHECK_FALSE(pair.send_hex(binding));
  CHECK(pair.next() == "incomplete");
  REQUIRE(pair.session->flush());
  CHECK(pair.read().empty());
}

// --- Data (RFC 6062) -----------------------------------------------------------------------------

TEST_CASE("what follows the last message is data, taken in any pieces", "[server][rfc6062]") {
  Pair pair;
  REQUIRE(pair.send_hex(binding + "00010000"));
  CHECK(pair.next() == binding);
  pair.session->compact();
  CHECK(to_hex(pair.session->data()) == "00010000");
  pair.session->take_data(1);
  CHECK(to_hex(pair.session->data()) == "010000");
  REQUIRE(pair.send_hex("ff"));
  CHECK(to_hex(pair.session->data()) == "010000ff");
  pair.session->take_data(3);
  CHECK(to_hex(pair.session->data()) == "ff");
  pair.session->take_data(1);
  CHECK(pair.session->data().empty());
}

TEST_CASE("a session that has finished still hears its client, over TLS no more",
          "[server][rfc6062]") {
  Pair pair;
  REQUIRE(pair.queue("the end"));
  pair.session->finish();
  CHECK_FALSE(pair.session->has_finished());
  CHECK(pair.session->flush());
  CHECK(pair.session->has_finished());
  CHECK(pair.read() == "the end");
  CHECK(pair.is_over);
  REQUIRE(pair.send_hex("ff"));
  CHECK(to_hex(pair.session->data()) == "ff");
  CHECK_FALSE(pair.session->is_closing());

  Pair tls{net::load_context(net::KeyKind::p256)};
  tls.session->finish();
  CHECK(tls.session->is_closing());
}

}  // namespace turnpike::server
