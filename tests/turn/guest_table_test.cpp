#include "turn/guest_table.h"

#include "catch.h"
#include "turn/spelled.h"

namespace turnpike::turn {
namespace {

using namespace spelled;

constexpr WorkerId home{1};

ClientFlow flow_of(std::uint16_t port) {
  return {{{ip("198.51.100.7"), port}, endpoint("192.0.2.1:3478")}, ListenerId{port}, WorkerId{0}};
}

}  // namespace

TEST_CASE("a guest is known from its coming to its going", "[turn][rfc8016-3.2.2]") {
  GuestTable guests{HashSeed{1}, 8};
  CHECK(guests.empty());
  CHECK_FALSE(guests.home_of(flow_of(1).tuple));
  REQUIRE(guests.insert(flow_of(1), home, after(seconds{10})));
  REQUIRE(guests.insert(flow_of(2), WorkerId{2}, after(seconds{10})));
  CHECK(guests.home_of(flow_of(1).tuple) == home);
  CHECK(guests.home_of(flow_of(2).tuple) == WorkerId{2});
  REQUIRE(guests.flow_of(flow_of(1).tuple, home) != nullptr);
  CHECK(guests.flow_of(flow_of(1).tuple, home)->listener == ListenerId{1});
  CHECK(guests.flow_of(flow_of(2).tuple, home) == nullptr);  // somebody else's
  CHECK(guests.flow_of(flow_of(3).tuple, home) == nullptr);
  guests.erase(flow_of(1).tuple);
  guests.erase(flow_of(1).tuple);
  CHECK_FALSE(guests.home_of(flow_of(1).tuple));
  CHECK(guests.size() == 1);
  CHECK(guests.next_deadline() == after(seconds{10}));
}

TEST_CASE("a guest's time is never cut short by more of it", "[turn]") {
  GuestTable guests{HashSeed{1}, 8};
  REQUIRE(guests.insert(flow_of(1), home, after(seconds{3600})));
  guests.extend(flow_of(1), after(seconds{660}));  // max_lifetime is ten minutes by now
  CHECK(guests.next_deadline() == after(seconds{3600}));
  guests.extend(flow_of(1), after(seconds{3601}));
  CHECK(guests.next_deadline() == after(seconds{3601}));

  guests.let_go(flow_of(1).tuple, home, after(seconds{2}));
  REQUIRE(guests.insert(flow_of(1), home, after(seconds{600})));  // has come back
  CHECK(guests.next_deadline() == after(seconds{600}));
}

TEST_CASE("a guest on the way out can still be reached, and is one no more", "[turn]") {
  GuestTable guests{HashSeed{1}, 1};
  REQUIRE(guests.insert(flow_of(1), home, after(seconds{10})));
  guests.let_go(flow_of(1).tuple, WorkerId{2}, after(seconds{3}));  // not its home
  CHECK(guests.home_of(flow_of(1).tuple) == home);
  guests.let_go(flow_of(1).tuple, home, after(seconds{2}));
  guests.let_go(flow_of(1).tuple, home, after(seconds{9}));  // once is enough
  CHECK_FALSE(guests.home_of(flow_of(1).tuple));
  CHECK(guests.flow_of(flow_of(1).tuple, home) != nullptr);
  CHECK(guests.size() == 0);
  CHECK_FALSE(guests.empty());
  CHECK(guests.next_deadline() == after(seconds{2}));

  SECTION("until its time is over") {
    guests.drop_expired(after(seconds{2}));
    CHECK(guests.empty());
  }
  SECTION("or until its connection is") {
    guests.erase(flow_of(1).tuple);
    CHECK(guests.empty());
    CHECK(guests.size() == 0);
  }
  SECTION("or until it comes back") {
    CHECK_FALSE(guests.insert(flow_of(2), home, after(seconds{10})));  // it still takes its room
    REQUIRE(guests.insert(flow_of(1), WorkerId{2}, after(seconds{10})));
    CHECK(guests.home_of(flow_of(1).tuple) == WorkerId{2});
    CHECK(guests.flow_of(flow_of(1).tuple, home) == nullptr);
    CHECK(guests.size() == 1);
  }
}

TEST_CASE("guests have their time", "[turn]") {
  GuestTable guests{HashSeed{1}, 8};
  REQUIRE(guests.insert(flow_of(1), home, after(seconds{10})));
  REQUIRE(guests.insert(flow_of(2), home, after(seconds{20})));
  guests.extend(flow_of(1), after(seconds{30}));
  guests.extend(flow_of(9), after(seconds{30}));
  CHECK(guests.next_deadline() == after(seconds{20}));
  guests.drop_expired(after(seconds{19}));
  CHECK(guests.size() == 2);
  guests.drop_expired(after(seconds{20}));
  CHECK(guests.size() == 1);
  CHECK(guests.home_of(flow_of(1).tuple) == home);
  guests.drop_expired(after(seconds{30}));
  CHECK(guests.empty());
  CHECK_FALSE(guests.next_deadline());
}

TEST_CASE("there is room for so many guests and no more", "[turn]") {
  GuestTable guests{HashSeed{1}, 100};
  for (int round = 0; round < 3; ++round) {
    for (std::uint16_t i = 0; i < 100; ++i)
      REQUIRE(guests.insert(flow_of(i), home, after(seconds{1})));
    CHECK_FALSE(guests.insert(flow_of(100), home, after(seconds{1})));
    for (std::uint16_t i = 0; i < 100; ++i) guests.erase(flow_of(i).tuple);
    CHECK(guests.empty());
  }
}

}  // namespace turnpike::turn
