#include "net/ticket_keys.h"

#include "catch.h"

namespace turnpike::net {
namespace {

Instant after(seconds passed) { return Instant{} + seconds{100} + passed; }

constexpr seconds period = TicketKeys::period;

}  // namespace

TEST_CASE("a ticket key is used for its period and then another one is", "[net][L07]") {
  TicketKeys keys;
  const auto first = keys.current(after(seconds{0}));
  CHECK(keys.current(after(period - seconds{1})).name == first.name);
  const auto second = keys.current(after(period));
  CHECK(second.name != first.name);
  CHECK(second.encryption != first.encryption);
  CHECK(second.authentication != first.authentication);
  CHECK(keys.current(after(2 * period - seconds{1})).name == second.name);
  CHECK(keys.current(after(2 * period)).name != second.name);
}

TEST_CASE("a ticket key opens tickets for a period after its own", "[net][L07]") {
  TicketKeys keys;
  const auto first = keys.current(after(seconds{0}));
  REQUIRE(keys.find(first.name, after(seconds{1})));
  CHECK(keys.find(first.name, after(seconds{1}))->is_current);
  const auto old = keys.find(first.name, after(2 * period - seconds{1}));
  REQUIRE(old);
  CHECK_FALSE(old->is_current);
  CHECK(old->key.encryption == first.encryption);
  CHECK_FALSE(keys.find(first.name, after(2 * period)));
}

TEST_CASE("after a long silence no earlier ticket key is good", "[net][L07]") {
  TicketKeys keys;
  const auto first = keys.current(after(seconds{0}));
  CHECK_FALSE(keys.find(first.name, after(5 * period)));
  CHECK(keys.current(after(5 * period)).name != first.name);
  CHECK_FALSE(keys.find(first.name, after(5 * period)));
}

TEST_CASE("a name that is not ours finds no ticket key", "[net]") {
  TicketKeys keys;
  CHECK_FALSE(keys.find(std::array<std::uint8_t, 16>{}, after(seconds{0})));
  static_cast<void>(keys.current(after(seconds{0})));
  CHECK_FALSE(keys.find(std::array<std::uint8_t, 16>{}, after(seconds{0})));
  CHECK_FALSE(keys.find({}, after(seconds{0})));
}

}  // namespace turnpike::net
