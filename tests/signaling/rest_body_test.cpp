#include "signaling/rest_body.h"

#include "catch.h"

namespace turnpike::signaling::test {
namespace {

Json json(std::string_view text) { return parse_json(text, 32).value_or(Json{}); }

std::string room_error(std::string_view text) {
  const auto room = parse_new_room(json(text));
  return room ? "none" : room.error();
}

std::string token_error(std::string_view text) {
  const auto token = parse_token_request(json(text), seconds{3600}, seconds{60});
  return token ? "none" : token.error();
}

}  // namespace

TEST_CASE("a new room is read", "[signaling]") {
  const auto bare = parse_new_room(json(R"({"id":"demo"})"));
  REQUIRE(bare);
  CHECK(bare->id == "demo");
  CHECK_FALSE(bare->max);
  CHECK_FALSE(bare->locked);
  CHECK(bare->meta_json == "{}");
  const auto full =
      parse_new_room(json(R"({"id":"회의","max":64,"locked":true,"meta":{"a":[1]}})"));
  REQUIRE(full);
  CHECK(full->id == "회의");
  CHECK(full->max == 64u);
  CHECK(full->locked);
  CHECK(full->meta_json == R"({"a":[1]})");
}

TEST_CASE("what is wrong with a new room is said, and where", "[signaling]") {
  CHECK(room_error("[]") == "not a JSON object");
  CHECK(room_error("{}") == "id is missing or empty");
  CHECK(room_error(R"({"id":""})") == "id is missing or empty");
  CHECK(room_error(R"({"id":7})").starts_with("id must be text of at most 128 bytes"));
  CHECK(room_error(R"({"id":"a\u0000"})").starts_with("id must be text"));
  for (const char* const id : {"a/b", "a\\\\b", ".", ".."}) {
    CHECK(
        room_error(std::string{R"({"id":")"} + id + R"("})").starts_with("id must have no slash"));
  }
  CHECK(room_error(R"({"id":"a","max":0})") == "max must be from 1 to 64");
  CHECK(room_error(R"({"id":"a","max":65})") == "max must be from 1 to 64");
  CHECK(room_error(R"({"id":"a","max":"8"})") == "max must be a whole number, not negative");
  CHECK(room_error(R"({"id":"a","locked":1})") == "locked must be true or false");
  CHECK(room_error(R"({"id":"a","meta":[]})") == "meta must be an object");
  CHECK(room_error(R"({"id":"a","meta":{"x":")" + std::string(4096, 'x') + R"("}})") ==
        "meta must have at most 4096 bytes");
  CHECK(room_error(R"({"id":"a","lock":true})") == "lock is not known here");
}

TEST_CASE("a change of a room is at least one change", "[signaling]") {
  const auto lock = parse_room_change(json(R"({"locked":false})"));
  REQUIRE(lock);
  CHECK(lock->locked == false);
  CHECK_FALSE(lock->max);
  CHECK_FALSE(lock->meta_json);
  const auto rest = parse_room_change(json(R"({"max":3,"meta":{}})"));
  REQUIRE(rest);
  CHECK(rest->max == 3u);
  CHECK(rest->meta_json == "{}");
  CHECK_FALSE(parse_room_change(json("{}")));
  CHECK_FALSE(parse_room_change(json(R"({"locked":null})")));
  CHECK_FALSE(parse_room_change(json(R"({"id":"b","max":3})")));
}

TEST_CASE("a token is asked for with all that it may say", "[signaling]") {
  const auto nothing = parse_token_request(Json::object(), seconds{3600}, seconds{60});
  REQUIRE(nothing);
  CHECK(nothing->claims.role == Role::member);
  CHECK_FALSE(nothing->ttl);
  const auto full = parse_token_request(
      json(R"({"sub":"u1","name":"Mina","role":"viewer","can":["message","lock"],"max":4,
               "ttl":600,"ice":{"ttl":60,"relayOnly":true}})"),
      seconds{3600}, seconds{60});
  REQUIRE(full);
  const Claims& claims = full->claims;
  CHECK(claims.subject == "u1");
  CHECK(claims.name == "Mina");
  CHECK(claims.role == Role::viewer);
  CHECK(claims.can == std::vector{Right::message, Right::lock});
  CHECK(claims.max == 4u);
  CHECK(claims.ice_ttl == seconds{60});
  CHECK(claims.relay_only);
  CHECK(full->ttl == seconds{600});
}

TEST_CASE("what is wrong with a token request is said, and where", "[signaling]") {
  CHECK(token_error(R"({"role":"admin"})") == "role must be owner, member or viewer");
  CHECK(token_error(R"({"can":["fly"]})") ==
        "can must be of signal, message, update, kick, lock and end");
  CHECK(token_error(R"({"can":"kick"})") == "can must be a list of at most 32 texts");
  CHECK(token_error(R"({"ttl":0})") == "ttl must be from 1 to 3600");
  CHECK(token_error(R"({"ttl":3601})") == "ttl must be from 1 to 3600");
  CHECK(token_error(R"({"ice":{"ttl":61}})") == "ice: ttl must be from 1 to 60");
  CHECK(token_error(R"({"ice":{"relayonly":true}})") == "ice: relayonly is not known here");
  CHECK(token_error(R"({"ice":true})") == "ice must be an object");
  CHECK(token_error(R"({"room":"other"})") == "room is not known here");
}

TEST_CASE("a message of the server has an event, and data of any kind", "[signaling]") {
  const auto message = parse_server_message(json(R"({"event":"notice","data":{"in":5}})"));
  REQUIRE(message);
  CHECK(message->event == "notice");
  CHECK(message->data_json == R"({"in":5})");
  const auto nothing = parse_server_message(json(R"({"event":"notice","data":null})"));
  REQUIRE(nothing);
  CHECK(nothing->data_json == "null");
  CHECK_FALSE(parse_server_message(json(R"({"event":"notice"})")));
  CHECK_FALSE(parse_server_message(json(R"({"data":1})")));
  CHECK_FALSE(parse_server_message(json(R"({"event":"notice","data":1,"to":"p_1"})")));
}

TEST_CASE("credentials are asked for by user and time", "[signaling]") {
  const auto request = parse_credential_request(json(R"({"user":"alice","ttl":60})"), seconds{60});
  REQUIRE(request);
  CHECK(request->user == "alice");
  CHECK(request->ttl == seconds{60});
  CHECK(parse_credential_request(Json::object(), seconds{60}));
  CHECK_FALSE(parse_credential_request(json(R"({"ttl":61})"), seconds{60}));
  CHECK_FALSE(parse_credential_request(json(R"({"user":"a\nb"})"), seconds{60}));
  CHECK_FALSE(parse_credential_request(json(R"({"username":"alice"})"), seconds{60}));
}

}  // namespace turnpike::signaling::test
