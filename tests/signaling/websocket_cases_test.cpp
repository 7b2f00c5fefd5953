// The cases of the Autobahn test suite for WebSockets (its families 1 to 7, 9 and 10), written
// anew: each once in one piece and once byte by byte. Families 12 and 13 are about compression,
// which the server does not agree to (websocket_handshake_test).
#include <string>
#include <vector>

#include "catch.h"
#include "signaling/websocket_server.h"

namespace turnpike::signaling::test {

namespace {

std::string text(std::string_view payload, FrameShape shape = {}) {
  return client_frame(opcode::text, payload, shape);
}
std::string more(std::string_view payload, FrameShape shape = {}) {
  return client_frame(opcode::continuation, payload, shape);
}
std::string ping(std::string_view payload, FrameShape shape = {}) {
  return client_frame(opcode::ping, payload, shape);
}
std::string pong(std::string_view payload, FrameShape shape = {}) {
  return client_frame(opcode::pong, payload, shape);
}
constexpr FrameShape unfinished{.is_last = false};

/// What comes of `bytes`, in one piece or byte by byte: every event, then every frame sent.
std::string outcome(std::string_view bytes, bool in_pieces) {
  WebSocketServer server;
  in_pieces ? server.receive_slowly(bytes) : server.receive(bytes);
  std::string all;
  for (std::string event = server.event(); event != "none"; event = server.event()) {
    all += event + "\n";
  }
  return all + server.sent();
}

void check(std::string_view bytes, const std::string& expected) {
  for (const bool in_pieces : {false, true}) {
    CAPTURE(in_pieces);
    CHECK(outcome(bytes, in_pieces) == expected);
  }
}

const std::string broken = "end 1006\nclose 1002\n";
const std::string not_utf8 = "end 1006\nclose 1007\n";

std::string hex(std::string_view digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string{digits.substr(i, 2)}, nullptr, 16));
  }
  return bytes;
}

}  // namespace

TEST_CASE("Autobahn 1: messages of every size class", "[signaling][H13]") {
  const std::size_t size = GENERATE(0U, 125U, 126U, 127U, 128U, 65'535U, 65'536U);
  CAPTURE(size);
  const std::string payload(size, '*');
  check(text(payload), "t:" + payload + "\n");
  const std::string binary(size, '\xfe');
  check(client_frame(opcode::binary, binary), "b:" + binary + "\n");
}

TEST_CASE("Autobahn 2: pings are answered with what they hold, pongs ignored", "[signaling][H13]") {
  const auto payload = GENERATE(as<std::string>{}, "", "Hello, world!", hex("00fffefdfcfbff"),
                                std::string(125, '\xfe'));
  check(ping(payload), "pong " + payload + "\n");
  check(pong(payload), "");
  check(pong(payload) + ping("after"), "pong after\n");
  std::string pings;
  std::string pongs;
  for (int i = 0; i < 10; ++i) {
    pings += ping("payload-" + std::to_string(i));
    pongs += "pong payload-" + std::to_string(i) + "\n";
  }
  check(pings, pongs);
  check(ping(std::string(126, '\xfe')), broken);
}

TEST_CASE("Autobahn 3: reserved bits", "[signaling][H13]") {
  const auto reserved = GENERATE(as<std::uint8_t>{}, 1, 2, 3, 4, 5, 6, 7);
  CAPTURE(reserved);
  const FrameShape shape{.reserved = reserved};
  check(text("Hello", shape), broken);
  check(text("before") + text("Hello", shape) + ping(""), "t:before\n" + broken);
  check(client_frame(opcode::binary, hex("00ff"), shape), broken);
  check(ping("Hello", shape), broken);
  check(client_frame(opcode::close, "", shape), broken);
}

TEST_CASE("Autobahn 4: reserved opcodes", "[signaling][H13]") {
  const auto code = GENERATE(as<std::uint8_t>{}, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15);
  CAPTURE(code);
  check(client_frame(code, ""), broken);
  check(client_frame(code, "reserved"), broken);
  check(text("before") + client_frame(code, "reserved") + ping(""), "t:before\n" + broken);
}

TEST_CASE("Autobahn 5: fragments", "[signaling][H13]") {
  const auto [name, bytes, expected] = GENERATE(table<std::string, std::string, std::string>({
      {"5.1", ping("one", unfinished) + more("two"), broken},
      {"5.2", pong("one", unfinished) + more("two"), broken},
      {"5.3", text("one", unfinished) + more("two"), "t:onetwo\n"},
      {"5.6", text("one", unfinished) + ping("p") + more("two"), "t:onetwo\npong p\n"},
      {"5.9", more("lost") + text("Hello"), broken},
      {"5.12", more("lost", unfinished) + text("Hello"), broken},
      {"5.15", text("one", unfinished) + more("two") + more("lost", unfinished) + text("Hello"),
       "t:onetwo\n" + broken},
      {"5.18", text("one", unfinished) + text("two"), broken},
      {"5.19",
       text("1", unfinished) + more("2", unfinished) + ping("a") + more("3", unfinished) +
           more("4", unfinished) + ping("b") + more("5"),
       "t:12345\npong a\npong b\n"},
      {"empty ones", text("", unfinished) + more("", unfinished) + more(""), "t:\n"},
  }));
  CAPTURE(name);
  check(bytes, expected);
}

TEST_CASE("Autobahn 6: text that is UTF-8", "[signaling][H13]") {
  const auto digits = GENERATE(
      as<std::string>{}, "", "48656c6c6f2dc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d382121",
      "cebae1bdb9cf83cebcceb5",            // κόσμε
      "00", "c280", "e0a080", "f0908080",  // the first of each length
      "7f", "dfbf", "efbfbf", "f48fbfbf",  // the last
      "ed9fbf", "ee8080", "efbfbd",        // around the surrogates
      "efbfbe", "f09fbfbe", "f09fbfbf", "f48fbfbe", "f0afbfbe", "f3bfbfbf");  // no characters
  CAPTURE(digits);
  const std::string payload = hex(digits);
  check(text(payload), "t:" + payload + "\n");
  std::string pieces;
  for (const char& byte : payload) {
    pieces +=
        client_frame(pieces.empty() ? opcode::text : opcode::continuation, {&byte, 1}, unfinished);
  }
  if (!pieces.empty()) check(pieces + more(""), "t:" + payload + "\n");
}

TEST_CASE("Autobahn 6: text that is not UTF-8", "[signaling][H13]") {
  const auto digits = GENERATE(
      as<std::string>{}, "cebae1bdb9cf83cebcceb5eda080656469746564", "f4908080",  // too high
      "f8888080", "f888808080", "fc8480808080", "f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf", "80",
      "bf", "80bf", "80bf80bf80bf",                                    // nothing to continue
      "c020c120c220", "e020ef20", "f020f720", "f820fb20", "fc20fd20",  // nothing that continues
      "c0", "e080", "f08080", "f8808080", "fc80808080", "df", "efbf", "f7bfbf", "cebae1bdb9cf83ce",
      "fe", "ff", "fefeffff", "c0af", "e080af", "f08080af", "f8808080af",
      "fc80808080af",  // longer than it need be
      "c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf", "c080", "e08080", "f0808080",
      "eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf",  // surrogates
      "eda080edb080", "edafbfedbfbf");
  CAPTURE(digits);
  check(text(hex(digits)), not_utf8);
  check(text("good", unfinished) + more(hex(digits)), not_utf8);
}

TEST_CASE("Autobahn 7: closing", "[signaling][H13]") {
  const auto [name, bytes, expected] = GENERATE(table<std::string, std::string, std::string>({
      {"7.1.1", text("Hello") + client_close(1000, ""), "t:Hello\nend 1000\nclose 1000\n"},
      {"7.1.2", client_close(1000, "") + client_close(1000, ""), "end 1000\nclose 1000\n"},
      {"7.1.3", client_close(1000, "") + ping("late"), "end 1000\nclose 1000\n"},
      {"7.1.4", client_close(1000, "") + text("late"), "end 1000\nclose 1000\n"},
      {"7.1.5", text("a", unfinished) + client_close(1000, "") + more("late"),
       "end 1000\nclose 1000\n"},
      {"7.3.1", client_frame(opcode::close, ""), "end 1005\nclose\n"},
      {"7.3.2", client_frame(opcode::close, "a"), broken},
      {"7.3.4", client_close(1000, "Hello"), "end 1000\nclose 1000\n"},
      {"7.3.5", client_close(1000, std::string(123, '*')), "end 1000\nclose 1000\n"},
      {"7.3.6", client_close(1000, std::string(124, '*')), broken},
      {"7.5.1", client_close(1000, hex("cebae1bdb9cf83cebcceb5eda080656469746564")), not_utf8},
  }));
  CAPTURE(name);
  check(bytes, expected);
}

TEST_CASE("Autobahn 7: close codes", "[signaling][H13]") {
  SECTION("that may be sent") {
    const auto code = GENERATE(as<std::uint16_t>{}, 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                               1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999);
    const std::string number = std::to_string(code);
    check(client_close(code, ""), "end " + number + "\nclose " + number + "\n");
    check(client_close(code, "reason"), "end " + number + "\nclose " + number + "\n");
  }
  SECTION("that may not") {
    const auto code = GENERATE(as<std::uint16_t>{}, 0, 999, 1004, 1005, 1006, 1015, 1016, 1100,
                               2000, 2999, 5000, 65535);
    CAPTURE(code);
    check(client_close(code, ""), broken);
    check(client_close(code, "reason"), broken);
  }
}

TEST_CASE("Autobahn 9 and 10: large messages in small pieces", "[signaling][H13]") {
  const std::string whole(65'536, '*');
  std::string bytes;
  for (std::size_t at = 0; at < whole.size(); at += 1300) {
    const bool is_last = at + 1300 >= whole.size();
    bytes += client_frame(at == 0 ? opcode::text : opcode::continuation,
                          std::string_view{whole}.substr(at, 1300), {.is_last = is_last});
  }
  check(bytes, "t:" + whole + "\n");
}

}  // namespace turnpike::signaling::test
