#include "conformance/report.h"

#include <nlohmann/json.hpp>

#include "catch.h"

using namespace turnpike;
using namespace turnpike::conformance;

namespace {

const Check a_check{"a-check",    "12, 14", "RFC 8489 §9.2.4", "A rule.", Strength::must,
                    Applies::udp, nullptr};

CheckResult result_of(Outcome outcome) {
  return {&a_check, Transport::udp, Family::ipv6, std::move(outcome), "", milliseconds{7}};
}

}  // namespace

TEST_CASE("what passed is one line", "[conformance]") {
  const std::string text = to_text(result_of({}));
  CHECK(text.starts_with("passed"));
  CHECK(text.find("udp  ipv6  a-check") != std::string::npos);
  CHECK(text.ends_with("RFC 8489 §9.2.4\n"));
}

TEST_CASE("what failed says rule, expectation and what came", "[conformance]") {
  const std::string text = to_text(result_of({Status::failed, "400", "401", ""}));
  CHECK(text.starts_with("failed"));
  CHECK(text.find("rule      A rule.\n") != std::string::npos);
  CHECK(text.find("expected  400\n") != std::string::npos);
  CHECK(text.find("got       401\n") != std::string::npos);
}

TEST_CASE("what the network says cannot steer a terminal", "[conformance][I07]") {
  const std::string text = to_text(result_of({Status::failed, "x", "\x1b[2Jboo\n", ""}));
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("?[2Jboo?\n") != std::string::npos);
}

TEST_CASE("JSON has one object a check and a summary", "[conformance]") {
  CheckResult left = result_of({Status::not_tried, "", "", "no peer"});
  left.left_behind = "an allocation";
  const auto json = nlohmann::json::parse(
      to_json("turn:host", {result_of({}), result_of({Status::failed, "400", "\xff", ""}), left}));
  CHECK(json["target"] == "turn:host");
  REQUIRE(json["checks"].size() == 3);
  const auto& passed = json["checks"][0];
  CHECK(passed["name"] == "a-check");
  CHECK(passed["section"] == "RFC 8489 §9.2.4");
  CHECK(passed["lines"] == "12, 14");
  CHECK(passed["strength"] == "must");
  CHECK(passed["transport"] == "udp");
  CHECK(passed["family"] == "ipv6");
  CHECK(passed["status"] == "passed");
  CHECK(passed["elapsed_ms"] == 7);
  CHECK_FALSE(passed.contains("why"));
  CHECK(json["checks"][1]["expected"] == "400");
  CHECK(json["checks"][2]["why"] == "no peer");
  CHECK(json["checks"][2]["left_behind"] == "an allocation");
  CHECK(json["summary"]["passed"] == 1);
  CHECK(json["summary"]["failed"] == 1);
  CHECK(json["summary"]["not_tried"] == 1);
  CHECK(json["summary"]["left_behind"] == 1);
}

TEST_CASE("the counts are one line", "[conformance]") {
  CHECK(to_text(Counts{5, 4, 3, 2, 1}) ==
        "passed 5, failed 4, warned 3, not supported 2, not tried 1");
}
