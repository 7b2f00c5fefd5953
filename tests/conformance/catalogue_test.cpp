#include <algorithm>
#include <set>

#include "catch.h"
#include "conformance/check.h"

using namespace turnpike;
using namespace turnpike::conformance;

TEST_CASE("every check has a name of its own, in kebab-case", "[conformance]") {
  std::set<std::string_view> names;
  for (const Check& check : catalogue()) {
    CAPTURE(check.name);
    CHECK(names.insert(check.name).second);
    CHECK(std::all_of(check.name.begin(), check.name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
    }));
  }
  CHECK(names.size() >= 100);
}

TEST_CASE("every check has its section, lines and rule", "[conformance]") {
  for (const Check& check : catalogue()) {
    CAPTURE(check.name);
    const bool is_of_an_rfc =
        check.section.starts_with("RFC ") && check.section.find("§") != std::string_view::npos;
    CHECK((is_of_an_rfc || check.section.starts_with("draft-")));
    CHECK_FALSE(check.lines.empty());
    CHECK(check.rule.ends_with('.'));
    CHECK(check.run != nullptr);
  }
}

TEST_CASE("a pattern selects by name", "[conformance]") {
  CHECK(matches("allocate-needs-x", "allocate-needs-x"));
  CHECK_FALSE(matches("allocate", "allocate-needs-x"));
  CHECK(matches("allocate*", "allocate-needs-x"));
  CHECK(matches("*-x", "allocate-needs-x"));
  CHECK(matches("*needs*", "allocate-needs-x"));
  CHECK(matches("*", "allocate-needs-x"));
  CHECK_FALSE(matches("*needs", "allocate-needs-x"));
}

TEST_CASE("a check is for the transports it names", "[conformance]") {
  CHECK(applies_to(Applies::datagrams, Transport::udp));
  CHECK(applies_to(Applies::datagrams, Transport::dtls));
  CHECK_FALSE(applies_to(Applies::datagrams, Transport::tcp));
  CHECK(applies_to(Applies::streams, Transport::tls));
  CHECK_FALSE(applies_to(Applies::tcp, Transport::tls));
}
