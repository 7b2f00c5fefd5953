#include "signaling/openvidu_door.h"

#include "catch.h"
#include "signaling/house.h"
#include "signaling/responses.h"
#include "signaling/token.h"

namespace turnpike::signaling::test {

namespace {

using namespace std::chrono_literals;

OpenViduDoor::Settings with_key() {
  OpenViduDoor::Settings settings;
  settings.key = OpenViduDoor::Key{"web", HmacSha256Key{bytes_of(api_secret)}};
  return settings;
}

struct Fixture {
  explicit Fixture(OpenViduDoor::Settings settings = {}, JoinAuth auth = JoinAuth::open)
      : house(auth), door(house.doors, settings, random) {
    house.doors.add(door);
  }
  /// The response to a POST.
  std::string post(std::string_view path, std::string_view body, std::string_view headers = "") {
    const std::uint64_t client = house.connect();
    house.receive(client, "POST " + std::string{path} + " HTTP/1.1\r\nHost: turn.example\r\n" +
                              std::string{headers} + "Content-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + std::string{body});
    return house.read(client);
  }
  std::string make_session(std::string_view name) {
    return post("/api/sessions", R"({"customSessionId":")" + std::string{name} + "\"}");
  }
  std::string make_connection(std::string_view session) {
    return post("/api/sessions/" + std::string{session} + "/connections", "{}");
  }
  std::string join(std::string_view room, std::string_view token) {
    const std::uint64_t client = house.connect_native();
    house.say(client, R"({"type":"join","room":")" + std::string{room} + R"(","token":")" +
                          std::string{token} + "\"}");
    return house.hear(client);
  }

  turnpike::test::SeededRandom random{7};
  House house;
  OpenViduDoor door;
};

std::string body_of(std::string_view response) {
  return std::string{response.substr(response.find("\r\n\r\n") + 4)};
}

std::string after(std::string_view text, std::string_view part) {
  const std::size_t at = text.find(part);
  return at == std::string_view::npos ? "" : std::string{text.substr(at + part.size())};
}

}  // namespace

TEST_CASE("a session is answered with its name, and nothing more", "[signaling]") {
  Fixture fixture;
  const std::string response = fixture.make_session("SessionA");
  CHECK(status_of(response) == 200);
  CHECK(has(response, "Content-Type: text/plain; charset=utf-8\r\n"));
  CHECK(body_of(response) == "SessionA");
  CHECK(body_of(fixture.make_session("SessionA")) == "SessionA");
  CHECK(fixture.door.session_count() == 1);
  CHECK(fixture.house.rooms.room_count() == 1);
}

TEST_CASE("a session without a name is given one", "[signaling]") {
  Fixture fixture;
  for (const std::string_view body : {"", "{}", R"({"customSessionId":""})",
                                      R"({"customSessionId":null,"mediaMode":"ROUTED"})"}) {
    CAPTURE(body);
    const std::string response = fixture.post("/api/sessions", body);
    CHECK(status_of(response) == 200);
    CHECK(body_of(response).starts_with("ses_"));
    CHECK(body_of(response).size() == 36);
  }
  CHECK(fixture.door.session_count() == 4);
}

TEST_CASE("what cannot be a session's name is refused", "[signaling][hostile]") {
  Fixture fixture;
  for (const std::string_view body :
       {"{", "[]", "\"SessionA\"", R"({"customSessionId":1})", R"({"customSessionId":"a b"})",
        R"({"customSessionId":"../x"})", R"({"customSessionId":"a&room=b"})",
        R"({"customSessionId":"a","customSessionId":"b"})"}) {
    CAPTURE(body);
    CHECK(status_of(fixture.post("/api/sessions", body)) == 400);
  }
  CHECK(status_of(fixture.make_session(std::string(65, 'a'))) == 400);
  CHECK(fixture.house.rooms.room_count() == 0);
}

TEST_CASE("a connection is answered with the way to the session's room", "[signaling]") {
  Fixture fixture;
  (void)fixture.make_session("SessionA");
  const std::string response = fixture.make_connection("SessionA");
  CHECK(status_of(response) == 200);
  CHECK(body_of(response) == "wss://turn.example/v1/ws?sessionId=SessionA&room=openvidu-SessionA");
  CHECK(has(fixture.join("openvidu-SessionA", ""), "joined"));
}

TEST_CASE("where a webhook decides, it is asked about who comes to a session's room",
          "[signaling]") {
  Fixture fixture{{}, JoinAuth::webhook};
  (void)fixture.make_session("SessionA");
  CHECK(status_of(fixture.make_connection("SessionA")) == 200);
  CHECK(fixture.house.asked().empty());
  const std::uint64_t client = fixture.house.connect_native();
  fixture.house.say(client, R"({"type":"join","room":"openvidu-SessionA"})");
  CHECK(has(fixture.house.asked(), R"("room":"openvidu-SessionA")"));
  SECTION("and lets him in") {
    fixture.house.answer(WebhookAnswer{true, "", Role::member, {}, {}});
    CHECK(has(fixture.house.hear(client), "joined"));
  }
  SECTION("or does not") {
    fixture.house.answer(WebhookAnswer{});
    CHECK(has(fixture.house.hear(client), "forbidden"));
  }
}

TEST_CASE("where tokens are asked for, a connection has one for its session alone", "[signaling]") {
  Fixture fixture{with_key(), JoinAuth::token};
  (void)fixture.make_session("SessionA");
  const std::string token = after(body_of(fixture.make_connection("SessionA")), "&token=");
  CHECK(has(fixture.join("openvidu-SessionA", token), R"("role":"member")"));
  CHECK(has(fixture.join("SessionA", token), "forbidden"));
  CHECK(has(fixture.join("openvidu-SessionA", ""), "unauthorized"));
  const std::string other = after(body_of(fixture.make_connection("SessionA")), "&token=");
  CHECK(has(fixture.join("openvidu-SessionA", other), R"("n":2)"));
  CHECK(fixture.house.rooms.member_count() == 2);
}

TEST_CASE("a token is over after an hour", "[signaling]") {
  Fixture fixture{with_key(), JoinAuth::token};
  (void)fixture.make_session("SessionA");
  const std::string token = after(body_of(fixture.make_connection("SessionA")), "&token=");
  fixture.house.advance(1h);
  CHECK(has(fixture.join("openvidu-SessionA", token), "token_expired"));
}

TEST_CASE("there are no connections to what is no session", "[signaling]") {
  Fixture fixture;
  (void)fixture.make_session("SessionA");
  CHECK(status_of(fixture.make_connection("SessionB")) == 404);
  CHECK(status_of(fixture.post("/api/sessions/SessionA", "")) == 404);
  CHECK(status_of(fixture.post("/api/sessions/connections", "")) == 404);
  CHECK(status_of(fixture.post("/api/sessions/SessionA/connections/x", "")) == 404);
  const std::uint64_t client = fixture.house.connect();
  fixture.house.receive(client, "POST /api/sessions/SessionA/connections HTTP/1.0\r\n\r\n");
  CHECK(status_of(fixture.house.read(client)) == 400);  // without a Host there is no address
}

TEST_CASE("a session holds as many as a mesh may have", "[signaling]") {
  OpenViduDoor::Settings settings;
  settings.max_peers = 2;
  Fixture fixture{settings};
  (void)fixture.make_session("SessionA");
  CHECK(has(fixture.join("openvidu-SessionA", ""), "joined"));
  CHECK(has(fixture.join("openvidu-SessionA", ""), "joined"));
  CHECK(has(fixture.join("openvidu-SessionA", ""), "room_full"));
}

TEST_CASE("a session that nobody uses is over after ten minutes, and its room with it",
          "[signaling]") {
  Fixture fixture;
  (void)fixture.make_session("SessionA");
  fixture.house.advance(5min);
  (void)fixture.make_session("SessionB");
  (void)fixture.make_connection("SessionA");
  CHECK(has(fixture.join("openvidu-SessionB", ""), "joined"));
  CHECK(fixture.house.rooms.room_count() == 2);
  fixture.house.advance(10min);
  CHECK(status_of(fixture.make_connection("SessionA")) == 404);
  fixture.house.advance(10min);  // whoever was in the other one does not answer, and then is gone
  fixture.house.advance(10min);
  CHECK(fixture.door.session_count() == 0);
  CHECK(fixture.house.rooms.room_count() == 0);
  CHECK_FALSE(fixture.house.doors.next_deadline());
}

TEST_CASE("a session in use goes on, and a room that was there before is not ended",
          "[signaling]") {
  Fixture fixture;
  Rooms::RoomSettings room;
  room.id = "openvidu-SessionA";
  CHECK(fixture.house.rooms.create(room) == Rooms::Created::made);
  (void)fixture.make_session("SessionA");
  SECTION("nobody is in it") {
    fixture.house.advance(10min);
    CHECK(fixture.door.session_count() == 0);
  }
  SECTION("another door has somebody in it") {
    const auto entered =
        fixture.house.rooms.enter(ConnectionId{1000}, {}, {room.id, "", "", {}},
                                  fixture.house.now(), fixture.house.doors.effects());
    CHECK(entered);
    fixture.house.advance(10min);
    CHECK(fixture.door.session_count() == 1);
  }
  CHECK(fixture.house.rooms.room_count() == 1);
}

TEST_CASE("sessions are bounded", "[signaling][hostile]") {
  OpenViduDoor::Settings settings;
  settings.max_sessions = 2;
  Fixture fixture{settings};
  for (const char* const name : {"a", "b"}) CHECK(status_of(fixture.make_session(name)) == 200);
  CHECK(status_of(fixture.make_session("c")) == 503);
  CHECK(status_of(fixture.make_session("b")) == 200);
  CHECK(fixture.house.rooms.room_count() == 2);
}

TEST_CASE("one address may ask only so often", "[signaling][hostile]") {
  OpenViduDoor::Settings settings;
  settings.requests_per_minute = 2;
  Fixture fixture{settings};
  (void)fixture.make_session("a");
  (void)fixture.make_connection("a");
  const std::string refusal = fixture.make_connection("a");
  CHECK(status_of(refusal) == 429);
  CHECK(has(refusal, "Retry-After: 60\r\n"));
  fixture.house.advance(30s);
  CHECK(status_of(fixture.make_connection("a")) == 200);
}

TEST_CASE("pages of other sites may not ask unless they are allowed", "[signaling][hostile]") {
  Fixture fixture;
  CHECK(status_of(fixture.post("/api/sessions", "{}", "Origin: https://elsewhere.example\r\n")) ==
        403);
  CHECK(status_of(fixture.post("/api/sessions", "{}", "Origin: https://turn.example\r\n")) == 200);
}

}  // namespace turnpike::signaling::test
