#include "signaling/socketio_rules.h"

#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("profiles lie beside one another", "[signaling]") {
  const std::vector<Profile> both{zoom_profile(), codelab_profile()};
  REQUIRE(find_rule(both, "/", "join_room") != nullptr);
  CHECK(find_rule(both, "/", "join_room")->notify == "welcome");
  for (const char* const event : {"offer", "answer", "ice"}) {
    REQUIRE(find_rule(both, "/", event) != nullptr);
    CHECK(find_rule(both, "/", event)->room == RoomArgument::last);
  }
  REQUIRE(find_rule(both, "/", "create or join") != nullptr);
  CHECK(find_rule(both, "/", "create or join")->max == std::uint32_t{2});
  REQUIRE(find_rule(both, "/", "message") != nullptr);
  CHECK(find_rule(both, "/", "message")->room == RoomArgument::none);
  CHECK(find_rule(both, "/", "join") == nullptr);
  CHECK(find_rule(both, "/other", "message") == nullptr);
  CHECK(find_greeting(both, "/") == nullptr);
}

TEST_CASE("the first profile that has a rule wins", "[signaling]") {
  const std::vector<Profile> all{echo_profile(), codelab_profile()};
  CHECK(find_rule(all, "/", "message")->action == RuleAction::echo);
  CHECK(find_greeting(all, "/custom")->notify == "auth");
  CHECK(find_rule(all, "/custom", "create or join") == nullptr);
}

TEST_CASE("a namespace is there when a profile serves it", "[signaling]") {
  CHECK(serves({zoom_profile()}, "/"));
  CHECK_FALSE(serves({zoom_profile()}, "/custom"));
  CHECK(serves({zoom_profile(), echo_profile()}, "/custom"));
  CHECK_FALSE(serves({}, "/"));
}

TEST_CASE("profiles have names", "[signaling]") {
  for (const char* const name : {"zoom", "codelab", "echo"}) {
    REQUIRE(profile_named(name));
    CHECK(profile_named(name)->name == name);
  }
  CHECK_FALSE(profile_named("nope"));
}

}  // namespace turnpike::signaling::test
