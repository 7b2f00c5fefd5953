#include "base/port_range.h"

#include "catch.h"

namespace turnpike::test {

TEST_CASE("a port range holds both of its ends", "[base]") {
  constexpr PortRange range{49152, 49154};
  CHECK_FALSE(range.contains(49151));
  CHECK(range.contains(49152));
  CHECK(range.contains(49153));
  CHECK(range.contains(49154));
  CHECK_FALSE(range.contains(49155));
}

TEST_CASE("the range of all ports holds every port", "[base]") {
  constexpr PortRange all{0, 65535};
  CHECK(all.contains(0));
  CHECK(all.contains(65535));
}

TEST_CASE("a range whose end lies before its start is empty", "[base]") {
  constexpr PortRange range{2, 1};
  CHECK_FALSE(range.contains(1));
  CHECK_FALSE(range.contains(2));
}

}  // namespace turnpike::test
