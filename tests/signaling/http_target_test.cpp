#include "signaling/http_target.h"

#include <string>

#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("a target is path and query, the path decoded once", "[signaling][rfc9112-3.2]") {
  const auto [text, path, query] = GENERATE(table<std::string, std::string, std::string>({
      {"/", "/", ""},
      {"/v1/ws", "/v1/ws", ""},
      {"/pages/", "/pages/", ""},
      {"/a?b=c&d", "/a", "b=c&d"},
      {"/a?b/../c?d", "/a", "b/../c?d"},
      {"/r/B%C3%BChne%201", "/r/B\xc3\xbchne 1", ""},
      {"/a%252fb", "/a%2fb", ""},
      {"/..a/b..", "/..a/b..", ""},
      {"*", "*", ""},
  }));
  CAPTURE(text);
  const auto target = parse_target(text);
  REQUIRE(target);
  CHECK(target->path == path);
  CHECK(target->query == query);
  CHECK(target->authority.empty());
}

TEST_CASE("the absolute form names the host too", "[signaling][rfc9112-3.2.2]") {
  CHECK(parse_target("http://a.example:80/b?c")->authority == "a.example:80");
  CHECK(parse_target("HTTPS://a.example/b?c")->path == "/b");
  CHECK(parse_target("http://a.example")->path == "/");
  CHECK(parse_target("http://a.example?c")->query == "c");
  CHECK(parse_target("http:///b").error() == TargetError::malformed);
  CHECK(parse_target("ftp://a.example/b").error() == TargetError::malformed);
}

TEST_CASE("what is no target is malformed", "[signaling]") {
  const std::string text = GENERATE(as<std::string>{}, "", "a", "a/b", "?a", "/a b", "/a#b", "/%",
                                    "/%4", "/%4g", "/a\x7f", "/\xc3\xbc", "**");
  CAPTURE(text);
  CHECK(parse_target(text).error() == TargetError::malformed);
}

TEST_CASE("H07: paths that are not what they seem are unsafe", "[signaling][hostile][H07]") {
  const std::string text =
      GENERATE(as<std::string>{}, "/..", "/../etc/passwd", "/a/../b", "/a/.", "/./a", "/%2e%2e/etc",
               "/.%2E/a", "/a%2f..%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/%00", "/a%00.html",
               "/a%0ab", "/a%7f", "/%c0%af", "/%c0%ae%c0%ae/a", "/%e0%80%af", "/%ed%a0%80", "/%ff",
               "//a", "/a//b", "/a%09", "//");
  CAPTURE(text);
  CHECK(parse_target(text).error() == TargetError::unsafe);
}

TEST_CASE("query values are decoded, and must be clear", "[signaling]") {
  CHECK(query_value("EIO=4&transport=polling", "transport") == "polling");
  CHECK(query_value("a=b+c%2Bd%3D", "a") == "b c+d=");
  CHECK(query_value("a&b=", "a") == "");
  CHECK(query_value("a&b=", "b") == "");
  CHECK_FALSE(query_value("a=1&a=2", "a"));
  CHECK_FALSE(query_value("ab=1", "a"));
  CHECK_FALSE(query_value("", "a"));
  CHECK_FALSE(query_value("a=%", "a"));
  CHECK_FALSE(query_value("a=%ff", "a"));
  CHECK_FALSE(query_value("a=%00", "a"));
}

TEST_CASE("percent signs want two digits", "[signaling]") {
  CHECK(percent_decode("a%41%7a") == "aAz");
  for (const std::string text : {"%", "%4", "a%", "%g0", "%0g"}) CHECK_FALSE(percent_decode(text));
}

}  // namespace turnpike::signaling::test
