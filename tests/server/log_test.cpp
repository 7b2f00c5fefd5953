#include "server/log.h"

#include <nlohmann/json.hpp>

#include "catch.h"

using namespace turnpike::server;

TEST_CASE("an event is one line of its name and its fields", "[server][log]") {
  CHECK(log_line_text("started", {}) == "started");
  CHECK(log_line_text("allocation_created", {{"user", "alice"}, {"port", 49152}, {"even", true}}) ==
        "allocation_created user=alice port=49152 even=true");
  CHECK(
      log_line_text(
          "e", {{"words", "two words"}, {"empty", ""}, {"quote", "a\"b\\c"}, {"equals", "a=b"}}) ==
      R"(e words="two words" empty="" quote="a\"b\\c" equals="a=b")");
}

TEST_CASE("what comes from the network cannot steer the terminal or forge a line",
          "[server][log][I07]") {
  const auto written = [](std::string_view value) { return log_line_text("e", {{"v", value}}); };
  CHECK(written("a\nb\r\tc") == R"(e v="a\x0ab\x0d\x09c")");
  CHECK(written("\x1b[31mred\x7f") == R"(e v="\x1b[31mred\x7f")");
  CHECK(written(std::string_view{"\0", 1}) == R"(e v="\x00")");
  CHECK(written("\xc2\x9b"
                "31m") == R"(e v="\xc2\x9b31m")");            // CSI as one C1 character
  CHECK(written("\xe2\x80\xae") == R"(e v="\xe2\x80\xae")");  // right-to-left override
  CHECK(written("caf\xc3\xa9 \xed\x95\x9c\xea\xb8\x80") == "e v=\"café 한글\"");
  CHECK(written("\xff\xc3") == R"(e v="\xff\xc3")");
  CHECK(written("\xc0\x8a") == R"(e v="\xc0\x8a")");          // overlong
  CHECK(written("\xed\xa0\x80") == R"(e v="\xed\xa0\x80")");  // surrogate
}

TEST_CASE("long values are cut", "[server][log]") {
  const std::string line = log_line_text("e", {{"v", std::string(10'000, 'a')}});
  CHECK(line == "e v=" + std::string(256, 'a') + "…");
}

TEST_CASE("fields that are called after a credential are hidden", "[server][log][I08]") {
  for (const char* name : {"password", "secret", "credential", "token", "key"}) {
    CAPTURE(name);
    CHECK(log_line_text("e", {{name, "canary"}}).find("canary") == std::string::npos);
    CHECK(log_line_json("e", {{name, "canary"}}).find("canary") == std::string::npos);
  }
}

TEST_CASE("a JSON line is the same event as an object, in ASCII", "[server][log]") {
  const std::string line =
      "{" + log_line_json("e", {{"user", "a\n\"\x1b\x7f한"}, {"bad", "\xff"}, {"port", 7}}) + "}";
  for (const char c : line) CHECK((c >= 0x20 && c < 0x7f));
  const auto parsed = nlohmann::json::parse(line);
  CHECK(parsed["event"] == "e");
  CHECK(parsed["user"] == "a\n\"\x1b\x7f한");
  CHECK(parsed["bad"] == "\xef\xbf\xbd");
  CHECK(parsed["port"] == 7);
}

TEST_CASE("the format depends on where stderr goes", "[server][log]") {
  CHECK(log_style(LogFormat::automatic, true, false) == LogStyle::terminal);
  CHECK(log_style(LogFormat::automatic, false, false) == LogStyle::json);
  CHECK(log_style(LogFormat::automatic, false, true) == LogStyle::journal);
  CHECK(log_style(LogFormat::text, false, false) == LogStyle::plain);
  CHECK(log_style(LogFormat::text, false, true) == LogStyle::journal);
  CHECK(log_style(LogFormat::json, true, false) == LogStyle::json);
  CHECK(log_style(LogFormat::json, false, true) == LogStyle::json);
}

TEST_CASE("without a log, events go nowhere", "[server][log]") {
  CHECK_FALSE(is_logged(LogLevel::error));
  log_event(LogLevel::error, "unheard", {{"user", "alice"}});
}
