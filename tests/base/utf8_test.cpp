#include "base/utf8.h"

#include <string>

#include "catch.h"

namespace turnpike::test {

TEST_CASE("UTF-8 is checked strictly", "[base][rfc3629]") {
  CHECK(is_utf8("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf"));
  const std::string text = GENERATE(as<std::string>{}, "\x80", "\xc3", "\xc0\x80", "\xc1\xbf",
                                    "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                                    "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82", "\xff");
  CHECK_FALSE(is_utf8(text));
  CHECK_FALSE(is_utf8("a" + text + "b"));
}

TEST_CASE("a prefix cuts no character", "[base]") {
  CHECK(utf8_prefix("a\xc3\xbc", 9) == "a\xc3\xbc");
  CHECK(utf8_prefix("a\xc3\xbc", 3) == "a\xc3\xbc");
  CHECK(utf8_prefix("a\xc3\xbc", 2) == "a");
  CHECK(utf8_prefix("\xf0\x9f\x98\x80", 3).empty());
}

}  // namespace turnpike::test
