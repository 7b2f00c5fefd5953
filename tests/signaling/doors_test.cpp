#include "signaling/doors.h"

#include <string>
#include <vector>

#include "catch.h"
#include "signaling/house.h"

namespace turnpike::signaling::test {

namespace {

using namespace std::chrono_literals;

/// Writes down what it hears, and does what it is told to.
class Recorder final : public Door {
 public:
  explicit Recorder(Doors& doors) : doors_(doors) {}

  [[nodiscard]] std::vector<Route> routes() const override {
    return {{"/ask", RouteKind::application, {Method::get, Method::post}},
            {"/both", RouteKind::either, {Method::get}}};
  }
  void on_asked(ConnectionId id, const Asked& asked, Now now) override {
    heard += "asked " + std::to_string(asked.route) + asked.request.body + "\n";
    address = doors_.address_of(id);
    if (answers_at_once) doors_.respond(id, text_response(200, "here"), now);
    if (asked.may_open) doors_.open(id, now);
  }
  void on_withdrawn(ConnectionId, Now) override { heard += "withdrawn\n"; }
  void on_opened(ConnectionId, const Opened& opened, Now) override {
    heard += "opened " + std::to_string(opened.route) + "\n";
  }
  void on_text(ConnectionId id, std::string_view text, Now now) override {
    heard.append("text ").append(text).append("\n");
    if (text == "echo") doors_.send_text(id, "echo", now);
    if (text == "close") doors_.close(id, 4000, "asked to", now);
    if (text == "flood") {
      for (int i = 0; i < 5; ++i) doors_.send_binary(id, std::string(300'000, 'a'), now);
    }
  }
  void on_binary(ConnectionId, std::string_view, Now) override { heard += "binary\n"; }
  void on_ended(ConnectionId, std::uint16_t code, Now) override {
    heard += "ended " + std::to_string(code) + "\n";
  }
  void perform(ConnectionId, const Effect& effect, Now) override {
    heard += std::holds_alternative<SendText>(effect) ? "perform text\n" : "perform\n";
  }
  void on_deadline(Now) override { heard += "deadline\n"; }
  [[nodiscard]] std::optional<Instant> next_deadline() const override { return deadline; }

  std::string take() { return std::exchange(heard, {}); }

  std::string heard;
  bool answers_at_once = false;
  std::optional<Instant> deadline;
  IpAddress address;

 private:
  Doors& doors_;
};

struct Fixture {
  Fixture() { house.doors.add(recorder); }
  House house;
  Recorder recorder{house.doors};
};

}  // namespace

TEST_CASE("a door hears of its own routes, counted from its first", "[signaling]") {
  Fixture fixture;
  const std::uint64_t client = fixture.house.connect();
  fixture.house.receive(client, "POST /ask HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
  CHECK(fixture.recorder.take() == "asked 0hi\n");
  const std::uint64_t native = fixture.house.connect_native();
  fixture.house.say(native, R"({"type":"join","room":"demo"})");
  CHECK(fixture.recorder.take().empty());
  CHECK(has(fixture.house.hear(native), "joined"));
}

TEST_CASE("an answer may come at once, and the next request is read after it", "[signaling]") {
  Fixture fixture;
  fixture.recorder.answers_at_once = true;
  const std::uint64_t client = fixture.house.connect();
  fixture.house.receive(client,
                        "GET /ask HTTP/1.1\r\nHost: a\r\n\r\nGET /ask HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(fixture.recorder.take() == "asked 0\nasked 0\n");
  CHECK(fixture.house.read(client).ends_with("here\n"));
  CHECK(fixture.house.doors.take_touched() == std::vector{ConnectionId{client}});
}

TEST_CASE("an answer that comes late is for the client that still waits", "[signaling]") {
  Fixture fixture;
  const std::uint64_t client = fixture.house.connect();
  fixture.house.receive(client, "GET /ask HTTP/1.1\r\nHost: a\r\n\r\n");
  fixture.house.doors.respond(ConnectionId{client}, text_response(200, "late"),
                              fixture.house.now());
  fixture.house.doors.respond(ConnectionId{client}, text_response(200, "twice"),
                              fixture.house.now());
  const std::string read = fixture.house.read(client);
  CHECK(read.ends_with("late\n"));

  fixture.house.receive(client, "GET /ask HTTP/1.1\r\nHost: a\r\n\r\n");
  (void)fixture.recorder.take();
  fixture.house.lose(client);
  CHECK(fixture.recorder.take() == "withdrawn\n");
  fixture.house.doors.respond(ConnectionId{client}, text_response(200, "later"),
                              fixture.house.now());
  CHECK(fixture.house.doors.connection_count() == 0);
}

TEST_CASE("a page of the same host gets no CORS header, but caches are told", "[signaling]") {
  Fixture fixture;
  fixture.recorder.answers_at_once = true;
  const std::uint64_t client = fixture.house.connect();
  fixture.house.receive(client, "GET /ask HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n");
  const std::string read = fixture.house.read(client);
  CHECK(has(read, "Vary: Origin"));
  CHECK_FALSE(has(read, "Access-Control"));
}

TEST_CASE("only a reverse proxy is believed whom it speaks for", "[signaling][hostile]") {
  Fixture fixture;
  const auto ask = [&](std::string_view forwarded) {
    const std::uint64_t client = fixture.house.connect();
    fixture.house.receive(client,
                          "GET /ask HTTP/1.1\r\nHost: a\r\n" + std::string{forwarded} + "\r\n");
    return fixture.recorder.address.to_string();
  };
  CHECK(ask("X-Forwarded-For: 192.0.2.9\r\n") == "198.51.100.7");
  fixture.house.peer = Doors::Peer::reverse_proxy;
  CHECK(ask("X-Forwarded-For: 192.0.2.9\r\n") == "192.0.2.9");
  CHECK(ask("X-Forwarded-For: 10.0.0.1, 192.0.2.9\r\nX-Forwarded-For: 2001:db8::1\r\n") ==
        "2001:db8::1");
  CHECK(ask("X-Forwarded-For: unknown\r\n") == "198.51.100.7");
  CHECK(ask("") == "198.51.100.7");
}

TEST_CASE("a WebSocket is its door's until one of them closes it", "[signaling]") {
  Fixture fixture;
  const std::uint64_t client = fixture.house.connect_socket("/both");
  CHECK(fixture.recorder.take() == "asked 1\nopened 1\n");
  fixture.house.say(client, "echo");
  fixture.house.receive(client, client_frame(opcode::binary, "a"));
  CHECK(fixture.house.hear(client) == "text echo\n");
  CHECK(fixture.recorder.take() == "text echo\nbinary\n");
  SECTION("the client") {
    fixture.house.receive(client, client_close(1000, ""));
    CHECK(fixture.recorder.take() == "ended 1000\n");
  }
  SECTION("the network") {
    fixture.house.lose(client);
    CHECK(fixture.recorder.take() == "ended 1006\n");
  }
  SECTION("the door: what was under way is not heard") {
    fixture.house.receive(client,
                          client_frame(opcode::text, "close") + client_frame(opcode::text, "a"));
    CHECK(fixture.recorder.take() == "text close\n");
    CHECK(fixture.house.hear(client) == "close 4000 asked to\n");
    fixture.house.lose(client);
    CHECK(fixture.recorder.take().empty());
  }
  SECTION("the server, when it reads too slowly") {
    fixture.house.say(client, "flood");
    CHECK(fixture.recorder.take() == "text flood\nended 1006\n");
    CHECK(has(fixture.house.hear(client), "close 1013"));
  }
}

TEST_CASE("effects for members that are no connection come to their door", "[signaling]") {
  Fixture fixture;
  Doors& doors = fixture.house.doors;
  const ConnectionId member = doors.new_member(fixture.recorder);
  doors.effects().text(member, make_frame("a"));
  doors.settle(fixture.house.now());
  CHECK(fixture.recorder.take() == "perform text\n");
  doors.forget_member(member);
  doors.effects().text(member, make_frame("b"));
  doors.settle(fixture.house.now());
  CHECK(fixture.recorder.take().empty());
}

TEST_CASE("the next deadline is the earliest of rooms and doors", "[signaling]") {
  Fixture fixture;
  CHECK_FALSE(fixture.house.doors.next_deadline());
  (void)fixture.house.connect_native();
  const Instant join_by = fixture.house.now().instant + 10s;
  CHECK(fixture.house.doors.next_deadline() == join_by);
  fixture.recorder.deadline = join_by - 1s;
  CHECK(fixture.house.doors.next_deadline() == join_by - 1s);
  fixture.house.advance(1s);
  CHECK(fixture.recorder.take() == "deadline\n");
}

TEST_CASE("a door may stream its answer until the client goes", "[signaling]") {
  Fixture fixture;
  House& house = fixture.house;
  const std::uint64_t client = house.connect();
  const ConnectionId id{client};
  house.receive(client, "GET /ask HTTP/1.1\r\nHost: a\r\nOrigin: http://a\r\n\r\n");
  house.doors.begin_stream(id, Response{200}, house.now());
  CHECK(has(house.read(client), "Vary: Origin"));
  (void)house.doors.take_touched();
  CHECK(house.doors.send_part(id, "part", house.now()));
  CHECK(house.doors.take_touched() == std::vector{id});
  CHECK(house.read(client) == "part");
  (void)fixture.recorder.take();

  SECTION("of its own accord") {
    house.lose(client);
    CHECK(fixture.recorder.take() == "withdrawn\n");
    CHECK(house.doors.send_part(id, "late", house.now()));
  }
  SECTION("or because the door ends it") {
    house.doors.end_stream(id, house.now());
    CHECK(house.at(client).wants_close());
    house.lose(client);
    CHECK(fixture.recorder.take().empty());
  }
}

}  // namespace turnpike::signaling::test
