#include "turn/allocation_view.h"

#include "catch.h"

namespace turnpike::turn {

TEST_CASE("an allocation's name is read as it is written", "[turn]") {
  const AllocationName name{WorkerId{3}, 1742};
  CHECK(to_string(name) == "3-1742");
  CHECK(parse_allocation_name("3-1742") == name);
  CHECK(parse_allocation_name("255-18446744073709551615"));
}

TEST_CASE("what is no allocation's name is not read as one", "[turn]") {
  for (const char* text : {"", "-", "3", "3-", "-1", "3-0", "03-1", "3-01", "256-1", "3-1 ", "+3-1",
                           "3-18446744073709551616", "3-1-1", "a-b"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_allocation_name(text));
  }
}

TEST_CASE("each reason for an end has a name of its own", "[turn]") {
  CHECK(to_string(CloseReason::expired) == "expired");
  CHECK(to_string(CloseReason::client_gone) == "client_gone");
  CHECK(to_string(CloseReason::shutdown) == "shutdown");
  CHECK(to_string(CloseReason::failed) == "failed");
}

}  // namespace turnpike::turn
