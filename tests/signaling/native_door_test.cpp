#include "signaling/native_door.h"

#include "catch.h"
#include "signaling/house.h"

namespace turnpike::signaling::test {

using namespace std::chrono_literals;

TEST_CASE("two clients meet in a room", "[signaling]") {
  House house;
  const std::uint64_t mina = house.connect_native();
  house.say(mina, R"({"type":"join","room":"demo","name":"Mina"})");
  CHECK(has(house.hear(mina), R"("type":"joined")"));
  (void)house.doors.take_touched();
  const std::uint64_t omar = house.connect_native();
  house.say(omar, R"({"type":"join","room":"demo","name":"Omar"})");
  CHECK(has(house.hear(omar), R"("name":"Mina")"));
  CHECK(has(house.hear(mina), R"("type":"peer-joined")"));
  CHECK(house.doors.take_touched() == std::vector{ConnectionId{mina}, ConnectionId{omar}});
  CHECK(house.doors.take_touched().empty());

  house.say(omar, R"({"type":"message","event":"chat","data":"hello"})");
  CHECK(has(house.hear(mina), R"("data":"hello")"));
  CHECK(house.hear(omar).empty());
}

TEST_CASE("a client that closes with 1000 has left, one that breaks is away", "[signaling]") {
  House house;
  CHECK(has(house.join("demo"), "joined"));
  const std::uint64_t omar = house.connect_native();
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
  CHECK(house.rooms.connection_count() == 1);
}

TEST_CASE("what the rooms close is closed, and forgotten", "[signaling]") {
  House house;
  const std::uint64_t client = house.connect_native();
  house.advance(10s);
  const std::string heard = house.hear(client);
  CHECK(has(heard, R"("code":"join_timeout")"));
  CHECK(has(heard, "close 4408 join_timeout\n"));
  house.say(client, R"({"type":"join","room":"demo"})");
  house.receive(client, client_close(4408, ""));
  CHECK(house.hear(client).empty());
  CHECK(house.at(client).wants_close());
  house.lose(client);
  CHECK(house.rooms.member_count() == 0);
}

TEST_CASE("a binary message is closed with 1003", "[signaling]") {
  House house;
  const std::uint64_t client = house.connect_native();
  house.receive(client, client_frame(opcode::binary, "a") + client_frame(opcode::text, "{}"));
  CHECK(house.hear(client) == "close 1003 turnpike.v1 is text\n");
  CHECK(house.rooms.connection_count() == 0);
}

TEST_CASE("H16: a member that reads too slowly is away, and the others are told",
          "[signaling][hostile][H16]") {
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
  const std::uint64_t client = house.connect_native("Origin: https://turn.example\r\n");
  house.say(client, R"({"type":"join","room":"demo"})");
  const auto questions = house.doors.take_questions();
  REQUIRE(questions.size() == 1);
  CHECK(has(questions[0].body, R"("origin":"https://turn.example")"));
  CHECK(house.hear(client).empty());
  WebhookAnswer yes;
  yes.allow = true;
  house.doors.on_webhook_answer(questions[0].connection, yes, house.now());
  CHECK(has(house.hear(client), "joined"));
}

TEST_CASE("the operator's doings reach the connections", "[signaling]") {
  House house;
  CHECK(has(house.join("demo"), "joined"));
  CHECK(house.rooms.end("demo", house.doors.effects()));
  house.doors.settle(house.now());
  const std::string heard = house.hear(1);
  CHECK(has(heard, R"("closed")"));
  CHECK(has(heard, "close 4410"));
}

}  // namespace turnpike::signaling::test
