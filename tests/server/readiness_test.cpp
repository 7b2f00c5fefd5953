#include "server/readiness.h"

#include "catch.h"

namespace turnpike::server::test {
namespace {

/// A server with room, where nothing is wrong.
Condition well() {
  Condition condition;
  condition.capacity = {10, 100, 200, 190};
  return condition;
}

}  // namespace

TEST_CASE("a server with room, where nothing is wrong, is ready and says no more", "[server]") {
  const Readiness found = readiness_of(well());
  CHECK(found.is_ready());
  CHECK(found.text() == "ready");
}

TEST_CASE("a server that drains or is full is not ready, and says both", "[server]") {
  Condition condition = well();
  condition.is_draining = true;
  CHECK(readiness_of(condition).text() == "draining");
  condition.capacity.free_ports = 0;
  CHECK(readiness_of(condition).text() == "draining\nfull");
  condition.is_draining = false;
  condition.capacity = {100, 100, 200, 100};
  CHECK_FALSE(readiness_of(condition).is_ready());
  CHECK(readiness_of(condition).text() == "full");
}

TEST_CASE("a server that is short of memory is not ready", "[server][X13]") {
  Condition condition = well();
  condition.capacity.is_short_of_memory = true;
  CHECK(readiness_of(condition).text() ==
        "memory: nearly all that this process may have is in use");
}

TEST_CASE("a store that cannot be read matters when users are asked for there", "[server]") {
  Condition condition = well();
  condition.sources.store_answers = false;
  CHECK(readiness_of(condition).text() == "ready\nstore: cannot be read");
  condition.sources.store_is_needed = true;
  CHECK_FALSE(readiness_of(condition).is_ready());
  CHECK(readiness_of(condition).text() == "store: cannot be read, and users are asked for there");
}

TEST_CASE("a store that cannot be written fails no call", "[server]") {
  Condition condition = well();
  condition.usage_is_written = false;
  CHECK(readiness_of(condition).is_ready());
  CHECK(readiness_of(condition).text() == "ready\nstore: takes no usage records; they wait");
}

TEST_CASE("a silent hook matters when nothing that it has said is remembered", "[server]") {
  Condition condition = well();
  condition.sources.hook_answers = false;
  CHECK_FALSE(readiness_of(condition).is_ready());
  condition.sources.hook_may_be_stood_in_for = true;
  CHECK(readiness_of(condition).is_ready());
  CHECK(readiness_of(condition).text().starts_with("ready\nhook: does not answer"));
}

}  // namespace turnpike::server::test
