#include "signaling/json.h"

#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("JSON is read as it stands", "[signaling]") {
  const auto text = GENERATE(as<std::string>{}, "null", "true", "-1", "1.5", R"("x")", "[]", "{}",
                             R"([1,[2,{"a":[3]}],"x",null])", R"({"a":{"b":[]},"c":false})",
                             R"({"a":1,"b":{"a":1}})", "18446744073709551615");
  CAPTURE(text);
  const auto value = parse_json(text, 32);
  REQUIRE(value);
  CHECK(to_text(*value) == text);
  CHECK(*value == Json::parse(text));
}

TEST_CASE("what is no JSON is nothing", "[signaling][H20]") {
  const auto text = GENERATE(
      as<std::string>{}, "", " ", "{", "}", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "'x'",
      "1 2", "nul", "NaN", "Infinity", "1e999", "-1e999", "01", "+1", "\"a", "\"\n\"", "/**/1",
      "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", R"("\ud800")", R"("\udc00\ud800")",
      R"({"a":1,"a":2})", R"([{"x":{"a":1,"b":2,"a":3}}])", R"({"\u0061":1,"a":2})");
  CAPTURE(text);
  CHECK_FALSE(parse_json(text, 32));
}

TEST_CASE("a zero byte is no JSON, nor is what stands before it", "[signaling]") {
  using namespace std::string_view_literals;
  CHECK_FALSE(parse_json("[1]\0"sv, 32));
  CHECK_FALSE(parse_json("[1]\0]"sv, 32));
  CHECK_FALSE(parse_json("\0[1]"sv, 32));
  CHECK_FALSE(parse_json("[1,\0 2]"sv, 32));
}

TEST_CASE("JSON is read to a depth and no further", "[signaling][H20]") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(parse_json(nested(32), 32));
  CHECK_FALSE(parse_json(nested(33), 32));
  CHECK_FALSE(parse_json(std::string(60'000, '['), 32));
  CHECK(parse_json("[[],[],[[]],{}]", 3));
  CHECK_FALSE(parse_json(R"({"a":{"a":{"a":{}}}})", 3));
}

TEST_CASE("objects and arrays are written in the order of the calls", "[signaling]") {
  CHECK(ObjectWriter{}.finish() == "{}");
  CHECK(ArrayWriter{}.finish() == "[]");
  ObjectWriter out;
  out.text("z", "a\"\\\n\x01 é").number("b", 18'446'744'073'709'551'615ULL).boolean("a", false);
  out.raw("r", "[1]");
  CHECK(out.finish() ==
        "{\"z\":\"a\\\"\\\\\\n\\u0001 é\",\"b\":18446744073709551615,\"a\":false,\"r\":[1]}");
  ArrayWriter list;
  list.raw("{}").text("x\"");
  CHECK(list.finish() == "[{},\"x\\\"\"]");
}

TEST_CASE("text that is not UTF-8 is made so rather than thrown at", "[signaling]") {
  CHECK(ObjectWriter{}.text("a", "x\xff").finish() == "{\"a\":\"x\xef\xbf\xbd\"}");
}

}  // namespace turnpike::signaling::test
