#include "signaling/rights.h"

#include <vector>

#include "catch.h"

namespace turnpike::signaling::test {

namespace {

constexpr Right all[] = {Right::signal, Right::message, Right::update,
                         Right::kick,   Right::lock,    Right::end};

}  // namespace

TEST_CASE("each role may what the one below it may, and more", "[signaling]") {
  const auto count = [](Role role) {
    int rights = 0;
    for (const Right right : all) rights += Rights::of(role).has(right) ? 1 : 0;
    return rights;
  };
  CHECK(count(Role::viewer) == 1);
  CHECK(Rights::of(Role::viewer).has(Right::signal));
  CHECK(count(Role::member) == 3);
  CHECK(Rights::of(Role::member).has(Right::message));
  CHECK(Rights::of(Role::member).has(Right::update));
  CHECK(count(Role::owner) == 6);
}

TEST_CASE("a right can be added", "[signaling]") {
  Rights rights = Rights::of(Role::viewer);
  rights.add(Right::lock);
  CHECK(rights.has(Right::lock));
  CHECK_FALSE(rights.has(Right::kick));
  CHECK(rights != Rights::of(Role::viewer));
}

TEST_CASE("roles and rights have names, and others have none", "[signaling]") {
  for (const Role role : {Role::viewer, Role::member, Role::owner}) {
    CHECK(parse_role(to_string(role)) == role);
  }
  for (const Right right : all) CHECK(parse_right(to_string(right)) == right);
  CHECK(to_string(Role::owner) == "owner");
  CHECK(to_string(Right::end) == "end");
  for (const char* const name : {"", "Owner", "admin"}) {
    CHECK_FALSE(parse_role(name));
    CHECK_FALSE(parse_right(name));
  }
}

}  // namespace turnpike::signaling::test
