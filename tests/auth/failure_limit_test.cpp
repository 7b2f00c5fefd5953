// How failures are counted by source and name, without an authenticator around it.
#include "auth/failure_limit.h"

#include <string>

#include "catch.h"

namespace turnpike::auth {
namespace {

using namespace std::chrono_literals;

IpAddress address(std::string_view text) { return IpAddress::parse(text).value(); }

/// A limit of ten, and somebody who fails.
class Counter {
 public:
  FailureLimit limit{10, HashSeed{7}};
  Instant now = Instant{} + 1000s;

  [[nodiscard]] FailureLimit::Suspect suspect(std::string_view source,
                                              std::string_view name) const {
    return limit.suspects(address(source), bytes_of(name)).with_own_nonce;
  }
  void fail(int times, std::string_view source, std::string_view name) {
    for (int i = 0; i < times; ++i) limit.count(suspect(source, name), now);
  }
  [[nodiscard]] bool is_silenced(std::string_view source, std::string_view name) const {
    return limit.is_reached(suspect(source, name), now);
  }
};

}  // namespace

TEST_CASE("ten failures silence a user at one address for a minute, nine do not", "[auth][A09]") {
  Counter counter;
  counter.fail(9, "198.51.100.7", "alice");
  CHECK_FALSE(counter.is_silenced("198.51.100.7", "alice"));
  counter.now += 59s;
  counter.fail(1, "198.51.100.7", "alice");
  CHECK(counter.is_silenced("198.51.100.7", "alice"));
  counter.now += 60s - 1ns;
  CHECK(counter.is_silenced("198.51.100.7", "alice"));
  counter.now += 1ns;
  CHECK_FALSE(counter.is_silenced("198.51.100.7", "alice"));
}

TEST_CASE("failures of a minute ago do not count", "[auth][A09]") {
  Counter counter;
  for (int minute = 0; minute < 5; ++minute) {
    counter.fail(9, "198.51.100.7", "alice");
    counter.now += 60s;
  }
  CHECK_FALSE(counter.is_silenced("198.51.100.7", "alice"));
}

TEST_CASE("who was silenced begins anew", "[auth][A09]") {
  Counter counter;
  counter.fail(10, "198.51.100.7", "alice");
  counter.now += 60s;
  counter.fail(9, "198.51.100.7", "alice");
  CHECK_FALSE(counter.is_silenced("198.51.100.7", "alice"));
  counter.fail(1, "198.51.100.7", "alice");
  CHECK(counter.is_silenced("198.51.100.7", "alice"));
}

TEST_CASE("a proof takes the failures back", "[auth][A09]") {
  Counter counter;
  counter.fail(9, "198.51.100.7", "alice");
  counter.limit.forget(counter.suspect("198.51.100.7", "alice"));
  counter.fail(9, "198.51.100.7", "alice");
  CHECK_FALSE(counter.is_silenced("198.51.100.7", "alice"));
}

TEST_CASE("one IPv4 address or one IPv6 /64 is one source", "[auth][A09]") {
  Counter counter;
  counter.fail(10, "198.51.100.7", "alice");
  CHECK_FALSE(counter.is_silenced("198.51.100.6", "alice"));
  CHECK_FALSE(counter.is_silenced("198.51.100.7", "bob"));
  counter.fail(10, "2001:db8:1:2::7", "alice");
  CHECK(counter.is_silenced("2001:db8:1:2:ffff:ffff:ffff:ffff", "alice"));
  CHECK_FALSE(counter.is_silenced("2001:db8:1:3::7", "alice"));
}

TEST_CASE("failures without a nonce of ours are counted apart", "[auth][A09]") {
  Counter counter;
  const auto unproven = counter.limit.suspects(address("198.51.100.7"), bytes_of("alice")).without;
  for (int i = 0; i < 10; ++i) counter.limit.count(unproven, counter.now);
  CHECK(counter.limit.is_reached(unproven, counter.now));
  CHECK_FALSE(counter.is_silenced("198.51.100.7", "alice"));
}

TEST_CASE("names that are made up do not wash out the one that is guessed at", "[auth][A09]") {
  Counter counter;
  counter.fail(9, "198.51.100.7", "alice");
  for (int i = 0; i < 100'000; ++i) {
    counter.fail(1, "198.51.100.7", "user" + std::to_string(i));
  }
  counter.fail(1, "198.51.100.7", "alice");
  CHECK(counter.is_silenced("198.51.100.7", "alice"));
}

TEST_CASE("a crowd that fails silences nobody else", "[auth][A09]") {
  Counter counter;
  for (int i = 0; i < 100'000; ++i) {
    counter.fail(1, "198.51.100.7", "user" + std::to_string(i));
  }
  for (int i = 0; i < 10'000; ++i) {
    if (counter.is_silenced("198.51.100.7", "guest" + std::to_string(i))) FAIL("guest " << i);
  }
}

TEST_CASE("which names share a place depends on the secret seed", "[auth][A09]") {
  const FailureLimit one{10, HashSeed{1}};
  const FailureLimit other{10, HashSeed{2}};
  const IpAddress source = address("198.51.100.7");
  CHECK(one.suspects(source, bytes_of("alice")).with_own_nonce.hash !=
        other.suspects(source, bytes_of("alice")).with_own_nonce.hash);
}

TEST_CASE("no failures are counted where the limit is zero", "[auth][A09]") {
  FailureLimit limit{0, HashSeed{7}};
  const auto alice = limit.suspects(address("198.51.100.7"), bytes_of("alice")).with_own_nonce;
  for (int i = 0; i < 1000; ++i) limit.count(alice, Instant{} + 1s);
  CHECK_FALSE(limit.is_reached(alice, Instant{} + 1s));
  limit.forget(alice);
}

}  // namespace turnpike::auth
