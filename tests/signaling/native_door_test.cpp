#include "signaling/native_door.h"

#include <map>
#include <string>

#include "base/seeded_random.h"
#include "catch.h"
#include "signaling/json.h"
#include "signaling/websocket_client.h"

namespace turnpike::signaling::test {

namespace {

using namespace std::chrono_literals;

class NoIce final : public IceSource {
 public:
  IceServers ice_servers(const IceRequest&, WallTime now_wall) override {
    return {{}, now_wall + 1h};
  }
};

/// Rooms, door and connections, driven as a server would: everything but the sockets.
class House {
 public:
  explicit House(JoinAuth auth = JoinAuth::open) : rooms(settings(auth), keys_, ice_, random_) {}

  /// A client whose WebSocket is open.
  std::uint64_t connect(std::string_view headers = "") {
    const ConnectionId id{++last_};
    connections_.try_emplace(id, site_, limits, now().instant);
    receive(last_, "GET /v1/ws HTTP/1.1\r\nHost: turn.example\r\n" + std::string{headers} +
                       "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Protocol: turnpike.v1\r\n\r\n");
    return last_;
  }
  void receive(std::uint64_t client, std::string_view bytes) {
    HttpConnection& connection = at(client);
    std::vector<ConnectionEvent> events;
    connection.receive(bytes_of(bytes), now(), events);
    handle(client, events);
  }
  void say(std::uint64_t client, std::string_view json) {
    receive(client, client_frame(opcode::text, json));
  }
  void lose(std::uint64_t client) {
    std::vector<ConnectionEvent> events;
    at(client).lost(events);
    handle(client, events);
    connections_.erase(ConnectionId{client});
  }
  /// What the server has sent it, frame by frame; without the answer to the opening.
  std::string hear(std::uint64_t client) {
    HttpConnection& connection = at(client);
    std::string bytes{text_of(connection.output())};
    connection.take_output(bytes.size(), now().instant);
    if (bytes.starts_with("HTTP/1.1 101")) bytes.erase(0, bytes.find("\r\n\r\n") + 4);
    return describe_frames(bytes);
  }
  std::string join(std::string_view room) {
    const std::uint64_t client = connect();
    say(client, R"({"type":"join","room":")" + std::string{room} + R"("})");
    return hear(client);
  }
  void advance(seconds duration) {
    elapsed_ += duration;
    door.on_deadline(now());
  }
  HttpConnection& at(std::uint64_t client) { return connections_.at(ConnectionId{client}); }
  [[nodiscard]] Now now() const {
    return {Instant{seconds{1000}} + elapsed_, WallTime{seconds{1'800'000'000}} + elapsed_};
  }

 private:
  static Rooms::Settings settings(JoinAuth auth) {
    Rooms::Settings all;
    all.auth = auth;
    all.limits.joins_per_minute = 0;
    return all;
  }
  void handle(std::uint64_t client, const std::vector<ConnectionEvent>& events) {
    for (const ConnectionEvent& event : events) {
      door.on_event(ConnectionId{client}, at(client), IpAddress::v4(0xc6336407), event, now());
    }
  }

  FixedTokenKeys keys_{{}};
  NoIce ice_;
  turnpike::test::SeededRandom random_{7};
  Site site_{OriginPolicy{}, StaticFiles{}};
  seconds elapsed_{0};
  std::uint64_t last_ = 0;
  std::map<ConnectionId, HttpConnection> connections_;

 public:
  ConnectionLimits limits;
  Rooms rooms;
  NativeDoor door{rooms};
};

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("two clients meet in a room", "[signaling]") {
  House house;
  const std::uint64_t mina = house.connect();
  house.say(mina, R"({"type":"join","room":"demo","name":"Mina"})");
  CHECK(has(house.hear(mina), R"("type":"joined")"));
  (void)house.door.take_touched();
  const std::uint64_t omar = house.connect();
  house.say(omar, R"({"type":"join","room":"demo","name":"Omar"})");
  CHECK(has(house.hear(omar), R"("name":"Mina")"));
  CHECK(has(house.hear(mina), R"("type":"peer-joined")"));
  CHECK(house.door.take_touched() == std::vector{ConnectionId{mina}, ConnectionId{omar}});
  CHECK(house.door.take_touched().empty());

  house.say(omar, R"({"type":"message","event":"chat","data":"hello"})");
  CHECK(has(house.hear(mina), R"("data":"hello")"));
  CHECK(house.hear(omar).empty());
}

TEST_CASE("a client that closes with 1000 has left, one that breaks is away", "[signaling]") {
  House house;
  CHECK(has(house.join("demo"), "joined"));
  const std::uint64_t omar = house.connect();
  house.say(omar, R"({"type":"join","room":"demo"})");
  (void)house.hear(1);
  SECTION("closed") {
    house.receive(omar, client_close(1000, ""));
    CHECK(has(house.hear(1), R"("peer-left")"));
    CHECK(house.rooms.member_count() == 1);
  }
  SECTION("broken") {
    house.lose(omar);
    CHECK(has(house.hear(1), "peer-away"));
    CHECK(house.rooms.member_count() == 2);
  }
  CHECK(house.door.connection_count() == 1);
  CHECK(house.rooms.connection_count() == 1);
}

TEST_CASE("what the rooms close is closed, and forgotten", "[signaling]") {
  House house;
  const std::uint64_t client = house.connect();
  house.advance(10s);
  const std::string heard = house.hear(client);
  CHECK(has(heard, R"("code":"join_timeout")"));
  CHECK(has(heard, "close 4408 join_timeout\n"));
  CHECK(house.door.connection_count() == 0);
  house.say(client, R"({"type":"join","room":"demo"})");
  house.receive(client, client_close(4408, ""));
  CHECK(house.hear(client).empty());
  CHECK(house.at(client).wants_close());
  house.lose(client);
  CHECK(house.rooms.member_count() == 0);
}

TEST_CASE("a binary message is closed with 1003", "[signaling]") {
  House house;
  const std::uint64_t client = house.connect();
  house.receive(client, client_frame(opcode::binary, "a") + client_frame(opcode::text, "{}"));
  CHECK(house.hear(client) == "close 1003 turnpike.v1 is text\n");
  CHECK(house.rooms.connection_count() == 0);
  CHECK(house.door.connection_count() == 0);
}

TEST_CASE("H16: a member that reads too slowly is away, and the others are told",
          "[signaling][hostile]") {
  House house;
  house.limits.max_queued_bytes = 10'000;
  CHECK(has(house.join("demo"), "joined"));
  CHECK(has(house.join("demo"), "joined"));
  const std::string text(4'000, 'a');
  (void)house.hear(1);
  for (int i = 0; i < 3; ++i) {
    house.say(1, R"({"type":"message","event":"chat","data":")" + text + R"("})");
  }
  CHECK(has(house.hear(2), "close 1013 reads too slowly\n"));
  CHECK(has(house.hear(1), "peer-away"));
  CHECK(house.rooms.member_count() == 2);
  CHECK(house.rooms.connection_count() == 1);
}

TEST_CASE("the webhook is asked with the origin, and its answer lets in", "[signaling]") {
  House house{JoinAuth::webhook};
  const std::uint64_t client = house.connect("Origin: https://turn.example\r\n");
  house.say(client, R"({"type":"join","room":"demo"})");
  const auto questions = house.door.take_questions();
  REQUIRE(questions.size() == 1);
  CHECK(has(questions[0].body, R"("origin":"https://turn.example")"));
  CHECK(house.hear(client).empty());
  WebhookAnswer yes;
  yes.allow = true;
  house.door.on_webhook_answer(questions[0].connection, yes, house.now());
  CHECK(has(house.hear(client), "joined"));
}

TEST_CASE("the operator's doings reach the connections", "[signaling]") {
  House house;
  CHECK(has(house.join("demo"), "joined"));
  CHECK(house.rooms.end("demo", house.door.effects()));
  house.door.carry_out_all(house.now());
  const std::string heard = house.hear(1);
  CHECK(has(heard, R"("closed")"));
  CHECK(has(heard, "close 4410"));
}

}  // namespace turnpike::signaling::test
