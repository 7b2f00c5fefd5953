#include "net/interfaces.h"

#include <algorithm>
#include <set>

#include "net/loopback.h"

namespace turnpike::net {

TEST_CASE("the host's addresses include loopback, each once, without link-local IPv6", "[net]") {
  const auto addresses = interface_addresses();
  CHECK(std::count(addresses.begin(), addresses.end(), address("127.0.0.1")) == 1);
  CHECK(std::set<IpAddress>(addresses.begin(), addresses.end()).size() == addresses.size());
  for (const IpAddress& found : addresses) {
    CHECK_FALSE((found.family() == Family::ipv6 && found.is_link_local()));
    CHECK_FALSE(found.is_any());
  }
  CHECK(addresses == interface_addresses());
}

TEST_CASE("an interface is found by name and by number", "[net]") {
  const auto loopback = interface_index("lo");
  REQUIRE(loopback.has_value());
  CHECK(interface_index(std::to_string(*loopback)) == loopback);
  for (const std::string nothing : {"", "no-such-interf", "0", "4294967295", "99999999999", "1x"}) {
    CHECK_FALSE(interface_index(nothing).has_value());
  }
}

TEST_CASE("every address of the host can be bound", "[net]") {
  for (const IpAddress& found : interface_addresses()) {
    UdpPortOptions options;
    options.bind = {found, 0};
    INFO(found.to_string());
    CHECK(UdpPort::open(options).has_value());
  }
}

TEST_CASE("an address resolves to itself", "[net]") {
  const std::string text = GENERATE("127.0.0.1", "192.0.2.9", "2001:db8::9");
  const auto resolved = resolve(text);
  REQUIRE(resolved.has_value());
  CHECK(*resolved == std::vector<IpAddress>{address(text)});
}

TEST_CASE("localhost resolves to loopback", "[net]") {
  const auto resolved = resolve("localhost");
  REQUIRE(resolved.has_value());
  for (const IpAddress& found : *resolved) CHECK(found.is_loopback());
}

TEST_CASE("a name that cannot exist is named in the error", "[net]") {
  const std::string too_long(300, 'a');  // DNS names end at 253, so that nobody is asked
  const auto resolved = resolve(too_long);
  REQUIRE_FALSE(resolved.has_value());
  CHECK(resolved.error().find(too_long) != std::string::npos);
}

}  // namespace turnpike::net
