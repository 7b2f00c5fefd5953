#include "signaling/http_text.h"

#include <string>

#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("case is ignored for ASCII letters only", "[signaling]") {
  CHECK(equal_ignoring_case("Content-Length", "content-LENGTH"));
  CHECK_FALSE(equal_ignoring_case("a", "ab"));
  CHECK_FALSE(equal_ignoring_case("[", "{"));
  CHECK_FALSE(equal_ignoring_case("\xc3\x84", "\xc3\xa4"));
}

TEST_CASE("tokens are what RFC 9110 says", "[signaling][rfc9110-5.6.2]") {
  CHECK(is_token("X-Forwarded_For!"));
  const std::string text = GENERATE(std::string{}, "a b", "a:", "a\t", "(a)", "\xc3\xbc",
                                    std::string("a\0", 2), "a\r\n");
  CHECK_FALSE(is_token(text));
}

TEST_CASE("field values hold no control characters but tabs", "[signaling][rfc9110-5.5]") {
  CHECK(is_field_value("a b\tc \xc3\xbc"));
  for (int c = 0; c < 256; ++c) {
    const bool is_control = (c < 0x20 && c != '\t') || c == 0x7f;
    CHECK(is_field_value(std::string(1, static_cast<char>(c))) == !is_control);
  }
}

TEST_CASE("lists are read element by element", "[signaling][rfc9110-5.6.1]") {
  std::string_view list = " a ,b,, c\t";
  CHECK(take_element(list) == "a");
  CHECK(take_element(list) == "b");
  CHECK(take_element(list).empty());
  CHECK(take_element(list) == "c");
  CHECK(list.empty());
  CHECK(list_has("keep-alive, Upgrade", "upgrade"));
  CHECK_FALSE(list_has("keep-alive, Upgrades", "upgrade"));
  CHECK_FALSE(list_has("", "upgrade"));
  CHECK(trimmed(" \t ").empty());
}

}  // namespace turnpike::signaling::test
