#include "cli/address_range.h"

#include "catch.h"

using namespace turnpike;
using namespace turnpike::cli;

namespace {

AddressRange range(const std::string& text) {
  const auto parsed = parse_address_range(text);
  INFO(text);
  REQUIRE(parsed);
  return *parsed;
}

std::vector<std::string> prefixes(const std::string& text) {
  std::vector<std::string> texts;
  for (const IpPrefix& prefix : prefixes_of(range(text))) texts.push_back(prefix.to_string());
  return texts;
}

std::vector<std::string> left_of(const std::string& whole, const std::vector<std::string>& holes) {
  std::vector<AddressRange> ranges;
  for (const std::string& hole : holes) ranges.push_back(range(hole));
  std::vector<std::string> texts;
  for (const AddressRange& part : without(range(whole), ranges)) {
    texts.push_back(part.first.to_string() + "-" + part.last.to_string());
  }
  return texts;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a range of addresses is an address, a prefix, or two addresses", "[cli]") {
  CHECK(range("10.0.0.7") == range("10.0.0.7-10.0.0.7"));
  CHECK(range("10.0.0.0/8") == range("10.0.0.0-10.255.255.255"));
  CHECK(range("2001:db8::/32") == range("2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"));
  for (const char* text : {"", "-", "10.0.0.1-", "10.0.0.9-10.0.0.1", "10.0.0.1-::1", "10.0.0.1/8",
                           "all", "10.0.0.1-10.0.0.2-10.0.0.3"}) {
    INFO(text);
    CHECK_FALSE(parse_address_range(text));
  }
}

TEST_CASE("a range is the fewest prefixes that make it up", "[cli]") {
  CHECK(prefixes("83.166.64.0-83.166.95.255") == Texts{"83.166.64.0/19"});
  CHECK(prefixes("10.0.0.1-10.0.0.6") ==
        Texts{"10.0.0.1/32", "10.0.0.2/31", "10.0.0.4/31", "10.0.0.6/32"});
  CHECK(prefixes("0.0.0.0-255.255.255.255") == Texts{"0.0.0.0/0"});
  CHECK(prefixes("255.255.255.254-255.255.255.255") == Texts{"255.255.255.254/31"});
  CHECK(prefixes("2001:db8::-2001:db8::1:ffff") == Texts{"2001:db8::/111"});
  CHECK(prefixes("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") == Texts{"::/0"});
}

TEST_CASE("holes are cut out of a range", "[cli]") {
  CHECK(left_of("10.0.0.0-10.0.0.9", {}) == Texts{"10.0.0.0-10.0.0.9"});
  CHECK(left_of("10.0.0.0-10.0.0.9", {"10.0.0.4"}) ==
        Texts{"10.0.0.0-10.0.0.3", "10.0.0.5-10.0.0.9"});
  CHECK(left_of("10.0.0.0-10.0.0.9", {"10.0.0.8-10.0.1.0", "9.0.0.0-10.0.0.1"}) ==
        Texts{"10.0.0.2-10.0.0.7"});
  CHECK(left_of("10.0.0.0-10.0.0.9", {"10.0.0.0/8"}).empty());
  CHECK(left_of("10.0.0.0-10.0.0.9", {"::/0", "11.0.0.0/8"}) == Texts{"10.0.0.0-10.0.0.9"});
  CHECK(left_of("0.0.0.0/0", {"0.0.0.0-0.0.0.0", "255.255.255.255"}) ==
        Texts{"0.0.0.1-255.255.255.254"});
}
