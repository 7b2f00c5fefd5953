#include "turn/reason.h"

#include <array>
#include <set>

#include "catch.h"

namespace turnpike::turn {

TEST_CASE("every reason has a name of its own", "[turn]") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < reason_count; ++i) {
    const std::string_view name = to_string(static_cast<Reason>(i));
    CAPTURE(i, name);
    CHECK_FALSE(name.empty());
    CHECK(name != "?");
    CHECK(names.insert(name).second);
  }
  CHECK(names.size() == reason_count);
}

TEST_CASE("a reason's name begins with what was done and is fit for a metric label", "[turn]") {
  for (std::size_t i = 0; i < reason_count; ++i) {
    const std::string_view name = to_string(static_cast<Reason>(i));
    CAPTURE(name);
    constexpr std::array<std::string_view, 5> verbs{"answered_", "refused_", "relayed_", "dropped_",
                                                    "parked"};
    const auto begins = [name](std::string_view verb) {
      return name.substr(0, verb.size()) == verb;
    };
    CHECK(std::count_if(verbs.begin(), verbs.end(), begins) == 1);
    CHECK(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos);
  }
}

TEST_CASE("the count of reasons is that of the list", "[turn]") {
#define TURNPIKE_COUNT_ONE(name) +1
  constexpr std::size_t listed = 0 TURNPIKE_TURN_REASONS(TURNPIKE_COUNT_ONE);
#undef TURNPIKE_COUNT_ONE
  CHECK(listed == reason_count);
  CHECK(to_string(static_cast<Reason>(reason_count)) == "?");
  CHECK(to_string(Reason::answered_binding) == "answered_binding");
  CHECK(to_string(Reason::dropped_icmp) == "dropped_icmp");
}

}  // namespace turnpike::turn
