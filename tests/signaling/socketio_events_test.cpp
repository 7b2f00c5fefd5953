#include "catch.h"
#include "signaling/socketio_bench.h"

namespace turnpike::signaling::test {

namespace {

using namespace std::chrono_literals;

/// What a client is told when it enters a room first, or second.
std::string log_line(const std::string& line) {
  return R"(text 42["log",["Message from server:",")" + line + "\"]]\n";
}

}  // namespace

TEST_CASE("a client connects to the namespaces that are served", "[signaling]") {
  SocketIoBench bench{echo_settings()};
  const std::uint64_t client = bench.open_socket();
  (void)bench.house.hear(client);
  const std::string main = bench.say(client, "40");
  CHECK(main.starts_with(R"(text 40{"sid":")"));
  CHECK(main.ends_with("text 42[\"auth\",{}]\n"));
  const std::string custom = bench.say(client, R"(40/custom,{"token":"abc"})");
  CHECK(custom.starts_with(R"(text 40/custom,{"sid":")"));
  CHECK(custom.ends_with("text 42/custom,[\"auth\",{\"token\":\"abc\"}]\n"));
  CHECK(SocketIoBench::sid_in(main) != SocketIoBench::sid_in(custom));
  CHECK(bench.say(client, "40/random") == "text 44/random,{\"message\":\"Invalid namespace\"}\n");
  bench.house.say(client, "41/custom");
  CHECK(bench.say(client, R"(42["message","to main"])") ==
        "text 42[\"message-back\",\"to main\"]\n");
}

TEST_CASE("the echo gives back what came, with its attachments", "[signaling]") {
  SocketIoBench bench{echo_settings()};
  const std::uint64_t client = bench.connect();
  CHECK(bench.say(client, R"(42["message",1,"2",{"3":[true]}])") ==
        "text 42[\"message-back\",1,\"2\",{\"3\":[true]}]\n");
  CHECK(bench.say(client, R"(42456["message-with-ack",1,"2",{"3":[false]}])") ==
        "text 43456[1,\"2\",{\"3\":[false]}]\n");
  const std::string placeholders =
      R"({"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])";
  CHECK(bench.say(client, R"(452-["message",)" + placeholders).empty());
  bench.bytes(client, "\x01\x02\x03");
  bench.bytes(client, "\x04");
  CHECK(bench.house.hear(client) ==
        "text 452-[\"message-back\"," + placeholders + "\nbinary \x01\x02\x03\nbinary \x04\n");
  bench.house.say(client, R"(452-789["message-with-ack",)" + placeholders);
  bench.bytes(client, "a");
  bench.bytes(client, "b");
  CHECK(bench.house.hear(client) == "text 462-789[" + placeholders + "\nbinary a\nbinary b\n");
}

TEST_CASE("what makes no sense closes the session", "[signaling]") {
  SocketIoBench bench{echo_settings()};
  const std::uint64_t client = bench.connect();
  const char* const text = GENERATE("4abc", "42{}", R"(42abc["message-with-ack",1])", "40",
                                    R"(42/custom,["message"])", R"(44{"message":"a"})", "4");
  CHECK(bench.say(client, text) == "close 1000\n");
  CHECK(bench.door.session_count() == 0);
}

TEST_CASE("bytes that belong to no packet close the session", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t client = bench.connect();
  bench.bytes(client, "a");
  CHECK(bench.house.hear(client) == "close 1000\n");
}

TEST_CASE("zoom: the others are told of a newcomer, and what is offered passes untouched",
          "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t mina = bench.connect();
  const std::uint64_t omar = bench.connect();
  CHECK(bench.say(mina, R"(42["join_room","demo"])").empty());
  CHECK(bench.say(omar, R"(427["join_room","demo"])") == "text 437[]\n");
  CHECK(bench.house.hear(mina) == "text 42[\"welcome\"]\n");
  bench.house.say(mina, R"(42["offer",{"z":1.50,"a":12345678901234567890},"demo"])");
  CHECK(bench.house.hear(omar) == "text 42[\"offer\",{\"z\":1.50,\"a\":12345678901234567890}]\n");
  bench.house.say(omar, R"(42["ice",null,"demo"])");
  CHECK(bench.house.hear(mina) == "text 42[\"ice\",null]\n");
  CHECK(bench.say(omar, R"(421["answer","x","demo"])") == "text 431[]\n");
  CHECK(bench.house.hear(mina) == "text 42[\"answer\",\"x\"]\n");
  CHECK(bench.house.hear(omar).empty());
}

TEST_CASE("zoom: who is not in the room is not heard there", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t mina = bench.connect();
  const std::uint64_t omar = bench.connect();
  bench.house.say(mina, R"(42["join_room","demo"])");
  CHECK(bench.say(omar, R"(42["offer","x","demo"])") ==
        "text 42[\"error\",{\"event\":\"offer\",\"code\":\"not_joined\"}]\n");
  CHECK(bench.say(omar, R"(423["offer","x","demo"])") == "text 433[{\"error\":\"not_joined\"}]\n");
  bench.house.say(omar, R"(42["join_room","other"])");
  CHECK(has(bench.say(omar, R"(42["offer","x","demo"])"), "not_joined"));
  CHECK(has(bench.say(omar, R"(42["offer","x"])"), "not_joined"));
  CHECK(has(bench.say(omar, R"(42["offer",{},[]])"), "bad_message"));
  CHECK(has(bench.say(omar, R"(42["offer"])"), "bad_message"));
  CHECK(bench.house.hear(mina).empty());
}

TEST_CASE("zoom: rooms have names, of text or numbers", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t mina = bench.connect();
  CHECK(bench.say(mina, R"(421["join_room",77])") == "text 431[]\n");
  CHECK(bench.house.rooms.rooms().at(0).id == "77");
  for (const char* const wrong : {R"("")", "null", "{}", "[[]]"}) {
    INFO(wrong);
    CHECK(bench.say(mina, std::string{R"(422["join_room",)"} + wrong + "]") ==
          "text 432[{\"error\":\"bad_message\"}]\n");
  }
  CHECK(
      has(bench.say(mina, R"(422["join_room",")" + std::string(129, 'a') + "\"]"), "bad_message"));
  CHECK(has(bench.say(mina, R"(422["join_room"])"), "bad_message"));
}

TEST_CASE("attachments are relayed with their event", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t mina = bench.connect();
  const std::uint64_t omar = bench.connect();
  for (const std::uint64_t client : {mina, omar}) {
    bench.house.say(client, R"(42["join_room","demo"])");
    (void)bench.house.hear(mina);
  }
  bench.house.say(mina, R"(451-["offer",{"_placeholder":true,"num":0},"demo"])");
  bench.bytes(mina, std::string{"\0\xff", 2});
  CHECK(bench.house.hear(omar) ==
        "text 451-[\"offer\",{\"_placeholder\":true,\"num\":0}]\nbinary " +
            std::string{"\0\xff", 2} + "\n");
}

TEST_CASE("codelab: two meet, a third is told that the room is full", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t mina = bench.connect();
  const std::string mina_sid = bench.last_sid;
  CHECK(bench.say(mina, R"(42["create or join","foo"])") ==
        log_line("Received request to create or join room foo") +
            log_line("Room foo now has 0 client(s)") +
            log_line("Client ID " + mina_sid + " created room foo") +
            "text 42[\"created\",\"foo\",\"" + mina_sid + "\"]\n");
  const std::uint64_t omar = bench.connect();
  const std::string omar_sid = bench.last_sid;
  CHECK(bench.say(omar, R"(42["create or join","foo"])") ==
        log_line("Received request to create or join room foo") +
            log_line("Room foo now has 1 client(s)") +
            log_line("Client ID " + omar_sid + " joined room foo") +
            "text 42[\"joined\",\"foo\",\"" + omar_sid + "\"]\ntext 42[\"ready\"]\n");
  CHECK(bench.house.hear(mina) == "text 42[\"join\",\"foo\"]\ntext 42[\"ready\"]\n");
  const std::uint64_t third = bench.connect();
  CHECK(bench.say(third, R"(42["create or join","foo"])") ==
        log_line("Received request to create or join room foo") +
            log_line("Room foo now has 2 client(s)") + "text 42[\"full\",\"foo\"]\n");

  CHECK(bench.say(mina, R"(42["message",{"type":"offer","sdp":"v=0"}])") ==
        "text 42[\"log\",[\"Message from server:\",\"Client said: \","
        "{\"type\":\"offer\",\"sdp\":\"v=0\"}]]\n");
  CHECK(bench.house.hear(omar) == "text 42[\"message\",{\"type\":\"offer\",\"sdp\":\"v=0\"}]\n");
  CHECK(bench.house.hear(third).empty());
  CHECK(has(bench.say(omar, R"(42["create or join","foo"])"), R"(["full","foo"])"));
}

TEST_CASE("codelab: the last one may ask again, as in the codelab", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t mina = bench.connect();
  bench.house.say(mina, R"(42["create or join","foo"])");
  (void)bench.house.hear(mina);
  CHECK(has(bench.say(mina, R"(42["create or join","foo"])"), R"(["joined","foo",)"));
  CHECK(has(bench.say(mina, R"(425["create or join",""])"), R"(435[{"error":"bad_message"}])"));
}

TEST_CASE("an event that no rule knows is answered if an answer is wanted", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t client = bench.connect();
  CHECK(bench.say(client, R"(42["bye"])").empty());
  CHECK(bench.say(client, R"(429["bye"])") == "text 439[{\"error\":\"unknown_event\"}]\n");
  CHECK(bench.say(client, R"(429[12])") == "text 439[{\"error\":\"unknown_event\"}]\n");
  CHECK(bench.say(client, "430[]").empty());
}

TEST_CASE("who leaves is out of its rooms, however it leaves", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t mina = bench.connect();
  bench.house.say(mina, R"(42["join_room","demo"])");
  bench.house.say(mina, R"(42["join_room","other"])");
  CHECK(bench.house.rooms.member_count() == 2);
  SECTION("disconnect packet") {
    CHECK(bench.say(mina, "41").empty());
    CHECK(bench.door.session_count() == 1);
    CHECK(bench.say(mina, "40").starts_with("text 40"));
  }
  SECTION("close") { bench.house.receive(mina, client_close(1000, "")); }
  SECTION("loss") { bench.house.lose(mina); }
  SECTION("error") { bench.house.say(mina, "4abc"); }
  CHECK(bench.house.rooms.member_count() == 0);
  CHECK(bench.house.rooms.room_count() == 0);
}

TEST_CASE("who shares two rooms with another hears a message once", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t mina = bench.connect();
  const std::uint64_t omar = bench.connect();
  for (const std::uint64_t client : {mina, omar}) {
    bench.house.say(client, R"(42["join_room","a"])");
    bench.house.say(client, R"(42["join_room","b"])");
    (void)bench.house.hear(client);
  }
  (void)bench.house.hear(mina);
  bench.house.say(mina, R"(42["message","x"])");
  CHECK(bench.house.hear(omar) == "text 42[\"message\",\"x\"]\n");
  bench.house.say(mina, R"(42["message","x"])");
  CHECK(bench.house.hear(omar) == "text 42[\"message\",\"x\"]\n");
}

TEST_CASE("a socket is in so many rooms and no more", "[signaling][hostile]") {
  SocketIoBench bench;
  const std::uint64_t mina = bench.connect();
  for (int i = 0; i < 8; ++i) {
    CHECK(bench.say(mina, R"(421["join_room",)" + std::to_string(i) + "]") == "text 431[]\n");
  }
  CHECK(bench.say(mina, R"(421["join_room",8])") == "text 431[{\"error\":\"rate_limited\"}]\n");
  CHECK(bench.say(mina, R"(421["join_room",7])") == "text 431[]\n");
}

TEST_CASE("rooms of a namespace are its own", "[signaling]") {
  SocketIoDoor::Settings settings;
  settings.profiles[0].namespaces = {"/", "/chat"};
  SocketIoBench bench{settings};
  const std::uint64_t client = bench.connect();
  bench.house.say(client, "40/chat");
  (void)bench.house.hear(client);
  bench.house.say(client, R"(42["join_room","demo"])");
  bench.house.say(client, R"(42/chat,["join_room","demo"])");
  CHECK(bench.house.hear(client).empty());
  CHECK(bench.house.rooms.room_count() == 2);
  const std::uint64_t other = bench.open_socket();
  bench.house.say(other, "40/chat");
  bench.house.say(other, R"(42/chat,["join_room","demo"])");
  CHECK(bench.house.hear(client) == "text 42/chat,[\"welcome\"]\n");
}

TEST_CASE("one room speaks one protocol, also among foreign ones", "[signaling]") {
  SocketIoBench bench;
  Rooms& rooms = bench.house.rooms;
  CHECK(rooms.enter(ConnectionId{999}, {}, {"demo", "", "", {}, "raw"}, bench.house.now(),
                    bench.house.doors.effects()));
  const std::uint64_t mina = bench.connect();
  CHECK(bench.say(mina, R"(421["join_room","demo"])") == "text 431[{\"error\":\"forbidden\"}]\n");
  rooms.leave(ConnectionId{999});
  CHECK(bench.say(mina, R"(421["join_room","demo"])") == "text 431[]\n");
}

TEST_CASE("where a token is needed, CONNECT brings it", "[signaling]") {
  SocketIoBench bench{{}, JoinAuth::token};
  const std::uint64_t without = bench.connect();
  CHECK(bench.say(without, R"(421["join_room","demo"])") ==
        "text 431[{\"error\":\"unauthorized\"}]\n");
  CHECK(bench.say(without, R"(42["create or join","demo"])")
            .ends_with(
                "text 42[\"error\",{\"event\":\"create or join\",\"code\":\"unauthorized\"}]\n"));
  const std::uint64_t wrong = bench.connect(R"({"token":"not.a.token"})");
  CHECK(has(bench.say(wrong, R"(421["join_room","demo"])"), "unauthorized"));
}

TEST_CASE("where a webhook decides, it is asked about a join, and later events wait",
          "[signaling]") {
  SocketIoBench bench{{}, JoinAuth::webhook};
  House& house = bench.house;
  const WebhookAnswer yes{true, "", Role::member, {}, {}};
  const std::uint64_t mina = bench.connect(R"({"token":"mine"})");
  CHECK(bench.say(mina, R"(421["join_room","demo"])").empty());
  CHECK(house.asked() == R"({"type":"join","room":"demo","token":"mine","name":"","meta":{},)"
                         R"("address":"198.51.100.7","origin":""})");
  house.answer(yes);
  CHECK(house.hear(mina) == "text 431[]\n");
  const std::uint64_t omar = bench.connect();
  house.say(omar, R"(421["join_room","demo"])");

  SECTION("until it says yes") {
    CHECK(bench.say(omar, R"(422["offer","sdp","demo"])").empty());
    CHECK(house.hear(mina).empty());
    house.answer(yes);
    CHECK(house.hear(omar) == "text 431[]\ntext 432[]\n");
    CHECK(house.hear(mina) == "text 42[\"welcome\"]\ntext 42[\"offer\",\"sdp\"]\n");
  }
  SECTION("or no") {
    house.say(omar, R"(422["offer","sdp","demo"])");
    house.answer(WebhookAnswer{});
    CHECK(house.hear(omar) ==
          "text 431[{\"error\":\"forbidden\"}]\ntext 432[{\"error\":\"not_joined\"}]\n");
    CHECK(house.hear(mina).empty());
  }
  SECTION("or nothing for too long") {
    house.advance(Limits{}.webhook_timeout);
    CHECK(house.hear(omar) == "text 431[{\"error\":\"server_busy\"}]\n");
  }
  SECTION("but not more of them than there may be") {
    for (int i = 0; i < 16; ++i) house.say(omar, R"(422["offer","sdp","demo"])");
    CHECK(bench.say(omar, R"(423["offer","sdp","demo"])") ==
          "text 433[{\"error\":\"rate_limited\"}]\n");
    house.answer(yes);
  }
  SECTION("one after the other") {
    house.say(omar, R"(422["create or join","codelab"])");
    house.answer(yes);
    CHECK(has(house.asked(), R"("room":"codelab")"));
    house.answer(yes);
    CHECK(has(house.hear(omar), R"(["created","codelab",)"));
  }
  SECTION("unless the socket goes") {
    SECTION("by a word") { house.say(omar, "41"); }
    SECTION("without one") { house.lose(omar); }
    house.answer(yes);
    CHECK(house.hear(mina).empty());
    CHECK(house.rooms.connection_count() == 1);
  }
}

TEST_CASE("the operator's hand reaches sockets", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t mina = bench.connect();
  const std::uint64_t omar = bench.connect();
  for (const std::uint64_t client : {mina, omar}) {
    bench.house.say(client, R"(42["join_room","demo"])");
    (void)bench.house.hear(client);
  }
  (void)bench.house.hear(mina);
  SECTION("the end of a room disconnects them, and the session stays") {
    CHECK(bench.house.rooms.end("demo", bench.house.doors.effects()));
    bench.house.doors.settle(bench.house.now());
    CHECK(bench.house.hear(mina) == "text 41\n");
    CHECK(bench.house.hear(omar) == "text 41\n");
    CHECK(bench.door.session_count() == 2);
    CHECK(bench.say(mina, "40").starts_with("text 40"));
  }
  SECTION("a drain closes them, and they come back by themselves") {
    bench.house.rooms.drain("", bench.house.now(), bench.house.doors.effects());
    bench.house.doors.settle(bench.house.now());
    bench.house.advance(5s);
    CHECK(bench.house.hear(mina) == "close 1000\n");
    CHECK(bench.house.hear(omar) == "close 1000\n");
    CHECK(bench.door.session_count() == 0);
  }
  CHECK(bench.house.rooms.member_count() == 0);
}

TEST_CASE("packets beyond the rate are dropped, then the session is closed",
          "[signaling][hostile][H15]") {
  SocketIoDoor::Settings settings;
  settings.packet_rate = {1s, 3};
  SocketIoBench bench{settings};
  const std::uint64_t client = bench.connect();
  CHECK(has(bench.say(client, R"(421["x"])"), "unknown_event"));
  CHECK(has(bench.say(client, R"(421["x"])"), "unknown_event"));
  for (int i = 0; i < 3; ++i) {
    CHECK(bench.say(client, R"(421["x"])") == "text 431[{\"error\":\"rate_limited\"}]\n");
  }
  CHECK(bench.say(client, R"(421["x"])") == "close 1000\n");
}

TEST_CASE("what is relayed counts with the rooms' rate", "[signaling][hostile]") {
  SocketIoBench bench;
  const std::uint64_t mina = bench.connect();
  bench.house.say(mina, R"(42["join_room","demo"])");
  for (int i = 0; i < 200; ++i) bench.house.say(mina, R"(42["offer",1,"demo"])");
  CHECK(bench.house.hear(mina).empty());
  CHECK(bench.say(mina, R"(421["offer",1,"demo"])") == "text 431[{\"error\":\"rate_limited\"}]\n");
}

TEST_CASE("polling clients and WebSockets meet in one room", "[signaling]") {
  SocketIoBench bench;
  const std::string sid = bench.open_polling();
  CHECK(bench.post(sid, R"(40)"
                        "\x1e"
                        R"(42["join_room","demo"])") == "200 ok");
  CHECK(has(bench.response(bench.get(sid)), "40{"));
  const std::uint64_t poll = bench.get(sid);
  const std::uint64_t omar = bench.connect();
  bench.house.say(omar, R"(42["join_room","demo"])");
  CHECK(bench.response(poll) == "200 42[\"welcome\"]");
  bench.house.say(omar, R"(451-["offer",{"_placeholder":true,"num":0},"demo"])");
  bench.bytes(omar, "\x01");
  CHECK(bench.response(bench.get(sid)) ==
        "200 451-[\"offer\",{\"_placeholder\":true,\"num\":0}]\x1e"
        "bAQ==");
}

}  // namespace turnpike::signaling::test
