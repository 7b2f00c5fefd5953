#include "signaling/websocket.h"

#include <string>

#include "catch.h"
#include "signaling/websocket_server.h"

namespace turnpike::signaling::test {

namespace {

using namespace std::chrono_literals;

using Server = WebSocketServer;

constexpr Instant start = Server::start;

}  // namespace

TEST_CASE("messages come out as they went in, however the bytes are cut",
          "[signaling][rfc6455-5]") {
  const std::string bytes =
      client_frame(opcode::text, "hello") + client_frame(opcode::binary, std::string("\0\1\2", 3)) +
      client_frame(opcode::text, "") + client_frame(opcode::text, std::string(200, 'a')) +
      client_frame(opcode::text, std::string(65'536, 'b'));
  Server server;
  SECTION("at once") { server.receive(bytes); }
  SECTION("byte by byte") { server.receive_slowly(bytes); }
  CHECK(server.event() == "t:hello");
  CHECK(server.event() == "b:" + std::string("\0\1\2", 3));
  CHECK(server.event() == "t:");
  CHECK(server.event() == "t:" + std::string(200, 'a'));
  CHECK(server.event() == "t:" + std::string(65'536, 'b'));
  CHECK(server.event() == "none");
  CHECK(server.sent().empty());
  CHECK_FALSE(server.socket.is_within_message());
}

TEST_CASE("fragments make one message, with control frames between them",
          "[signaling][rfc6455-5.4]") {
  Server server;
  server.receive(client_frame(opcode::text, "Gr\xc3", {.is_last = false}));
  CHECK(server.socket.is_within_message());
  server.receive(client_frame(opcode::ping, "x"));
  server.receive(client_frame(opcode::continuation, "\xbc", {.is_last = false}));
  server.receive(client_frame(opcode::continuation, "n"));
  CHECK(server.event() == "t:Gr\xc3\xbcn");
  CHECK(server.sent() == "pong x\n");
  CHECK_FALSE(server.socket.is_within_message());
}

TEST_CASE("what is sent is framed by its length", "[signaling][rfc6455-5.2]") {
  Server server;
  const std::size_t size = GENERATE(0U, 125U, 126U, 65'535U, 65'536U);
  server.socket.send_text(std::string(size, 'a'), server.out);
  CHECK(server.out.size() == size + (size < 126 ? 2 : size < 65'536 ? 4 : 10));
  CHECK(server.sent() == "text " + std::string(size, 'a') + "\n");
  server.socket.send_binary("b", server.out);
  server.socket.send_ping("p", server.out);
  CHECK(server.sent() == "binary b\nping p\n");
}

TEST_CASE("a client's close is answered with its code, and nothing follows",
          "[signaling][rfc6455-5.5.1]") {
  Server server;
  SECTION("with a code") {
    server.receive(client_close(1000, "bye") + client_frame(opcode::text, "late"));
    CHECK(server.event() == "end 1000");
    CHECK(server.sent() == "close 1000\n");
  }
  SECTION("with one of its own") {
    server.receive(client_close(4001, ""));
    CHECK(server.event() == "end 4001");
    CHECK(server.sent() == "close 4001\n");
  }
  SECTION("with one that was registered after the RFC") {
    const int code = GENERATE(1012, 1013, 1014);
    server.receive_slowly(client_close(static_cast<std::uint16_t>(code), "later"));
    CHECK(server.event() == "end " + std::to_string(code));
    CHECK(server.sent() == "close " + std::to_string(code) + "\n");
  }
  SECTION("without a code") {
    server.receive(client_frame(opcode::close, ""));
    CHECK(server.event() == "end 1005");
    CHECK(server.sent() == "close\n");
  }
  CHECK(server.event() == "none");
  CHECK(server.socket.is_closed());
  server.socket.send_text("late", server.out);
  server.receive(client_frame(opcode::ping, "late"));
  CHECK(server.sent().empty());
  CHECK(server.event() == "none");
}

TEST_CASE("a close is understood wherever it is cut", "[signaling][rfc6455-5.5.1]") {
  const std::string bytes = client_close(1000, "f\xc3\xbcr heute");
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    CAPTURE(cut);
    Server server;
    server.receive(bytes.substr(0, cut));
    server.receive(bytes.substr(cut));
    CHECK(server.event() == "end 1000");
    CHECK(server.sent() == "close 1000\n");
  }
}

TEST_CASE("a close that begins here waits for the client's", "[signaling][rfc6455-7.1.2]") {
  Server server;
  server.receive(client_frame(opcode::text, "half", {.is_last = false}));
  server.socket.close(4400, std::string(122, 'r') + "\xc3\xbc", server.out);
  CHECK(server.sent() == "close 4400 " + std::string(122, 'r') + "\n");
  CHECK(server.socket.is_closing());
  CHECK_FALSE(server.socket.is_closed());
  server.socket.send_text("late", server.out);
  server.socket.close(1000, "", server.out);
  server.receive(client_frame(opcode::continuation, "whole") + client_frame(opcode::ping, ""));
  CHECK(server.sent().empty());
  CHECK(server.event() == "none");
  server.receive(client_close(4400, ""));
  CHECK(server.socket.is_closed());
  CHECK(server.sent().empty());
  CHECK(server.event() == "none");
}

TEST_CASE("H13: frames that break the protocol end it", "[signaling][hostile][rfc6455-5][H13]") {
  const auto [name, bytes, code] = GENERATE(table<std::string, std::string, int>({
      {"not masked", client_frame(opcode::text, "a", {.is_masked = false}), 1002},
      {"first reserved bit", client_frame(opcode::text, "a", {.reserved = 4}), 1002},
      {"second reserved bit", client_frame(opcode::text, "a", {.reserved = 2}), 1002},
      {"third reserved bit", client_frame(opcode::text, "a", {.reserved = 1}), 1002},
      {"reserved opcode 3", client_frame(3, "a"), 1002},
      {"reserved opcode 11", client_frame(11, "a"), 1002},
      {"ping beyond 125 bytes", client_frame(opcode::ping, std::string(126, 'a')), 1002},
      {"fragmented ping", client_frame(opcode::ping, "a", {.is_last = false}), 1002},
      {"continuation of nothing", client_frame(opcode::continuation, "a"), 1002},
      {"message within a message",
       client_frame(opcode::text, "a", {.is_last = false}) + client_frame(opcode::text, "b"), 1002},
      {"half a close code", client_frame(opcode::close, "\x03"), 1002},
      {"close code 1005", client_close(1005, ""), 1002},
      {"close code 1006", client_close(1006, ""), 1002},
      {"close code 1015", client_close(1015, ""), 1002},
      {"close code 1016", client_close(1016, ""), 1002},
      {"close code 999", client_close(999, ""), 1002},
      {"close code 5000", client_close(5000, ""), 1002},
      {"close reason not UTF-8", client_close(1000, "\xff"), 1007},
      {"late close code, reason not UTF-8", client_close(1012, "\xff"), 1007},
      {"late close code, not masked", client_frame(opcode::close, "\x03\xf4", {.is_masked = false}),
       1002},
      {"late close code, reserved bit", client_frame(opcode::close, "\x03\xf4", {.reserved = 4}),
       1002},
      {"text not UTF-8", client_frame(opcode::text, "\xc0\x80"), 1007},
      {"a surrogate", client_frame(opcode::text, "\xed\xa0\x80"), 1007},
      {"text that ends within a character", client_frame(opcode::text, "\xc3"), 1007},
  }));
  CAPTURE(name);
  Server server;
  SECTION("at once") { server.receive(bytes + client_frame(opcode::text, "late")); }
  SECTION("byte by byte") { server.receive_slowly(bytes + client_frame(opcode::text, "late")); }
  CHECK(server.event() == "end 1006");
  CHECK(server.event() == "none");
  CHECK(server.sent() == "close " + std::to_string(code) + "\n");
  CHECK(server.socket.is_closed());
  CHECK_FALSE(server.socket.is_within_message());
}

TEST_CASE("a length that is longer than it need be ends it", "[signaling][rfc6455-5.2][H13]") {
  Server server;
  server.receive(
      std::string("\x81\xfe\x00\x01\x00\x00\x00\x00"
                  "a",
                  9));
  CHECK(server.sent() == "close 1002\n");
}

TEST_CASE("H14: messages beyond the limits end it", "[signaling][hostile][H14]") {
  SECTION("in one frame, before it has come") {
    Server server;
    server.receive(client_frame(opcode::text, std::string(65'537, 'a')).substr(0, 100));
    CHECK(server.event() == "end 1006");
    CHECK(server.sent().starts_with("close 1009"));
  }
  SECTION("in fragments") {
    Server server;
    const std::string half(40'000, 'a');
    server.receive(client_frame(opcode::text, half, {.is_last = false}));
    server.receive(client_frame(opcode::continuation, half));
    CHECK(server.event() == "end 1006");
    CHECK(server.sent() == "close 1009 message too big\n");
  }
  SECTION("in too many fragments") {
    Server server;
    server.receive(client_frame(opcode::text, "", {.is_last = false}));
    for (int i = 0; i < 63; ++i) {
      server.receive(client_frame(opcode::continuation, "", {.is_last = false}));
    }
    CHECK(server.event() == "none");
    server.receive(client_frame(opcode::continuation, "", {.is_last = true}));
    CHECK(server.sent() == "close 1009 too many fragments\n");
  }
  SECTION("announced as more than fits any memory") {
    Server server;
    server.receive(
        std::string("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"
                    "a",
                    15));
    CHECK(server.sent().starts_with("close 1009"));
  }
  SECTION("unless the door allows more") {
    Server server{{.max_message_bytes = 8 * 1024 * 1024}};
    const std::string large(8 * 1024 * 1024, 'a');
    server.receive(client_frame(opcode::binary, large));
    CHECK(server.event() == "b:" + large);
  }
}

TEST_CASE("H15: a flood of pings ends it, a ping now and then does not",
          "[signaling][hostile][H15]") {
  Server server;
  const std::string ping = client_frame(opcode::ping, "");
  SECTION("ten a second") {
    for (int i = 0; i < 200; ++i) server.receive(ping, start + i * 100ms);
    CHECK(server.event() == "none");
  }
  SECTION("all at once") {
    for (int i = 0; i < 20; ++i) server.receive(ping);
    CHECK(server.event() == "none");
    server.out.clear();
    server.receive(ping);
    CHECK(server.sent() == "close 1008 too many pings\n");
    CHECK(server.event() == "end 1006");
  }
}

TEST_CASE("frames cut off anywhere are waited for", "[signaling]") {
  const std::string bytes = client_frame(opcode::text, "a", {.is_last = false}) +
                            client_frame(opcode::continuation, std::string(200, 'b'));
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    CAPTURE(cut);
    Server server;
    server.receive(bytes.substr(0, cut));
    CHECK(server.event() == "none");
    CHECK(server.socket.is_within_message());
    server.receive(bytes.substr(cut));
    CHECK(server.event() == "t:a" + std::string(200, 'b'));
    CHECK_FALSE(server.socket.is_within_message());
  }
}

}  // namespace turnpike::signaling::test
