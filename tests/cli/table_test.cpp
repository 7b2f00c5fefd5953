#include "cli/table.h"

#include <algorithm>

#include "catch.h"
#include "cli/allocation_table.h"

namespace turnpike::cli {

TEST_CASE("columns are as wide as they need, for readers of any language", "[cli]") {
  CHECK(table_text({{"A", "B"}, {"abc", "d"}, {"é", "f"}}) == "A    B\nabc  d\né    f\n");
}

TEST_CASE("I07: what users call themselves does not steer a terminal", "[cli][hostile][I07]") {
  CHECK(printable("a\x1b[2Jb\x7f\n") == "a?[2Jb??");
  CHECK(printable("\xc2\x9b"
                  "2J") == "?2J");
  CHECK(table_text({{"\x1b]0;x\x07"}}).find('\x1b') == std::string::npos);
}

TEST_CASE("nor does it in `allocation list` and `top`", "[cli][hostile][I07]") {
  const std::string hostile = "\x1b]0;x\x07\x1b[2J\xc2\x9b\r\n0-0";
  const nlohmann::json list{{"allocations",
                             {{{"id", "0-1"},
                               {"user", hostile},
                               {"account", hostile},
                               {"client", hostile},
                               {"relayed", {hostile, hostile}}}}}};
  const auto has_control = [](const std::string& text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f;
    });
  };
  const std::string table = allocation_table(list["allocations"]);
  const std::string frame = top_frame({{"version", "1"}}, list, 24, 200);
  for (const std::string& text : {table, frame}) {
    CHECK(text.find("0-1") != std::string::npos);
    CHECK_FALSE(has_control(text));
    CHECK(text.find("\xc2\x9b") == std::string::npos);
    CHECK(text.find("\n0-0") == std::string::npos);  // no line of its own
  }
}

TEST_CASE("sizes, rates and ages are short", "[cli]") {
  CHECK(size_text(0) == "0 B");
  CHECK(size_text(999) == "999 B");
  CHECK(size_text(1234) == "1.2 kB");
  CHECK(size_text(34'000'000) == "34 MB");
  CHECK(size_text(999'999) == "1.0 MB");
  CHECK(rate_text(0) == "0");
  CHECK(rate_text(1'200'000) == "1.2 Mbit/s");
  CHECK(age_text(12) == "12 s");
  CHECK(age_text(200) == "3 min");
  CHECK(age_text(7500) == "2 h 5 min");
  CHECK(age_text(100 * 3600) == "4 d 4 h");
}

TEST_CASE("a picture of top fits its window", "[cli]") {
  const nlohmann::json status{{"version", "1.2.3"}, {"draining", true}, {"allocations", 2}};
  nlohmann::json list{{"allocations", nlohmann::json::array()}};
  for (int i = 0; i < 9; ++i) list["allocations"].push_back({{"id", "0-" + std::to_string(i)}});
  const std::string frame = top_frame(status, list, 6, 20);
  CHECK(std::count(frame.begin(), frame.end(), '\n') == 6);
  CHECK(frame.starts_with("turnpike 1.2.3, up 0"));
  CHECK(frame.find("0-2") == std::string::npos);
}

}  // namespace turnpike::cli
