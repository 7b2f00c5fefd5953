#include "signaling/relay_door.h"

#include "catch.h"
#include "signaling/house.h"
#include "signaling/responses.h"

namespace turnpike::signaling::test {

namespace {

using namespace std::chrono_literals;

constexpr std::string_view offer = R"({"type":"offer","sdp":"v=0"})";
constexpr std::string_view answer = R"({"type":"answer","sdp":"v=0"})";
constexpr std::string_view png = "\x89PNG\r\n\x1a\nrest";

struct Fixture {
  explicit Fixture(RelayDoor::Settings settings = {}, JoinAuth auth = JoinAuth::open)
      : house(auth), door(house.doors, settings, random) {
    house.doors.add(door);
  }
  std::uint64_t enter(std::string_view path) {
    const std::uint64_t client = house.connect_socket(path);
    first_heard = house.hear(client);
    return client;
  }
  void send_binary(std::uint64_t client, std::string_view bytes) {
    house.receive(client, client_frame(opcode::binary, bytes));
  }
  /// The response to a GET.
  std::string get(std::string_view path) {
    const std::uint64_t client = house.connect();
    house.receive(client, "GET " + std::string{path} + " HTTP/1.1\r\nHost: turn.example\r\n\r\n");
    return house.read(client);
  }

  turnpike::test::SeededRandom random{7};
  House house;
  RelayDoor door;
  std::string first_heard;
};

/// The name in the FILE2 that `heard` consists of.
std::string file_in(std::string_view heard) {
  constexpr std::string_view before = R"(text {"type":"FILE2","msg":")";
  REQUIRE(heard.starts_with(before));
  heard.remove_prefix(before.size());
  REQUIRE(heard.ends_with("\"}\n"));
  return std::string{heard.substr(0, heard.size() - 3)};
}

}  // namespace

TEST_CASE("a path under /r/ names a room, its kind, or a file in it", "[signaling]") {
  CHECK(parse_relay_path("/r/demo")->room == "demo");
  CHECK_FALSE(parse_relay_path("/r/demo")->is_counsel);
  CHECK(parse_relay_path("/r/demo/")->room == "demo");
  CHECK(parse_relay_path("/r/demo/a/b")->room == "demo");
  CHECK(parse_relay_path("/r/demo/ertc")->is_counsel);
  CHECK(parse_relay_path("/r/demo/a/ertc")->is_counsel);
  CHECK_FALSE(parse_relay_path("/r/ertc")->is_counsel);
  CHECK(parse_relay_path("/r/demo/resources/upload_images/a.png")->file == "a.png");
  CHECK(parse_relay_path("/r/demo/resources/upload_images")->file.empty());
  for (const std::string path :
       {"/r/", "/r//ertc", "/r/demo/resources/upload_images/", "/s/demo"}) {
    CAPTURE(path);
    CHECK_FALSE(parse_relay_path(path));
  }
  CHECK_FALSE(parse_relay_path("/r/" + std::string(129, 'a')));
}

TEST_CASE("texts go to all others of a room as they are", "[signaling]") {
  Fixture fixture;
  House& house = fixture.house;
  const std::uint64_t mina = fixture.enter("/r/demo");
  house.say(mina, "to nobody");
  const std::uint64_t jun = fixture.enter("/r/demo/anything");
  const std::uint64_t sol = fixture.enter("/r/demo");
  const std::uint64_t elsewhere = fixture.enter("/r/other");
  for (const std::string_view text : {"SDP\n{ \"a\" : 1 }", "끝", "", R"({"type":"offer"})"}) {
    house.say(mina, text);
  }
  const std::string heard = "text SDP\n{ \"a\" : 1 }\ntext 끝\ntext \ntext {\"type\":\"offer\"}\n";
  CHECK(house.hear(jun) == heard);
  CHECK(house.hear(sol) == heard);
  CHECK(house.hear(mina).empty());
  CHECK(house.hear(elsewhere).empty());
  CHECK(house.rooms.member_count() == 4);
}

TEST_CASE("in a plain room a binary message goes back to its sender", "[signaling]") {
  Fixture fixture;
  const std::uint64_t mina = fixture.enter("/r/demo");
  const std::uint64_t jun = fixture.enter("/r/demo");
  fixture.send_binary(mina, std::string_view{"\0\xff", 2});
  CHECK(fixture.house.hear(mina) == std::string{"binary \0\xff\n", 10});
  CHECK(fixture.house.hear(jun).empty());
}

TEST_CASE("a room is left by closing or breaking, and then its place is free", "[signaling]") {
  Fixture fixture;
  House& house = fixture.house;
  const std::uint64_t mina = fixture.enter("/r/demo/ertc");
  const std::uint64_t jun = fixture.enter("/r/demo/ertc");
  SECTION("closed") { house.receive(jun, client_close(1001, "")); }
  SECTION("broken") { house.lose(jun); }
  CHECK(house.rooms.member_count() == 1);
  const std::uint64_t sol = fixture.enter("/r/demo/ertc");
  house.say(mina, "hi");
  CHECK(house.hear(sol) == "text hi\n");
  house.lose(mina);
  house.lose(sol);
  CHECK(house.rooms.room_count() == 0);
}

TEST_CASE("a third party of a consultation is refused", "[signaling]") {
  Fixture fixture;
  const std::uint64_t mina = fixture.enter("/r/demo/ertc");
  const std::uint64_t jun = fixture.enter("/r/demo/ertc");
  const std::uint64_t sol = fixture.enter("/r/demo/ertc");
  CHECK(fixture.first_heard == "close 4423 room_full\n");
  fixture.house.say(sol, "let me in");
  fixture.house.say(mina, "hi");
  CHECK(fixture.house.hear(jun) == "text hi\n");
  fixture.house.lose(sol);
  CHECK(fixture.house.rooms.member_count() == 2);
}

TEST_CASE("a room is of one kind, and of one door", "[signaling]") {
  Fixture fixture;
  const std::string forbidden = "close 4403 forbidden\n";
  (void)fixture.enter("/r/demo/ertc");
  (void)fixture.enter("/r/demo");
  CHECK(fixture.first_heard == forbidden);
  CHECK(has(fixture.house.join("native"), "joined"));
  (void)fixture.enter("/r/native");
  CHECK(fixture.first_heard == forbidden);

  const auto entered =
      fixture.house.rooms.enter(ConnectionId{1000}, {}, {"foreign", "", "", {}},
                                fixture.house.now(), fixture.house.doors.effects());
  CHECK(entered);
  (void)fixture.enter("/r/foreign");
  CHECK(fixture.first_heard == forbidden);
}

TEST_CASE("where a webhook decides, it is asked about everyone who opens a room's address",
          "[signaling]") {
  Fixture fixture{{}, JoinAuth::webhook};
  House& house = fixture.house;
  const WebhookAnswer yes{true, "", Role::member, {}, {}};
  const std::uint64_t mina =
      house.connect_socket("/r/demo?token=mine", "Origin: http://turn.example\r\n");
  CHECK(house.asked() == R"({"type":"join","room":"demo","token":"mine","name":"","meta":{},)"
                         R"("address":"198.51.100.7","origin":"http://turn.example"})");
  house.answer(yes);
  const std::uint64_t jun = house.connect_socket("/r/demo");

  SECTION("and what it says meanwhile is said once it is in") {
    house.say(jun, "early");
    fixture.send_binary(jun, "bytes");
    house.say(jun, "bird");
    house.say(mina, "not for who is not there");
    CHECK(house.hear(mina).empty());
    house.answer(yes);
    CHECK(house.hear(mina) == "text early\ntext bird\n");
    CHECK(house.hear(jun) == "binary bytes\n");
    house.say(mina, "hi");
    CHECK(house.hear(jun) == "text hi\n");
  }
  SECTION("who is not let in is closed") {
    house.answer(WebhookAnswer{});
    CHECK(house.hear(jun) == "close 4403 forbidden\n");
  }
  SECTION("nor is anyone while nothing is answered") {
    house.advance(Limits{}.webhook_timeout);
    CHECK(house.hear(jun) == "close 4503 server_busy\n");
  }
  SECTION("who does not wait is forgotten") {
    house.lose(jun);
    house.answer(yes);
    CHECK(house.rooms.connection_count() == 1);
  }
  SECTION("who says too much meanwhile is closed") {
    for (int i = 0; i < 17; ++i) house.say(jun, "again");
    CHECK(house.hear(jun) == "close 4429 rate_limited\n");
    house.answer(yes);
  }
  SECTION("a room that has become another kind meanwhile is closed to it") {
    const std::uint64_t counsel = house.connect_socket("/r/other/ertc");
    const std::uint64_t plain = house.connect_socket("/r/other");
    house.answer(yes);
    house.answer(yes);
    house.answer(yes);
    CHECK(house.hear(counsel).empty());
    CHECK(house.hear(plain) == "close 4403 forbidden\n");
  }
}

TEST_CASE("in a consultation an offer waits, and other texts do not", "[signaling]") {
  Fixture fixture;
  House& house = fixture.house;
  const std::uint64_t expert = fixture.enter("/r/demo/ertc");
  const std::uint64_t user = fixture.enter("/r/demo/ertc");
  house.say(expert, offer);
  house.say(expert, R"({"type":"TXT","msg":"<b>hi</b>"})");
  CHECK(house.hear(user) == "text {\"type\":\"TXT\",\"msg\":\"<b>hi</b>\"}\n");
  CHECK(house.doors.next_deadline() == house.now().instant + 300ms);
  house.say(user, offer);
  house.advance(300ms);
  CHECK(house.hear(user) == "text " + std::string{offer} + "\n");
  house.say(user, answer);
  CHECK(house.hear(expert) == "text " + std::string{answer} + "\n");
  house.advance(1s);
  CHECK(house.hear(expert).empty());
  CHECK_FALSE(house.doors.next_deadline());
}

TEST_CASE("an offer that nobody was there for is lost", "[signaling]") {
  Fixture fixture;
  House& house = fixture.house;
  const std::uint64_t expert = fixture.enter("/r/demo/ertc");
  house.say(expert, offer);
  const std::uint64_t user = fixture.enter("/r/demo/ertc");
  house.advance(2s);
  CHECK(house.hear(user).empty());

  SECTION("and crosses nobody's") {
    house.say(user, offer);
    house.advance(300ms);
    CHECK(has(house.hear(expert), "offer"));
  }
  SECTION("as is one that waited for who has gone") {
    house.say(expert, offer);
    house.lose(user);
    const std::uint64_t next = fixture.enter("/r/demo/ertc");
    house.advance(2s);
    CHECK(house.hear(next).empty());
  }
  SECTION("as is one whose sender has gone with the room") {
    house.say(expert, offer);
    house.lose(user);
    house.lose(expert);
    house.advance(2s);
    CHECK(house.rooms.room_count() == 0);
  }
}

TEST_CASE("windows of several rooms end each in its time", "[signaling]") {
  Fixture fixture;
  House& house = fixture.house;
  std::vector<std::uint64_t> users;
  for (const char* const path : {"/r/b/ertc", "/r/a/ertc"}) {
    const std::uint64_t expert = fixture.enter(path);
    users.push_back(fixture.enter(path));
    house.say(expert, offer);
    house.advance(100ms);
  }
  house.advance(100ms);
  CHECK(has(house.hear(users[0]), "offer"));
  CHECK(house.hear(users[1]).empty());
  house.advance(100ms);
  CHECK(has(house.hear(users[1]), "offer"));
}

TEST_CASE("a binary message in a consultation is a file that both are told of", "[signaling]") {
  Fixture fixture;
  House& house = fixture.house;
  const std::uint64_t expert = fixture.enter("/r/demo/ertc");
  const std::uint64_t user = fixture.enter("/r/demo/ertc");
  fixture.send_binary(user, png);
  const std::string name = file_in(house.hear(expert));
  CHECK(file_in(house.hear(user)) == name);
  const std::string path = "/r/demo/resources/upload_images/" + name;
  const std::string got = fixture.get(path);
  CHECK(status_of(got) == 200);
  CHECK(has(got, "Content-Type: image/png\r\n"));
  CHECK(has(got, "Content-Disposition: inline; filename=\"" + name + "\"\r\n"));
  CHECK(has(got, "X-Content-Type-Options: nosniff\r\n"));
  CHECK(has(got, "Content-Security-Policy: sandbox; default-src 'none'\r\n"));
  CHECK(has(got, "Cache-Control: private, max-age=600\r\n"));
  CHECK(got.ends_with("\r\n\r\n" + std::string{png}));
  CHECK(status_of(fixture.get("/r/other/resources/upload_images/" + name)) == 404);
  CHECK(status_of(fixture.get("/r/demo/resources/upload_images/a.png")) == 404);
  CHECK(house.doors.next_deadline() == house.now().instant + 10min);
  house.advance(10min);
  CHECK(status_of(fixture.get(path)) == 404);
}

TEST_CASE("what is no image is a download", "[signaling]") {
  Fixture fixture;
  const std::uint64_t expert = fixture.enter("/r/demo/ertc");
  fixture.send_binary(expert, "<html><script>alert(1)</script>");
  const std::string name = file_in(fixture.house.hear(expert));
  const std::string got = fixture.get("/r/demo/resources/upload_images/" + name);
  CHECK(has(got, "Content-Type: application/octet-stream\r\n"));
  CHECK(has(got, "Content-Disposition: attachment;"));
}

TEST_CASE("a file beyond the bounds is not kept, and the call goes on", "[signaling][hostile]") {
  RelayDoor::Settings settings;
  settings.blobs.max_room_bytes = BlobStore::overhead_bytes;
  Fixture fixture{settings};
  const std::uint64_t expert = fixture.enter("/r/demo/ertc");
  const std::uint64_t user = fixture.enter("/r/demo/ertc");
  fixture.send_binary(expert, png);
  CHECK(fixture.house.hear(expert).empty());
  CHECK(fixture.door.counters().files_refused == 1);
  fixture.house.say(expert, "hi");
  CHECK(fixture.house.hear(user) == "text hi\n");
}

TEST_CASE("a GET of what is no file says what is there", "[signaling]") {
  Fixture fixture;
  CHECK(status_of(fixture.get("/r/demo/ertc")) == 426);
  CHECK(status_of(fixture.get("/r/")) == 404);
  const std::uint64_t at_file = fixture.house.connect_socket("/r/demo/resources/upload_images/a");
  CHECK(status_of(fixture.house.read(at_file)) == 404);
}

TEST_CASE("messages may be large, up to a bound", "[signaling]") {
  RelayDoor::Settings settings;
  settings.max_message_bytes = 100'000;
  Fixture fixture{settings};
  const std::uint64_t mina = fixture.enter("/r/demo");
  const std::uint64_t jun = fixture.enter("/r/demo");
  fixture.house.say(mina, std::string(100'000, 'a'));
  CHECK(fixture.house.hear(jun).size() == 100'006);
  fixture.house.say(mina, std::string(100'001, 'a'));
  CHECK(has(fixture.house.hear(mina), "close 1009"));
  CHECK(fixture.house.rooms.member_count() == 1);
}

TEST_CASE("H15: who floods is closed", "[signaling][hostile][H15]") {
  Fixture fixture;
  const std::uint64_t mina = fixture.enter("/r/demo");
  SECTION("with texts") {
    for (int i = 0; i < 201; ++i) fixture.house.say(mina, "a");
  }
  SECTION("with files") {
    for (int i = 0; i < 21; ++i) fixture.send_binary(mina, "a");
  }
  CHECK(has(fixture.house.hear(mina), "close 4429 rate_limited\n"));
  CHECK(fixture.house.rooms.member_count() == 0);
}

TEST_CASE("H15: a flood that waited in the window ends with its sender",
          "[signaling][hostile][H15]") {
  Fixture fixture;
  const std::uint64_t expert = fixture.enter("/r/demo/ertc");
  const std::uint64_t user = fixture.enter("/r/demo/ertc");
  for (int i = 0; i < 200; ++i) fixture.house.say(expert, "a");
  (void)fixture.house.hear(user);
  fixture.house.say(expert, offer);
  SECTION("at once") { fixture.house.say(expert, "a"); }
  SECTION("when the window ends") {
    for (int i = 0; i < 20; ++i) fixture.house.say(expert, R"({"type":"candidate"})");
    fixture.house.advance(300ms);
    CHECK(has(fixture.house.hear(user), "offer"));
  }
  CHECK(has(fixture.house.hear(expert), "close 4429"));
  fixture.house.advance(1s);
  CHECK_FALSE(has(fixture.house.hear(user), "offer"));
  CHECK(fixture.house.rooms.member_count() == 1);
}

TEST_CASE("H17: one address has only so many sockets", "[signaling][hostile][H17]") {
  RelayDoor::Settings settings;
  settings.max_sockets_per_address = 2;
  Fixture fixture{settings};
  const std::uint64_t mina = fixture.enter("/r/a");
  (void)fixture.enter("/r/b");
  CHECK(status_of(fixture.house.read(fixture.house.connect_socket("/r/c"))) == 429);
  fixture.house.lose(mina);
  (void)fixture.enter("/r/c");
  CHECK(fixture.house.rooms.member_count() == 2);
}

TEST_CASE("H18: where tokens are asked for, the one in the address is looked at",
          "[signaling][hostile][H18]") {
  Fixture fixture{{}, JoinAuth::token};
  for (const char* const path : {"/r/demo", "/r/demo?token=a", "/r/demo?key=b&x", "/r/demo/ertc"}) {
    (void)fixture.enter(path);
    CHECK(fixture.first_heard == "close 4401 unauthorized\n");
  }
  CHECK(fixture.house.rooms.member_count() == 0);
}

TEST_CASE("a token in the address lets in, and the same subject replaces itself", "[signaling]") {
  Claims claims;
  claims.room = "demo";
  claims.subject = "mina";
  claims.expires = WallTime{seconds{1'800'003'600}};
  Fixture fixture{{}, JoinAuth::token};
  const std::string token = mint_token(claims, "web", HmacSha256Key{bytes_of(api_secret)});
  const std::uint64_t first = fixture.enter("/r/demo/ertc?token=" + token);
  CHECK(fixture.first_heard.empty());
  const std::uint64_t second = fixture.enter("/r/demo/ertc?key=" + token);
  CHECK(fixture.house.hear(first) == "close 4409 replaced\n");
  fixture.send_binary(second, png);
  CHECK(has(fixture.house.hear(second), "FILE2"));
  (void)fixture.enter("/r/other/ertc?key=" + token);
  CHECK(fixture.first_heard == "close 4403 forbidden\n");
}

TEST_CASE("the operator's hand reaches members of the relay", "[signaling]") {
  Fixture fixture;
  House& house = fixture.house;
  const std::uint64_t mina = fixture.enter("/r/demo");
  CHECK(house.rooms.end("demo", house.doors.effects()));
  house.doors.settle(house.now());
  CHECK(has(house.hear(mina), "close 4410"));
  house.lose(mina);
  (void)fixture.enter("/r/demo/ertc");
  CHECK(fixture.first_heard.empty());
}

TEST_CASE("H16: a party that reads too slowly is closed, and the other is alone",
          "[signaling][hostile][H16]") {
  RelayDoor::Settings settings;
  settings.max_message_bytes = 1'000'000;
  Fixture fixture{settings};
  const std::uint64_t mina = fixture.enter("/r/demo");
  const std::uint64_t jun = fixture.enter("/r/demo");
  for (int i = 0; i < 3; ++i) fixture.house.say(mina, std::string(900'000, 'a'));
  CHECK(has(fixture.house.hear(jun), "close 1013 reads too slowly\n"));
  CHECK(fixture.house.rooms.member_count() == 1);
  fixture.house.say(mina, "a");
  CHECK(fixture.house.hear(mina).empty());
}

}  // namespace turnpike::signaling::test
