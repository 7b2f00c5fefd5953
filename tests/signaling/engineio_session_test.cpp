#include "signaling/engineio_session.h"

#include "catch.h"

namespace turnpike::signaling::test {

namespace {

using namespace std::chrono_literals;

/// One session, and what it wants done, a line each.
struct Bench {
  Instant instant{1000s};
  EngineIoSettings settings;
  EngineIoSession session{"s1", settings, instant};
  EngineIoOutput out;

  std::string done() {
    session.flush(out);
    std::string lines;
    for (const EngineIoMessage& message : out.messages) {
      lines += (message.is_binary ? "heard binary " : "heard ") + message.body + "\n";
    }
    for (const EngineIoAction& action : out.actions) lines += describe(action) + "\n";
    out = {};
    return lines;
  }
  void get(std::uint64_t id) { session.on_get(ConnectionId{id}, out); }
  void post(std::uint64_t id, std::string_view body) {
    session.on_post(ConnectionId{id}, body, instant, out);
  }
  void say(std::uint64_t id, std::string_view text) {
    session.on_text(ConnectionId{id}, text, instant, out);
  }
  void advance(milliseconds duration) {
    instant += duration;
    session.on_deadline(instant, out);
  }

  static std::string describe(const EngineIoAction& action) {
    const auto on = [](ConnectionId id) {
      return std::to_string(static_cast<std::uint64_t>(id)) + ": ";
    };
    if (const auto* const answer = std::get_if<Respond>(&action)) {
      return on(answer->to) + std::to_string(answer->response.status) + " " + answer->response.body;
    }
    if (const auto* const text = std::get_if<SendText>(&action)) {
      return on(text->to) + "text " + *text->frame;
    }
    if (const auto* const binary = std::get_if<SendBinary>(&action)) {
      return on(binary->to) + "binary " + *binary->frame;
    }
    return on(std::get<Close>(action).connection) + "close";
  }
};

constexpr const char* bad_request = R"(400 {"code":3,"message":"Bad request"})";

}  // namespace

TEST_CASE("a session opens with its bounds, and offers an upgrade to who polls", "[signaling]") {
  Bench bench;
  bench.session.open_by_poll(ConnectionId{1}, bench.out);
  CHECK(bench.done() ==
        "1: 200 0{\"sid\":\"s1\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
        "\"pingTimeout\":20000,\"maxPayload\":1000000}\n");
  Bench direct;
  direct.session.open_by_socket(ConnectionId{1}, direct.out);
  CHECK(direct.done() ==
        "1: text 0{\"sid\":\"s1\",\"upgrades\":[],\"pingInterval\":25000,"
        "\"pingTimeout\":20000,\"maxPayload\":1000000}\n");
  CHECK_FALSE(direct.session.may_upgrade());
}

TEST_CASE("a GET waits until there is something, and takes all there is", "[signaling]") {
  Bench bench;
  bench.get(1);
  CHECK(bench.done().empty());
  bench.session.send_text("a");
  bench.session.send_binary("\x01");
  CHECK(bench.done() ==
        "1: 200 4a\x1e"
        "bAQ==\n");
  bench.session.send_text("b");
  CHECK(bench.done().empty());
  bench.get(2);
  CHECK(bench.done() == "2: 200 4b\n");
}

TEST_CASE("a POST brings messages and is answered at once", "[signaling]") {
  Bench bench;
  bench.post(1,
             "4hello\x1e"
             "bAQ==");
  CHECK(bench.done() == "heard hello\nheard binary \x01\n1: 200 ok\n");
}

TEST_CASE("a payload that makes no sense ends the session", "[signaling]") {
  Bench bench;
  bench.get(1);
  const char* const payload = GENERATE("abc", "", "4a\x1e", "4\xff", "8");
  bench.post(2, payload);
  CHECK(bench.done().ends_with(std::string{"1: 200 1\n2: "} + bad_request + "\n"));
  CHECK(bench.session.is_closed());
}

TEST_CASE("a POST beyond the limit is 413, and nothing of it is heard", "[signaling]") {
  Bench bench;
  bench.settings.max_payload_bytes = 4;
  bench.post(1, "4abc");
  bench.post(2, "4abcd");
  CHECK(bench.done() == "heard abc\n1: 200 ok\n2: 413 The payload is too large.\n\n");
  CHECK_FALSE(bench.session.is_closed());
}

TEST_CASE("a second GET beside one that waits ends the session", "[signaling]") {
  Bench bench;
  bench.get(1);
  bench.get(2);
  CHECK(bench.done() == std::string{"1: 200 1\n2: "} + bad_request + "\n");
  CHECK(bench.session.is_closed());
}

TEST_CASE("a GET that is withdrawn ends the session", "[signaling]") {
  Bench bench;
  bench.get(1);
  bench.session.on_withdrawn(bench.out);
  CHECK(bench.done().empty());
  CHECK(bench.session.is_closed());
}

TEST_CASE("a client that closes gets a noop for the GET that waits", "[signaling]") {
  Bench bench;
  bench.get(1);
  bench.post(2,
             "1\x1e"
             "4late");
  CHECK(bench.done() == "1: 200 6\n2: 200 ok\n");
  CHECK(bench.session.is_closed());
}

TEST_CASE("pings go out every interval, and want a pong in time", "[signaling]") {
  Bench bench;
  SECTION("over polling") {
    for (int i = 0; i < 3; ++i) {
      CHECK(bench.session.next_deadline() == bench.instant + 25s);
      bench.get(1);
      bench.advance(24'999ms);
      CHECK(bench.done().empty());
      bench.advance(1ms);
      CHECK(bench.done() == "1: 200 2\n");
      CHECK(bench.session.next_deadline() == bench.instant + 20s);
      bench.advance(10s);
      bench.post(2, "3");
      CHECK(bench.done() == "2: 200 ok\n");
    }
  }
  SECTION("over a WebSocket") {
    bench.session.open_by_socket(ConnectionId{1}, bench.out);
    (void)bench.done();
    bench.advance(25s);
    CHECK(bench.done() == "1: text 2\n");
    bench.say(1, "3");
    bench.advance(25s);
    CHECK(bench.done() == "1: text 2\n");
    bench.advance(20s);
    CHECK(bench.done() == "1: close\n");
    CHECK(bench.session.is_closed());
  }
  SECTION("without an answer") {
    bench.advance(25s);
    bench.advance(19'999ms);
    CHECK_FALSE(bench.session.is_closed());
    bench.advance(1ms);
    CHECK(bench.session.is_closed());
  }
  SECTION("a ping of the client is an error") {
    bench.post(1, "2");
    CHECK(bench.session.is_closed());
  }
}

TEST_CASE("a session goes over to a WebSocket without losing anything", "[signaling]") {
  Bench bench;
  bench.get(1);
  REQUIRE(bench.session.may_upgrade());
  bench.session.begin_upgrade(ConnectionId{9}, bench.instant);
  CHECK_FALSE(bench.session.may_upgrade());
  bench.say(9, "2probe");
  CHECK(bench.done() == "9: text 3probe\n1: 200 6\n");
  bench.get(2);
  CHECK(bench.done() == "2: 200 6\n");
  bench.session.send_text("while it changes");
  bench.post(3, "4still polling");
  CHECK(bench.done() == "heard still polling\n3: 200 ok\n");
  bench.say(9, "5");
  CHECK(bench.done() == "9: text 4while it changes\n");
  CHECK_FALSE(bench.session.is_polling());
  bench.say(9, "4hello");
  CHECK(bench.done() == "heard hello\n");
}

TEST_CASE("what waits is sent to the GET rather than a noop", "[signaling]") {
  Bench bench;
  bench.session.begin_upgrade(ConnectionId{9}, bench.instant);
  bench.say(9, "2probe");
  (void)bench.done();
  bench.session.send_text("a");
  bench.get(1);
  CHECK(bench.done() == "1: 200 4a\n");
}

TEST_CASE("an upgrade without a probe is one", "[signaling]") {
  Bench bench;
  bench.get(1);
  bench.session.begin_upgrade(ConnectionId{9}, bench.instant);
  bench.say(9, "5");
  CHECK(bench.done() == "1: 200 6\n");
  bench.session.send_binary("\x01");
  CHECK(bench.done() == "9: binary \x01\n");
}

TEST_CASE("an upgrade that goes wrong leaves the session polling", "[signaling]") {
  Bench bench;
  bench.session.begin_upgrade(ConnectionId{9}, bench.instant);
  SECTION("another packet") {
    bench.say(9, "4hello");
    CHECK(bench.done() == "9: close\n");
  }
  SECTION("no packet") {
    bench.say(9, "x");
    CHECK(bench.done() == "9: close\n");
  }
  SECTION("bytes") {
    bench.session.on_binary(ConnectionId{9}, "x", bench.out);
    CHECK(bench.done() == "9: close\n");
  }
  SECTION("nothing in time") {
    CHECK(bench.session.next_deadline() == bench.instant + 10s);
    bench.advance(10s);
    CHECK(bench.done() == "9: close\n");
  }
  SECTION("its end") { bench.session.on_socket_ended(ConnectionId{9}); }
  CHECK(bench.session.is_polling());
  CHECK(bench.session.may_upgrade());
  CHECK(bench.session.next_deadline() > bench.instant + 10s);
}

TEST_CASE("a WebSocket's end is the session's, and so are its errors", "[signaling]") {
  Bench bench;
  bench.session.open_by_socket(ConnectionId{1}, bench.out);
  (void)bench.done();
  SECTION("end") {
    bench.session.on_socket_ended(ConnectionId{1});
    CHECK(bench.done().empty());
  }
  SECTION("close packet") {
    bench.say(1, "1");
    CHECK(bench.done() == "1: close\n");
  }
  SECTION("no packet") {
    bench.say(1, "abc");
    CHECK(bench.done() == "1: close\n");
  }
  CHECK(bench.session.is_closed());
}

TEST_CASE("what is said before the server closes is sent", "[signaling]") {
  Bench bench;
  SECTION("over polling") {
    bench.get(1);
    bench.session.send_text("bye");
    bench.session.close(bench.out);
    CHECK(bench.done() ==
          "1: 200 4bye\x1e"
          "1\n");
  }
  SECTION("over a WebSocket, also the one on its way") {
    bench.session.begin_upgrade(ConnectionId{8}, bench.instant);
    bench.say(8, "5");
    bench.session.send_text("bye");
    bench.session.close(bench.out);
    CHECK(bench.done() == "8: text 4bye\n8: close\n");
  }
  SECTION("and the probe ends with it") {
    bench.session.begin_upgrade(ConnectionId{9}, bench.instant);
    bench.session.close(bench.out);
    CHECK(bench.done() == "9: close\n");
  }
  CHECK(bench.session.is_closed());
  bench.session.send_text("late");
  CHECK(bench.done().empty());
}

TEST_CASE("a client that does not fetch what waits for it is dropped", "[signaling][hostile]") {
  Bench bench;
  bench.settings.max_queued_bytes = 1000;
  for (int i = 0; i < 5; ++i) bench.session.send_text(std::string(100, 'a'));
  CHECK(bench.done().empty());
  CHECK_FALSE(bench.session.is_closed());
  for (int i = 0; i < 5; ++i) bench.session.send_text(std::string(100, 'a'));
  CHECK(bench.done().empty());
  CHECK(bench.session.is_closed());
  CHECK(bench.session.queued_bytes() == 0);
}

}  // namespace turnpike::signaling::test
