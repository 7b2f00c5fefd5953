#include "signaling/rest_reply.h"

#include "catch.h"
#include "signaling/responses.h"

namespace turnpike::signaling::test {

TEST_CASE("an error says what it is for programs and for people", "[signaling][A12]") {
  const Response response = error_response(404, "There is no \"such\" room.");
  CHECK(response.status == 404);
  CHECK(header_of(response, "Content-Type") == "application/json");
  CHECK(header_of(response, "Cache-Control") == "no-store");
  CHECK(response.body ==
        R"({"error":{"code":"not_found","message":"There is no \"such\" room."}})");
}

TEST_CASE("lists of rooms say where they go on", "[signaling]") {
  const std::vector<Rooms::RoomInfo> rooms{{"a", DoorKind::native, 8, false, "{}", 2},
                                           {"b", DoorKind::foreign, 2, true, R"({"x":1})", 0}};
  const std::string list =
      R"({"rooms":[{"id":"a","max":8,"locked":false,"meta":{},"peers":2,"kind":"native"},)"
      R"({"id":"b","max":2,"locked":true,"meta":{"x":1},"peers":0,"kind":"foreign"}])";
  CHECK(rooms_json(rooms, true) == list + "}");
  CHECK(rooms_json(rooms, false) == list + R"(,"next":"b"})");
  CHECK(rooms_json({}, true) == R"({"rooms":[]})");
}

TEST_CASE("peers are told without what they have not", "[signaling]") {
  CHECK(peers_json({{"p_1", 1, "Mina", "u1", Role::owner, false},
                    {"p_2", 2, "", "", Role::viewer, true}}) ==
        R"({"peers":[{"peer":"p_1","n":1,"name":"Mina","sub":"u1","role":"owner","away":false},)"
        R"({"peer":"p_2","n":2,"role":"viewer","away":true}]})");
}

TEST_CASE("credentials have the shape that browsers take", "[signaling]") {
  const IceServers ice{{{{"turn:t.example:3478?transport=udp"}, "1:a", "cGFzcw=="},
                        {{"stun:t.example:3478"}, "", ""}},
                       WallTime{seconds{1'795'219'200}}};
  CHECK(credentials_json(ice) ==
        R"({"iceServers":[{"urls":["turn:t.example:3478?transport=udp"],"username":"1:a",)"
        R"("credential":"cGFzcw=="},{"urls":["stun:t.example:3478"]}],)"
        R"("expiresAt":"2026-11-21T00:00:00Z"})");
}

TEST_CASE("the TURN REST reply lists what one username is good for", "[signaling]") {
  const WallTime at{seconds{1'795'219'200}};
  IceServers ice{{{{"stun:t.example"}, "", ""},
                  {{"turn:t.example", "turns:t.example"}, "9:a", "pw"},
                  {{"turn:other.example"}, "9:b", "pw2"}},
                 at + seconds{600}};
  CHECK(
      turn_rest_json(ice, at) ==
      R"({"username":"9:a","password":"pw","ttl":600,"uris":["turn:t.example","turns:t.example"]})");
  ice.servers.resize(1);
  CHECK(turn_rest_json(ice, at).empty());
}

TEST_CASE("times are those of RFC 3339", "[signaling]") {
  CHECK(rfc3339(WallTime{seconds{0}}) == "1970-01-01T00:00:00Z");
  CHECK(rfc3339(WallTime{seconds{951'827'696}}) == "2000-02-29T12:34:56Z");
}

}  // namespace turnpike::signaling::test
