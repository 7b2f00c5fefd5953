#include "signaling/socketio_packet.h"

#include "catch.h"

namespace turnpike::signaling::test {

namespace {

std::optional<SocketIoPacket> read(std::string_view text) {
  SocketIoReader reader;
  const auto packet = reader.push_text(text);
  return packet ? *packet : std::nullopt;
}

SocketIoError error_of(std::string_view text) {
  SocketIoReader reader;
  const auto packet = reader.push_text(text);
  REQUIRE_FALSE(packet);
  return packet.error();
}

constexpr const char* two_placeholders =
    R"(52-/a,7["e",{"_placeholder":true,"num":0},[{"num":1,"_placeholder":true}]])";

}  // namespace

TEST_CASE("a packet has a type, a namespace, an id and a payload", "[signaling]") {
  const auto plain = read(R"(2["message",1])");
  REQUIRE(plain);
  CHECK(plain->type == SocketIoType::event);
  CHECK(plain->nsp == "/");
  CHECK_FALSE(plain->id);
  CHECK(plain->json == R"(["message",1])");
  const auto full = read(R"(3/chat,456[{"a":1.50}])");
  REQUIRE(full);
  CHECK(full->type == SocketIoType::ack);
  CHECK(full->nsp == "/chat");
  CHECK(full->id == std::uint64_t{456});
  CHECK(full->json == R"([{"a":1.50}])");
  CHECK(read("0")->type == SocketIoType::connect);
  CHECK(read("0/custom")->nsp == "/custom");
  CHECK(read("0/custom,")->nsp == "/custom");
  CHECK(read(R"(0{"token":"a"})")->json == R"({"token":"a"})");
  CHECK(read("1/custom,")->type == SocketIoType::disconnect);
  CHECK(read(R"(4{"message":"a"})")->type == SocketIoType::connect_error);
}

TEST_CASE("what the reference server does not take is malformed", "[signaling]") {
  for (const std::string_view text : {"",
                                      "7",
                                      "abc",
                                      "random",
                                      "2",
                                      "2{}",
                                      "2[]",
                                      "2[{}]",
                                      "2[null]",
                                      R"(2["connect"])",
                                      R"(2["disconnecting"])",
                                      R"(2abc["a"])",
                                      R"(2["a"]])",
                                      R"(2["a")",
                                      "3",
                                      "3{}",
                                      "0[]",
                                      "0null",
                                      "1{}",
                                      "4",
                                      "4[]",
                                      R"(299999999999999999999["a"])",
                                      R"(29007199254740992["a"])",
                                      R"(5["a"])",
                                      R"(5-["a"])",
                                      R"(50-["a"])",
                                      R"(51["a"])",
                                      R"(5x-["a"])",
                                      R"(51-["a",{"_placeholder":true,"num":1}])",
                                      R"(51-["a",{"_placeholder":true,"num":-1}])",
                                      R"(51-["a",{"_placeholder":true}])"}) {
    INFO(text);
    CHECK(error_of(text) == SocketIoError::malformed);
  }
}

TEST_CASE("payloads that two readers may read differently are malformed", "[signaling]") {
  CHECK(error_of(R"(2["a",{"b":1,"b":2}])") == SocketIoError::malformed);
  CHECK(error_of("2 [\"a\"]") == SocketIoError::malformed);
  using namespace std::string_literals;
  CHECK(error_of("2[\"a\"]\0\0"s) == SocketIoError::malformed);
  CHECK(error_of("2[\"a\"] ") == SocketIoError::malformed);
  CHECK(error_of("2\xef\xbb\xbf[\"a\"]") == SocketIoError::malformed);
  CHECK(error_of("2[\"\xff\"]") == SocketIoError::malformed);
  CHECK(error_of("2[\"a\"," + std::string(40, '[') + std::string(40, ']') + "]") ==
        SocketIoError::malformed);
  CHECK(error_of("0/" + std::string(128, 'a')) == SocketIoError::malformed);
}

TEST_CASE("an event waits for its attachments", "[signaling]") {
  SocketIoReader reader;
  CHECK_FALSE(reader.push_text(two_placeholders)->has_value());
  CHECK_FALSE(reader.push_binary("\x01\x02")->has_value());
  const auto packet = *reader.push_binary("\x03");
  REQUIRE(packet);
  CHECK(packet->type == SocketIoType::event);
  CHECK(packet->nsp == "/a");
  CHECK(packet->id == std::uint64_t{7});
  CHECK(packet->attachments == std::vector<std::string>{"\x01\x02", "\x03"});
  CHECK(socketio_text(*packet) == two_placeholders);
  CHECK(reader.push_text(R"(2["next"])")->has_value());
}

TEST_CASE("attachments come after their packet, and nothing in between", "[signaling]") {
  SocketIoReader reader;
  CHECK(reader.push_binary("a").error() == SocketIoError::out_of_order);
  CHECK_FALSE(reader.push_text(two_placeholders)->has_value());
  CHECK(reader.push_text(R"(2["a"])").error() == SocketIoError::out_of_order);
}

TEST_CASE("packets and their attachments are bounded", "[signaling][hostile]") {
  SocketIoLimits limits;
  limits.max_bytes = 40;
  limits.max_attachments = 2;
  SocketIoReader reader{limits};
  CHECK(reader.push_text(R"(53-["a"])").error() == SocketIoError::too_large);
  CHECK(reader.push_text("2[\"" + std::string(40, 'a') + "\"]").error() ==
        SocketIoError::too_large);
  CHECK_FALSE(reader.push_text(R"(52-["a"])")->has_value());
  CHECK_FALSE(reader.push_binary(std::string(30, 'a'))->has_value());
  CHECK(reader.push_binary("abc").error() == SocketIoError::too_large);
}

TEST_CASE("a packet cut anywhere is another one, or malformed", "[signaling]") {
  const std::string_view whole = two_placeholders;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    SocketIoReader reader;
    const auto packet = reader.push_text(whole.substr(0, size));
    INFO(whole.substr(0, size));
    CHECK_FALSE(packet);
  }
}

TEST_CASE("elements keep their text", "[signaling]") {
  const auto elements =
      json_elements(R"([ "a,]\"" , 1.0e5 ,{"b":[1,2],"c":"}"},[ ], 12345678901234567890])");
  CHECK(elements == std::vector<std::string_view>{R"("a,]\"")", "1.0e5", R"({"b":[1,2],"c":"}"})",
                                                  "[ ]", "12345678901234567890"});
  CHECK(json_elements("[ ]").empty());
  CHECK(json_elements("[\"\\\\\",1]").size() == 2);
}

TEST_CASE("an event is packed into one frame", "[signaling]") {
  const Frame frame = pack_event(R"(["a"])", {"\x01", ""});
  const auto packet = unpack_event(*frame);
  REQUIRE(packet);
  CHECK(packet->json == R"(["a"])");
  CHECK(packet->attachments == std::vector<std::string>{"\x01", ""});
  for (std::size_t size = 0; size < frame->size(); ++size) {
    const auto cut = unpack_event(std::string_view{*frame}.substr(0, size));
    CHECK((!cut || cut->attachments.size() < 2));
  }
}

}  // namespace turnpike::signaling::test
