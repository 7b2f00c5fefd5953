#include "signaling/engineio_packet.h"

#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("a packet is a digit and the rest", "[signaling]") {
  const auto message = parse_engineio_packet("4hello");
  REQUIRE(message);
  CHECK(message->type == EngineIoType::message);
  CHECK(message->body == "hello");
  CHECK_FALSE(message->is_binary);
  CHECK(parse_engineio_packet("0")->type == EngineIoType::open);
  CHECK(parse_engineio_packet("6")->type == EngineIoType::noop);
  CHECK(parse_engineio_packet("2probe")->body == "probe");
}

TEST_CASE("what is no packet is refused", "[signaling]") {
  for (const std::string_view text :
       {"", "7", "abc", "b=", "bAQ", "bAQI", "bAQID=", "b A==", "/"}) {
    INFO(text);
    CHECK_FALSE(parse_engineio_packet(text));
  }
}

TEST_CASE("binary messages are base64 where only text goes", "[signaling]") {
  const auto packet = parse_engineio_packet("bAQIDBA==");
  REQUIRE(packet);
  CHECK(packet->is_binary);
  CHECK(packet->body == "\x01\x02\x03\x04");
  CHECK(parse_engineio_packet("b")->body.empty());
}

TEST_CASE("a payload is read packet by packet", "[signaling]") {
  std::string_view payload =
      "4test1\x1e"
      "bAQIDBA==\x1e"
      "3";
  CHECK(take_engineio_packet(payload)->body == "test1");
  CHECK(take_engineio_packet(payload)->is_binary);
  CHECK(take_engineio_packet(payload)->type == EngineIoType::pong);
  CHECK(payload.empty());
}

TEST_CASE("a payload that announces a packet which is not there is refused", "[signaling]") {
  std::string_view cut = "4a\x1e";
  CHECK_FALSE(take_engineio_packet(cut));
  std::string_view doubled =
      "4a\x1e\x1e"
      "4b";
  CHECK(take_engineio_packet(doubled));
  CHECK_FALSE(take_engineio_packet(doubled));
  std::string_view empty;
  CHECK_FALSE(take_engineio_packet(empty));
}

TEST_CASE("a payload cut anywhere is read to its end, or refused", "[signaling]") {
  const std::string_view whole =
      "4test1\x1e"
      "bAQIDBA==\x1e"
      "2probe";
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    std::string_view payload = whole.substr(0, size);
    std::size_t packets = 0;
    while (take_engineio_packet(payload) && !payload.empty()) ++packets;
    CHECK(packets <= 2);
  }
}

TEST_CASE("packets are written as they are read", "[signaling]") {
  CHECK(engineio_text(EngineIoType::message, "hello") == "4hello");
  CHECK(engineio_text(EngineIoType::noop) == "6");
  std::string payload;
  append_to_payload(payload, {EngineIoType::message, "hello"});
  append_to_payload(payload, {EngineIoType::message, "\x01\x02\x03\x04", true});
  append_to_payload(payload, {EngineIoType::ping});
  CHECK(payload ==
        "4hello\x1e"
        "bAQIDBA==\x1e"
        "2");
}

}  // namespace turnpike::signaling::test
