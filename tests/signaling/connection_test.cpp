#include "signaling/connection.h"

#include <string>

#include "catch.h"
#include "signaling/responses.h"
#include "signaling/websocket_client.h"

namespace turnpike::signaling::test {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view healthz = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view opening =
    "GET /v1/ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Protocol: turnpike.v1\r\n\r\n";

const Site& site() {
  static const Site all = [] {
    return Site{OriginPolicy{},
                StaticFiles{},
                {{"/healthz", RouteKind::health, {Method::get}},
                 {"/v1/ws", RouteKind::websocket, {Method::get}, false, "turnpike.v1"},
                 {"/ask", RouteKind::application, {Method::get, Method::post}},
                 {"/large", RouteKind::either, {Method::get}, false, "", 200'000}}};
  }();
  return all;
}

/// A connection with its clock and its driver.
class Wire {
 public:
  explicit Wire(ConnectionLimits limits = {})
      : limits_(limits), connection(site(), limits_, now().instant) {}

  void receive(std::string_view bytes) { connection.receive(bytes_of(bytes), now(), events); }
  void receive_slowly(std::string_view bytes) {
    for (const char& byte : bytes) receive({&byte, 1});
  }
  void respond(std::string_view body) {
    connection.respond(text_response(200, body), now(), events);
  }
  /// What there is to send, taken.
  std::string take(std::size_t bytes = std::string::npos) {
    const std::string text{text_of(connection.output()).substr(0, bytes)};
    connection.take_output(text.size(), now().instant);
    return text;
  }
  /// Lets time pass, deadline by deadline.
  void advance(milliseconds duration) {
    const Instant end = now().instant + duration;
    while (connection.next_deadline() && *connection.next_deadline() <= end) {
      elapsed_ = std::max(elapsed_, *connection.next_deadline() - Instant{seconds{1000}});
      const auto before = connection.next_deadline();
      connection.on_deadline(now(), events);
      REQUIRE(connection.next_deadline() != before);
    }
    elapsed_ = end - Instant{seconds{1000}};
  }
  /// The next event as text.
  std::string event() {
    if (events.empty()) return "none";
    const ConnectionEvent next = events.front();
    events.erase(events.begin());
    if (std::holds_alternative<Opened>(next)) return "opened";
    if (std::holds_alternative<Withdrawn>(next)) return "withdrawn";
    if (const auto* const text = std::get_if<WebSocketText>(&next)) return "text " + text->text;
    if (std::holds_alternative<WebSocketBinary>(next)) return "binary";
    if (const auto* const ended = std::get_if<Ended>(&next)) {
      return "ended " + std::to_string(ended->code);
    }
    return "asked " + std::get<Asked>(next).request.body;
  }
  /// As a WebSocket, its opening answered.
  Wire& open() {
    receive(opening);
    CHECK(event() == "opened");
    CHECK(status_of(take()) == 101);
    return *this;
  }
  [[nodiscard]] Now now() const {
    return {Instant{seconds{1000}} + elapsed_, WallTime{seconds{1'800'000'000}}};
  }

 private:
  ConnectionLimits limits_;
  nanoseconds elapsed_{0};

 public:
  HttpConnection connection;
  std::vector<ConnectionEvent> events;
};

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

}  // namespace

TEST_CASE("requests are answered one after another", "[signaling]") {
  Wire wire;
  wire.receive_slowly(healthz);
  CHECK(status_of(wire.take()) == 200);
  wire.receive("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(wire.take().ends_with("\r\n\r\n"));
  CHECK_FALSE(wire.connection.wants_close());
  wire.receive("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" +
               std::string{healthz});
  CHECK_FALSE(wire.connection.wants_close());
  CHECK(count(wire.take(), "HTTP/1.1 200 OK") == 1);
  CHECK(wire.connection.wants_close());
}

TEST_CASE("what is no request is answered once and ends it", "[signaling]") {
  Wire wire;
  wire.receive("GET / HTTP/1.1\r\n\r\n" + std::string{healthz});
  const std::string answer = wire.take();
  CHECK(status_of(answer) == 400);
  CHECK(count(answer, "Date: ") == 1);
  CHECK(count(answer, "Connection: close") == 1);
  CHECK(wire.connection.wants_close());
  wire.receive(healthz);
  CHECK(wire.take().empty());
}

TEST_CASE("H04: what comes too slowly is given up", "[signaling][hostile][H04]") {
  Wire wire;
  SECTION("nothing at all") {
    wire.advance(9'999ms);
    CHECK_FALSE(wire.connection.wants_close());
    wire.advance(1ms);
    CHECK(wire.take().empty());
    CHECK(wire.connection.wants_close());
  }
  SECTION("a head, a byte a second") {
    for (int i = 0; i < 9; ++i) {
      wire.receive("G");
      wire.advance(1s);
    }
    CHECK(wire.take().empty());
    wire.advance(1s);
    CHECK(status_of(wire.take()) == 408);
    CHECK(wire.connection.wants_close());
  }
  SECTION("a body") {
    wire.receive("POST /ask HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
    wire.advance(29'999ms);
    CHECK(wire.take().empty());
    wire.advance(1ms);
    CHECK(status_of(wire.take()) == 408);
    CHECK(wire.connection.wants_close());
  }
  SECTION("the next request") {
    wire.receive(healthz);
    CHECK(status_of(wire.take()) == 200);
    wire.advance(59'999ms);
    CHECK_FALSE(wire.connection.wants_close());
    wire.advance(1ms);
    CHECK(wire.connection.wants_close());
  }
  SECTION("its reading of the answer") {
    wire.receive(healthz);
    wire.advance(29s);
    CHECK(wire.take(1).size() == 1);
    wire.advance(29s);
    CHECK_FALSE(wire.connection.wants_close());
    wire.advance(1s);
    CHECK(wire.connection.wants_close());
    CHECK(wire.connection.output().empty());
  }
}

TEST_CASE("H05: more than sixteen requests at once end it", "[signaling][hostile][H05]") {
  Wire wire;
  std::string many;
  for (int i = 0; i < 16; ++i) many += healthz;
  wire.receive(many);
  CHECK(count(wire.take(), "HTTP/1.1 200 OK") == 16);
  wire.receive(many);
  CHECK_FALSE(wire.connection.wants_close());
  wire.receive(healthz);
  CHECK(count(wire.take(), "HTTP/1.1 200 OK") == 16);
  CHECK(wire.connection.wants_close());
}

TEST_CASE("the owner's answers keep the order of requests", "[signaling]") {
  Wire wire;
  wire.receive("POST /ask HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none" +
               std::string{healthz});
  CHECK(wire.event() == "asked one");
  CHECK(wire.event() == "none");
  CHECK(wire.take().empty());
  CHECK_FALSE(wire.connection.next_deadline());
  wire.respond("first");
  const std::string answers = wire.take();
  CHECK(answers.find("first") < answers.find("ok\n"));
  CHECK(answers.find("ok\n") != std::string::npos);
  wire.respond("of nothing");
  CHECK(wire.take().empty());
}

TEST_CASE("what is sent ahead of an answer is bounded", "[signaling][hostile]") {
  Wire wire;
  wire.receive("GET /ask HTTP/1.1\r\nHost: a\r\n\r\n");
  wire.receive(std::string(16'384, 'a'));
  CHECK_FALSE(wire.connection.wants_close());
  wire.receive("a");
  CHECK(wire.connection.wants_close());
  wire.respond("too late");
  CHECK(wire.take().empty());
}

TEST_CASE("a client that reads nothing gets no further answers", "[signaling][hostile]") {
  Wire wire;
  wire.receive("GET /ask HTTP/1.1\r\nHost: a\r\n\r\n" + std::string{healthz});
  wire.respond(std::string(1'048'576, 'a'));
  CHECK(count(wire.take(), "HTTP/1.1 200 OK") == 1);
  CHECK(wire.connection.wants_close());
}

TEST_CASE("a client that waits for 100 Continue gets it once", "[signaling][rfc9110-10.1.1]") {
  Wire wire;
  wire.receive(
      "POST /ask HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  CHECK(wire.take() == "HTTP/1.1 100 Continue\r\n\r\n");
  wire.receive("a");
  CHECK(wire.take().empty());
  wire.receive("b");
  CHECK(wire.event() == "asked ab");
}

TEST_CASE("a WebSocket opens, speaks and ends", "[signaling][rfc6455]") {
  Wire wire;
  SECTION("what follows the opening at once is its first frame") {
    wire.receive(std::string{opening} + client_frame(opcode::text, "hello"));
    CHECK(wire.event() == "opened");
    CHECK(status_of(wire.take()) == 101);
  }
  SECTION("byte by byte") {
    wire.receive_slowly(std::string{opening} + client_frame(opcode::text, "hello"));
    CHECK(wire.event() == "opened");
    CHECK(status_of(wire.take()) == 101);
  }
  CHECK(wire.event() == "text hello");
  CHECK_FALSE(wire.connection.next_deadline());
  CHECK(wire.connection.send_text("to you", wire.now().instant));
  CHECK(describe_frames(wire.take()) == "text to you\n");
  wire.receive(client_close(1000, ""));
  CHECK(wire.event() == "ended 1000");
  CHECK_FALSE(wire.connection.wants_close());
  CHECK(describe_frames(wire.take()) == "close 1000\n");
  CHECK(wire.connection.wants_close());
  wire.connection.lost(wire.events);
  CHECK(wire.event() == "none");
}

TEST_CASE("a WebSocket that is lost has ended", "[signaling]") {
  Wire wire;
  wire.open().connection.lost(wire.events);
  CHECK(wire.event() == "ended 1006");
  wire.connection.lost(wire.events);
  CHECK(wire.event() == "none");
}

TEST_CASE("a close from here ends with the client's, or without it", "[signaling]") {
  Wire wire;
  wire.open().connection.close(4400, "bad_message", wire.now().instant);
  CHECK(describe_frames(wire.take()) == "close 4400 bad_message\n");
  CHECK_FALSE(wire.connection.wants_close());
  CHECK(wire.connection.send_text("late", wire.now().instant));
  SECTION("with it") { wire.receive(client_close(4400, "")); }
  SECTION("without it") {
    wire.advance(4'999ms);
    CHECK_FALSE(wire.connection.wants_close());
    wire.advance(1ms);
  }
  CHECK(wire.take().empty());
  CHECK(wire.connection.wants_close());
  CHECK(wire.event() == "none");
}

TEST_CASE("H16: a reader that is too slow is closed", "[signaling][hostile][H16]") {
  Wire wire;
  wire.open();
  const std::string message(100'000, 'a');
  SECTION("when it leaves too much unread") {
    for (int i = 0; i < 10; ++i) CHECK(wire.connection.send_text(message, wire.now().instant));
    CHECK_FALSE(wire.connection.send_text(message, wire.now().instant));
    CHECK(wire.connection.output().size() < 1'048'576);
    CHECK(describe_frames(wire.take()).ends_with("close 1013 reads too slowly\n"));
    CHECK(wire.event() == "none");
  }
  SECTION("when it reads nothing for long") {
    CHECK(wire.connection.send_text(message, wire.now().instant));
    wire.advance(30s);
    CHECK(wire.event() == "ended 1006");
    CHECK(wire.connection.wants_close());
    CHECK(wire.connection.output().empty());
  }
  SECTION("not while it reads") {
    for (int i = 0; i < 100; ++i) {
      CHECK(wire.connection.send_text(message, wire.now().instant));
      CHECK(wire.take(90'000).size() == 90'000);
      wire.take();
      wire.advance(1s);
    }
    CHECK(wire.event() == "none");
  }
}

TEST_CASE("taking output in pieces loses nothing", "[signaling]") {
  Wire wire;
  wire.open();
  std::string all;
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    const std::string text = "message " + std::to_string(i);
    CHECK(wire.connection.send_text(text, wire.now().instant));
    expected += "text " + text + "\n";
    all += wire.take(7);
  }
  while (!wire.connection.output().empty()) all += wire.take(11);
  CHECK(describe_frames(all) == expected);
}

TEST_CASE("a request for either is answered, or made a WebSocket with its own limits",
          "[signaling]") {
  const std::string large{
      "GET /large HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"};
  Wire wire;
  SECTION("answered") {
    wire.receive(large);
    CHECK(wire.event() == "asked ");
    wire.respond("no");
    CHECK(wire.take().ends_with("no\n"));
    wire.connection.open(wire.now(), wire.events);
    CHECK(wire.event() == "none");
  }
  SECTION("opened, with the frames that came early") {
    wire.receive(large + client_frame(opcode::text, std::string(150'000, 'a')));
    CHECK(wire.event() == "asked ");
    wire.connection.open(wire.now(), wire.events);
    CHECK(wire.event() == "opened");
    CHECK(wire.event() == "text " + std::string(150'000, 'a'));
    CHECK(wire.take().starts_with("HTTP/1.1 101 "));
    wire.receive(client_frame(opcode::text, std::string(200'001, 'a')));
    CHECK(wire.event() == "ended 1006");
  }
  SECTION("a plain request cannot be opened") {
    wire.receive("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(wire.event() == "asked ");
    wire.connection.open(wire.now(), wire.events);
    CHECK(wire.event() == "none");
    CHECK(wire.take().empty());
  }
}

TEST_CASE("a client that goes before its answer withdraws the question", "[signaling]") {
  Wire wire;
  wire.receive("GET /ask HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(wire.event() == "asked ");
  SECTION("by closing") { wire.connection.lost(wire.events); }
  SECTION("by sending far ahead") { wire.receive(std::string(20'000, 'a')); }
  CHECK(wire.event() == "withdrawn");
  wire.respond("late");
  CHECK(wire.take().empty());
}

TEST_CASE("an answer may be a stream that ends with the connection", "[signaling]") {
  Wire wire;
  wire.receive("GET /ask HTTP/1.1\r\nHost: a\r\n\r\n" + std::string{healthz});
  CHECK(wire.event() == "asked ");
  wire.connection.begin_stream(Response{200, {{"Content-Type", "text/event-stream"}}, "first\n"},
                               wire.now(), wire.events);
  const std::string head = wire.take();
  CHECK(status_of(head) == 200);
  CHECK(head.find("Content-Length") == std::string::npos);
  CHECK(head.find("Connection: close\r\n") != std::string::npos);
  CHECK(head.ends_with("\r\n\r\nfirst\n"));

  SECTION("no deadline ends it while it is quiet") {
    CHECK_FALSE(wire.connection.next_deadline());
    CHECK(wire.connection.send_part("second\n", wire.now().instant));
    CHECK(wire.take() == "second\n");
    wire.connection.end_stream(wire.now().instant);
    CHECK(wire.connection.wants_close());
    CHECK(wire.event() == "none");
    CHECK(wire.connection.send_part("late", wire.now().instant));
    CHECK(wire.take().empty());
  }
  SECTION("nothing else is answered, however much is sent") {
    wire.receive(healthz);
    wire.receive(std::string(100'000, 'a'));
    CHECK(wire.take().empty());
    wire.respond("late");
    CHECK(wire.take().empty());
  }
  SECTION("a client that goes withdraws") {
    wire.connection.lost(wire.events);
    CHECK(wire.event() == "withdrawn");
  }
  SECTION("a client that reads nothing withdraws too, after a while") {
    CHECK(wire.connection.send_part("unread", wire.now().instant));
    wire.advance(30'000ms);
    CHECK(wire.event() == "withdrawn");
    CHECK(wire.connection.wants_close());
  }
}

TEST_CASE("the queue of a stream is bounded", "[signaling][hostile]") {
  ConnectionLimits limits;
  limits.max_queued_bytes = 300;
  Wire wire{limits};
  wire.receive("GET /ask HTTP/1.1\r\nHost: a\r\n\r\n");
  wire.connection.begin_stream(Response{200}, wire.now(), wire.events);
  (void)wire.take();
  const std::string part(150, 'a');
  CHECK(wire.connection.send_part(part, wire.now().instant));
  CHECK(wire.connection.send_part(part, wire.now().instant));
  CHECK_FALSE(wire.connection.send_part(part, wire.now().instant));
  CHECK(wire.take(200).size() == 200);
  CHECK(wire.connection.send_part(part, wire.now().instant));
  CHECK(wire.take() == std::string(250, 'a'));
}

TEST_CASE("HEAD gets the head of a stream, and the connection goes on", "[signaling]") {
  Wire wire;
  wire.receive("HEAD /ask HTTP/1.1\r\nHost: a\r\n\r\n");
  wire.connection.begin_stream(Response{200}, wire.now(), wire.events);
  CHECK(status_of(wire.take()) == 200);
  wire.receive(healthz);
  CHECK(status_of(wire.take()) == 200);
}

}  // namespace turnpike::signaling::test
