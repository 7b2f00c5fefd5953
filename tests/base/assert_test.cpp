#include "base/assert.h"

#include "base/aborts.h"
#include "catch.h"

namespace turnpike::test {

TEST_CASE("a condition that holds has no effect", "[base]") {
  int evaluated = 0;
  TURNPIKE_ASSERT(++evaluated == 1);
  CHECK(evaluated == 1);
}

TEST_CASE("a broken assumption ends the process and says which and where", "[base]") {
  const ChildEnd end = run_in_child([] {
    const int answer = 41;
    TURNPIKE_ASSERT(answer == 42);
  });
  CHECK(end.aborted);
  CHECK(end.stderr_text.find("turnpike: bug: answer == 42 is false at ") != std::string::npos);
  CHECK(end.stderr_text.find("assert_test.cpp:") != std::string::npos);
}

TEST_CASE("code that keeps its assumptions is not ended", "[base]") {
  CHECK_FALSE(aborts([] {}));
}

}  // namespace turnpike::test
