#include "signaling/rest_door.h"

#include "catch.h"
#include "signaling/house.h"
#include "signaling/rest_house.h"

namespace turnpike::signaling::test {

using namespace std::chrono_literals;

TEST_CASE("without an API key there is nothing, not even a 404", "[signaling][H12][A12]") {
  RestHouse house;
  for (const char* const path :
       {"/v1/rooms", "/v1/rooms/demo", "/v1/rooms/none/such", "/v1/node", "/turn?service=turn"}) {
    const Answer answer = house.ask_bare("GET", path, "");
    CHECK(answer.status == 401);
    CHECK(answer.json["error"]["code"] == "unauthorized");
    CHECK(answer.header("WWW-Authenticate") == R"(Bearer realm="turnpike")");
  }
}

TEST_CASE("H12: a cookie lets nobody in", "[signaling][hostile][H12]") {
  RestHouse house;
  const std::string key{api_secret};
  for (const std::string& cookie :
       {key, "key=" + key, "token=" + key, "Authorization=Bearer " + key}) {
    CAPTURE(cookie);
    CHECK(house.ask_bare("GET", "/v1/rooms", "Cookie: " + cookie + "\r\n").status == 401);
  }
}

TEST_CASE("a key that is unknown, and one that is nearly right, get the same answer",
          "[signaling]") {
  RestHouse house;
  const std::string nearly = std::string{api_secret}.substr(1) + "0";
  const auto with = [&house](std::string_view authorization) {
    return house.ask_bare("GET", "/v1/rooms",
                          "Authorization: " + std::string{authorization} + "\r\n");
  };
  const Answer unknown = with("Bearer x");
  CHECK(unknown.status == 401);
  CHECK(has(unknown.header("WWW-Authenticate"), "invalid_token"));
  CHECK(with("Bearer " + nearly).body == unknown.body);
  CHECK(with("Bearer").status == 401);
  CHECK(with("Basic " + std::string{api_secret}).status == 401);
  CHECK(with(std::string{api_secret}).status == 401);
  CHECK(with("bearer " + std::string{api_secret}).status == 200);
  const std::string twice = "Bearer x\r\nAuthorization: Bearer " + std::string{api_secret};
  CHECK(with(twice).status == 401);
}

TEST_CASE("a room is made, seen, changed, listed and ended", "[signaling]") {
  RestHouse house;
  const Answer made = house.ask("POST", "/v1/rooms", R"({"id":"demo","max":4,"meta":{"t":1}})");
  CHECK(made.status == 201);
  CHECK(made.header("Cache-Control") == "no-store");
  CHECK(made.json == Json{{"id", "demo"},
                          {"max", 4},
                          {"locked", false},
                          {"meta", {{"t", 1}}},
                          {"peers", 0},
                          {"kind", "native"}});
  CHECK(house.ask("POST", "/v1/rooms", R"({"id":"demo"})").status == 409);
  CHECK(house.ask("GET", "/v1/rooms/demo").json == made.json);

  const Answer changed = house.ask("PATCH", "/v1/rooms/demo", R"({"locked":true,"max":2})");
  CHECK(changed.status == 200);
  CHECK(changed.json["locked"] == true);
  CHECK(changed.json["max"] == 2);
  CHECK(changed.json["meta"] == Json{{"t", 1}});
  CHECK(house.ask("GET", "/v1/rooms").json["rooms"] == Json::array({changed.json}));

  CHECK(house.ask("DELETE", "/v1/rooms/demo").status == 204);
  for (const auto& [method, path, body] : std::vector<std::array<std::string, 3>>{
           {"DELETE", "/v1/rooms/demo", ""},
           {"GET", "/v1/rooms/demo", ""},
           {"GET", "/v1/rooms/demo/peers", ""},
           {"DELETE", "/v1/rooms/demo/peers/p_1", ""},
           {"PATCH", "/v1/rooms/demo", R"({"max":2})"},
           {"POST", "/v1/rooms/demo/messages", R"({"event":"e","data":1})"}}) {
    const Answer answer = house.ask(method, path, body);
    CHECK(answer.status == 404);
    CHECK(answer.json["error"]["code"] == "not_found");
  }
}

TEST_CASE("a room with any characters is found by its coded path", "[signaling]") {
  RestHouse house;
  CHECK(house.ask("POST", "/v1/rooms", R"({"id":"회의 1?"})").status == 201);
  const Answer found = house.ask("GET", "/v1/rooms/%ED%9A%8C%EC%9D%98%201%3F");
  CHECK(found.status == 200);
  CHECK(found.json["id"] == "회의 1?");
}

TEST_CASE("rooms are listed in pages", "[signaling]") {
  RestHouse house;
  for (const char* const id : {"a", "b", "c"}) {
    CHECK(house.ask("POST", "/v1/rooms", std::string{R"({"id":")"} + id + R"("})").status == 201);
  }
  const Answer first = house.ask("GET", "/v1/rooms?limit=2");
  CHECK(first.json["rooms"].size() == 2);
  CHECK(first.json["next"] == "b");
  const Answer last = house.ask("GET", "/v1/rooms?limit=2&after=b");
  CHECK(last.json["rooms"].size() == 1);
  CHECK_FALSE(last.json.contains("next"));
  for (const char* const limit : {"0", "1001", "x", "2x", "-1", ""}) {
    CHECK(house.ask("GET", std::string{"/v1/rooms?limit="} + limit).status == 400);
  }
}

TEST_CASE("the operator's hand reaches those in the room", "[signaling]") {
  RestHouse house;
  CHECK(has(house.join("demo"), "joined"));
  const Answer peers = house.ask("GET", "/v1/rooms/demo/peers");
  REQUIRE(peers.json["peers"].size() == 1);
  CHECK(peers.json["peers"][0]["role"] == "owner");
  CHECK(peers.json["peers"][0]["away"] == false);

  const Answer told =
      house.ask("POST", "/v1/rooms/demo/messages", R"({"event":"notice","data":{"in":5}})");
  CHECK(told.status == 200);
  CHECK(told.json == Json{{"delivered", 1}});
  const std::string heard = house.hear(1);
  CHECK(has(heard, R"("from":"server")"));
  CHECK(has(heard, R"("data":{"in":5})"));

  const std::string peer = peers.json["peers"][0]["peer"];
  CHECK(house.ask("DELETE", "/v1/rooms/demo/peers/p_none").status == 404);
  CHECK(house.ask("DELETE", "/v1/rooms/demo/peers/" + peer).status == 204);
  CHECK(has(house.hear(1), "close 4403 kicked"));
}

TEST_CASE("ending a room closes it for everyone", "[signaling]") {
  RestHouse house;
  CHECK(has(house.join("demo"), "joined"));
  CHECK(house.ask("DELETE", "/v1/rooms/demo").status == 204);
  CHECK(has(house.hear(1), "close 4410 room_ended"));
}

TEST_CASE("a token from here opens the room that it is for", "[signaling]") {
  RestHouse house{JoinAuth::token};
  const Answer minted =
      house.ask("POST", "/v1/rooms/demo/tokens",
                R"({"sub":"u1","name":"Mina","role":"owner","ttl":600,"ice":{"relayOnly":true}})");
  CHECK(minted.status == 201);
  CHECK(minted.header("Cache-Control") == "no-store");
  CHECK(minted.json["room"] == "demo");
  CHECK(minted.json["expiresAt"] == "2027-01-15T08:10:00Z");
  const std::string token = minted.json["token"];
  const auto verified = verify_token(token, house.keys(), house.now().wall);
  REQUIRE(verified);
  CHECK(verified->key_id == "web");

  const std::uint64_t mina = house.connect_native();
  house.say(mina, R"({"type":"join","room":"demo","token":")" + token + R"("})");
  const std::string heard = house.hear(mina);
  CHECK(has(heard, R"("name":"Mina","role":"owner")"));
  CHECK(has(heard, R"("iceTransportPolicy":"relay")"));
  const std::uint64_t other = house.connect_native();
  house.say(other, R"({"type":"join","room":"other","token":")" + token + R"("})");
  CHECK(has(house.hear(other), "close 4403"));
}

TEST_CASE("a token can be had with no body at all", "[signaling]") {
  RestHouse house;
  const Answer minted = house.ask("POST", "/v1/rooms/demo/tokens");
  CHECK(minted.status == 201);
  const auto verified =
      verify_token(minted.json["token"].get<std::string>(), house.keys(), house.now().wall);
  REQUIRE(verified);
  CHECK(verified->claims.role == Role::member);
  CHECK(verified->claims.expires == house.now().wall + seconds{3600});
  CHECK(house.ask("POST", "/v1/rooms/" + std::string(129, 'x') + "/tokens").status == 400);
}

TEST_CASE("TURN credentials come in the shape of RTCConfiguration", "[signaling][A12]") {
  RestHouse house;
  const Answer made = house.ask("POST", "/v1/turn/credentials", R"({"user":"alice","ttl":600})");
  CHECK(made.status == 201);
  CHECK(made.header("Cache-Control") == "no-store");
  CHECK(made.json["iceServers"][0]["username"] == "1800000600:alice");
  CHECK(made.json["iceServers"][0]["credential"] == "pw");
  CHECK(made.json["expiresAt"] == "2027-01-15T08:10:00Z");
  CHECK(house.ask("POST", "/v1/turn/credentials").json["expiresAt"] == "2027-01-15T09:00:00Z");
  CHECK(house.ask("POST", "/v1/turn/credentials", R"({"ttl":86401})").status == 400);
}

TEST_CASE("the TURN REST convention is answered in both its spellings", "[signaling][A12]") {
  RestHouse house;
  for (const char* const name : {"key", "api"}) {
    const Answer answer = house.ask_bare(
        "GET",
        "/turn?service=turn&username=al%20ice&" + std::string{name} + "=" + std::string{api_secret},
        "");
    CHECK(answer.status == 200);
    CHECK(answer.header("Cache-Control") == "no-store");
    CHECK(answer.json == Json{{"username", "1800003600:al ice"},
                              {"password", "pw"},
                              {"ttl", 3600},
                              {"uris", {"turn:t.example:3478?transport=udp"}}});
  }
  CHECK(house.ask("GET", "/turn?service=turn").status == 200);  // the header will do
  CHECK(house.ask("GET", "/turn?service=stun").status == 400);
  CHECK(house.ask("GET", "/turn").status == 400);
  CHECK(house.ask("GET", "/turn?service=turn&username=a%01b").status == 400);
  const Answer wrong = house.ask_bare("GET", "/turn?service=turn&key=x", "");
  CHECK(wrong.status == 401);
  CHECK(has(wrong.header("WWW-Authenticate"), "invalid_token"));
  // Only there: elsewhere a key in the URL is none.
  CHECK(house.ask_bare("GET", "/v1/rooms?key=" + std::string{api_secret}, "").status == 401);
  house.ice.has_turn = false;
  CHECK(house.ask("GET", "/turn?service=turn").status == 503);
}

TEST_CASE("the node says what it is and how busy", "[signaling]") {
  RestHouse house;
  CHECK(has(house.join("demo"), "joined"));
  house.advance(1500ms);
  const Answer node = house.ask("GET", "/v1/node");
  CHECK(node.status == 200);
  CHECK(node.json == Json{{"version", "1.2.3"},
                          {"node", "n1"},
                          {"region", "kr"},
                          {"uptimeSeconds", 1},
                          {"rooms", 1},
                          {"peers", 1},
                          {"connections", 2}});
}

TEST_CASE("what is wrong with a request has its status and its place", "[signaling]") {
  RestHouse house;
  const Answer typo = house.ask("POST", "/v1/rooms", R"({"id":"a","lock":true})");
  CHECK(typo.status == 400);
  CHECK(typo.json["error"] ==
        Json{{"code", "bad_request"}, {"message", "lock is not known here."}});
  CHECK(house.ask("POST", "/v1/rooms", "{").status == 400);
  CHECK(house.ask("POST", "/v1/rooms", "[1]").status == 400);
  CHECK(house.ask("POST", "/v1/rooms", R"({"id":"a","id":"b"})").status == 400);
  CHECK(house.ask("POST", "/v1/rooms").status == 400);
  CHECK(house.ask("PATCH", "/v1/rooms/a", "{}").status == 400);
  CHECK(house.ask("POST", "/v1/rooms", R"({"id":")" + std::string(65'536, 'x') + R"("})").status ==
        413);
  CHECK(house.ask("GET", "/v1/rooms/a/b/c").status == 404);
  CHECK(house.ask("GET", "/v1/rooms/").status == 404);
  CHECK(house.ask("GET", "/v1/rooms/a/tokens/b").status == 404);

  const Answer method = house.ask("DELETE", "/v1/rooms");
  CHECK(method.status == 405);
  CHECK(method.header("Allow") == "GET, HEAD, POST");
  CHECK(method.json["error"]["code"] == "method_not_allowed");
  CHECK(house.ask("PUT", "/v1/rooms/a").header("Allow") == "GET, HEAD, PATCH, DELETE");

  const Answer form = house.ask_bare(
      "POST", "/v1/rooms",
      house.authorization() + "Content-Type: application/x-www-form-urlencoded\r\n", "id=a");
  CHECK(form.status == 415);
  CHECK(house
            .ask_bare("POST", "/v1/rooms",
                      house.authorization() + "Content-Type: Application/JSON; charset=utf-8\r\n",
                      R"({"id":"a"})")
            .status == 201);
}

TEST_CASE("HEAD gets what GET would say of a resource", "[signaling]") {
  RestHouse house;
  const Answer head = house.ask("HEAD", "/v1/rooms");
  CHECK(head.status == 200);
  CHECK(head.header("Content-Length") == "12");
  CHECK(head.body.empty());
}

TEST_CASE("a key that asks too often waits, and is served again", "[signaling][A12]") {
  RestHouse house{JoinAuth::open, 2};
  CHECK(house.ask("GET", "/v1/node").status == 200);
  CHECK(house.ask("GET", "/v1/node").status == 200);
  for (int i = 0; i < 10; ++i) {
    const Answer answer = house.ask("GET", "/v1/node");
    CHECK(answer.status == 429);
    CHECK(answer.header("Retry-After") == "1");
    CHECK(answer.json["error"]["code"] == "rate_limited");
  }
  house.advance(500ms);
  CHECK(house.ask("GET", "/v1/node").status == 200);
  CHECK(house.ask_bare("GET", "/v1/node", "").status == 401);  // strangers spend nobody's budget
}

TEST_CASE("a key has so many rooms and no more", "[signaling]") {
  RestHouse house;
  for (int i = 0; i < 256; ++i) {
    const std::string body = R"({"id":"r)" + std::to_string(i) + R"("})";
    REQUIRE(house.ask("POST", "/v1/rooms", body).status == 201);
  }
  CHECK(house.ask("POST", "/v1/rooms", R"({"id":"one more"})").status == 429);
}

TEST_CASE("rooms of another protocol are seen, and not spoken to", "[signaling]") {
  RestHouse house;
  const auto peer = house.rooms.enter(ConnectionId{1000}, {}, {"raw", "", "", std::nullopt},
                                      house.now(), house.doors.effects());
  REQUIRE(peer);
  CHECK(house.ask("GET", "/v1/rooms/raw").json["kind"] == "foreign");
  CHECK(house.ask("POST", "/v1/rooms/raw/messages", R"({"event":"e","data":1})").status == 409);
}

}  // namespace turnpike::signaling::test
