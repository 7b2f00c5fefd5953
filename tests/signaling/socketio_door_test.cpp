#include "signaling/socketio_door.h"

#include "catch.h"
#include "signaling/socketio_bench.h"

namespace turnpike::signaling::test {

namespace {

using namespace std::chrono_literals;

constexpr const char* bad_request = R"(400 {"code":3,"message":"Bad request"})";
constexpr const char* unknown_sid = R"(400 {"code":1,"message":"Session ID unknown"})";

}  // namespace

TEST_CASE("a session opens over polling, with the headers that pages need", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t client = bench.ask("GET", "EIO=4&transport=polling&t=x");
  const std::string read = bench.house.read(client);
  CHECK(has(read, "HTTP/1.1 200 OK"));
  CHECK(has(read, "Content-Type: text/plain; charset=UTF-8"));
  CHECK(has(read, "Cache-Control: no-store"));
  CHECK(has(read, R"(0{"sid":")"));
  CHECK(has(read, R"("upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,)"));
  CHECK(bench.door.session_count() == 1);
  const std::string sid = SocketIoBench::sid_in(read);
  CHECK(sid.size() == 20);
  CHECK(bench.open_polling() != sid);
}

TEST_CASE("what is no session is refused by number", "[signaling]") {
  SocketIoBench bench;
  const auto answer = [&](std::string_view method, std::string_view query) {
    return bench.response(bench.ask(method, query));
  };
  CHECK(answer("GET", "EIO=4&transport=abc") == R"(400 {"code":0,"message":"Transport unknown"})");
  CHECK(answer("GET", "EIO=4&transport=polling&sid=x") == unknown_sid);
  for (const char* const method : {"POST", "PUT", "PATCH", "DELETE", "HEAD"}) {
    INFO(method);
    CHECK(answer(method, "EIO=4&transport=polling").starts_with("400 "));
  }
  CHECK(answer("GET", "EIO=4&transport=websocket") == bad_request);
  CHECK(answer("GET", "EIO=3&transport=polling") ==
        R"(400 {"code":5,"message":"Unsupported protocol version"})");
  CHECK(answer("GET", "transport=polling").starts_with("400 "));
  const std::string sid = bench.open_polling();
  CHECK(answer("PUT", "EIO=4&transport=polling&sid=" + sid).starts_with("400 "));
  CHECK(bench.response(bench.ask("GET", "x", "", "/socket.io/other")).starts_with("404 "));
  CHECK(bench.door.session_count() == 1);
}

TEST_CASE("a WebSocket without a session to go to is refused before it opens", "[signaling]") {
  SocketIoBench bench;
  CHECK(bench.response(bench.open_socket("x")) == unknown_sid);
  CHECK(bench.response(bench.house.connect_socket("/socket.io/?EIO=3&transport=websocket"))
            .starts_with("400 "));
  CHECK(bench.response(bench.house.connect_socket("/socket.io/?EIO=4&transport=polling")) ==
        bad_request);
  CHECK(bench.door.session_count() == 0);
}

TEST_CASE("pages of other sites get CORS headers when they are listed only", "[signaling]") {
  SocketIoBench bench;
  const std::uint64_t client = bench.house.connect();
  bench.house.receive(client,
                      "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: turn.example\r\n"
                      "Origin: https://evil.example\r\n\r\n");
  CHECK(bench.response(client).starts_with("403 "));
  CHECK(bench.door.session_count() == 0);
}

TEST_CASE("a GET waits on its connection until there is something to say", "[signaling]") {
  SocketIoBench bench;
  const std::string sid = bench.open_polling();
  const std::uint64_t poll = bench.get(sid);
  CHECK(bench.response(poll).empty());
  CHECK(bench.post(sid, "40") == "200 ok");
  CHECK(bench.response(poll).starts_with(R"(200 40{"sid":")"));
}

TEST_CASE("two GETs at a time, or one given up, end the session", "[signaling]") {
  SocketIoBench bench;
  const std::string sid = bench.open_polling();
  const std::uint64_t poll = bench.get(sid);
  SECTION("two") {
    CHECK(bench.response(bench.get(sid)) == bad_request);
    CHECK(bench.response(poll) == "200 1");
  }
  SECTION("given up") { bench.house.lose(poll); }
  CHECK(bench.response(bench.get(sid)) == unknown_sid);
  CHECK(bench.door.session_count() == 0);
}

TEST_CASE("a session goes from polling to a WebSocket", "[signaling]") {
  SocketIoBench bench{echo_settings()};
  const std::string sid = bench.open_polling("/engine.io/");
  const auto get = [&] {
    return bench.ask("GET", "EIO=4&transport=polling&sid=" + sid, "", "/engine.io/");
  };
  const std::uint64_t poll = get();
  const std::uint64_t socket = bench.open_socket(sid, "/engine.io/");
  CHECK(bench.say(socket, "2probe") == "text 3probe\n");
  CHECK(bench.response(poll) == "200 6");
  CHECK(bench.response(bench.open_socket(sid, "/engine.io/")) == bad_request);
  CHECK(bench.say(socket, "5").empty());
  CHECK(bench.response(get()) == bad_request);
  CHECK(bench.response(bench.open_socket(sid, "/engine.io/")) == bad_request);
  CHECK(bench.say(socket, "4hello") == "text 4hello\n");
  CHECK(bench.response(bench.get(sid)) == unknown_sid);  // of the other path
  bench.house.lose(socket);
  CHECK(bench.door.session_count() == 0);
}

TEST_CASE("messages come back from the echo of Engine.IO", "[signaling]") {
  SocketIoBench bench{echo_settings()};
  SECTION("over polling") {
    const std::string sid = bench.open_polling("/engine.io/");
    const std::string query = "EIO=4&transport=polling&sid=" + sid;
    CHECK(bench.response(bench.ask("POST", query,
                                   "4a\x1e"
                                   "bAQIDBA==",
                                   "/engine.io/")) == "200 ok");
    CHECK(bench.response(bench.ask("GET", query, "", "/engine.io/")) ==
          "200 4a\x1e"
          "bAQIDBA==");
  }
  SECTION("over a WebSocket") {
    const std::uint64_t socket = bench.open_socket("", "/engine.io/");
    CHECK(has(bench.house.hear(socket), R"("upgrades":[])"));
    bench.bytes(socket, "\x01\x02");
    CHECK(bench.house.hear(socket) == "binary \x01\x02\n");
  }
  SECTION("it is not there unless it is asked for") {
    SocketIoBench other;
    CHECK(other.response(other.ask("GET", "EIO=4&transport=polling", "", "/engine.io/"))
              .starts_with("404 "));
  }
}

TEST_CASE("a session that nobody answers for is forgotten", "[signaling]") {
  SocketIoBench bench{echo_settings()};
  const std::string sid = bench.open_polling();
  const std::uint64_t socket = bench.open_socket();
  (void)bench.house.hear(socket);
  CHECK(bench.house.doors.next_deadline() == bench.house.now().instant + 300ms);
  bench.house.advance(300ms);
  CHECK(bench.house.hear(socket) == "text 2\n");
  bench.house.advance(200ms);
  CHECK(bench.house.hear(socket) == "close 1000\n");
  CHECK(bench.response(bench.get(sid)) == unknown_sid);
  CHECK(bench.door.session_count() == 0);
  CHECK_FALSE(bench.house.doors.next_deadline());
}

TEST_CASE("who connects to no namespace in time is closed", "[signaling][H17]") {
  SocketIoBench bench;
  const std::uint64_t idle = bench.open_socket();
  const std::uint64_t connected = bench.connect();
  (void)bench.house.hear(idle);
  bench.house.advance(25s);
  bench.house.say(idle, "3");
  bench.house.say(connected, "3");
  bench.house.advance(20s);
  CHECK(bench.house.hear(idle) == "text 2\nclose 1000\n");
  CHECK(bench.house.hear(connected) == "text 2\n");
  CHECK(bench.door.session_count() == 1);
}

TEST_CASE("sessions are bounded, of all and of one address", "[signaling][hostile][H17]") {
  SocketIoDoor::Settings settings;
  const bool is_of_one = GENERATE(true, false);
  (is_of_one ? settings.max_sessions_per_address : settings.max_sessions) = 2;
  SocketIoBench bench{settings};
  const std::string sid = bench.open_polling();
  const std::uint64_t socket = bench.open_socket();
  CHECK(bench.response(bench.ask("GET", "EIO=4&transport=polling")) ==
        R"(403 {"code":4,"message":"Forbidden"})");
  CHECK(bench.response(bench.open_socket()) == R"(403 {"code":4,"message":"Forbidden"})");
  CHECK(bench.post(sid, "1") == "200 ok");
  CHECK_FALSE(bench.open_polling().empty());
  bench.house.lose(socket);
  CHECK_FALSE(bench.open_polling().empty());
}

TEST_CASE("a message beyond the limit closes a WebSocket, a POST is 413", "[signaling][hostile]") {
  SocketIoBench bench;
  const std::string sid = bench.open_polling();
  CHECK(bench.post(sid, std::string(1'000'001, '4')).starts_with("413 "));
  const std::uint64_t socket = bench.connect();
  bench.house.say(socket, std::string(1'000'001, '4'));
  CHECK(has(bench.house.hear(socket), "close 1009"));
  CHECK(bench.door.session_count() == 1);
}

TEST_CASE("H16: a client that reads too slowly loses its session", "[signaling][hostile][H16]") {
  SocketIoBench bench;
  const std::uint64_t sender = bench.connect();
  const std::uint64_t slow = bench.connect();
  for (const std::uint64_t client : {sender, slow}) {
    bench.house.say(client, R"(42["join_room","demo"])");
  }
  const std::string large = R"(42["offer",")" + std::string(900'000, 'a') + R"(","demo"])";
  for (int i = 0; i < 3; ++i) bench.house.say(sender, large);
  CHECK(bench.door.session_count() == 1);
  CHECK(bench.house.rooms.member_count() == 1);
}

}  // namespace turnpike::signaling::test
