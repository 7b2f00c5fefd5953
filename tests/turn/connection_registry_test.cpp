#include "turn/connection_registry.h"

#include <thread>

#include "base/seeded_random.h"
#include "catch.h"
#include "turn/spelled.h"

namespace turnpike::turn {
namespace {

using stun::ErrorCode;

const Endpoint server = spelled::endpoint("192.0.2.1:3478");
constexpr ConnectionOwner owner{WorkerId{2}, {7, 9}};

/// Random bytes that the test decides.
class Scripted : public Random {
 public:
  explicit Scripted(std::vector<std::uint8_t> draws) : draws_(std::move(draws)) {}
  void fill(MutableByteView out) override { std::fill(out.begin(), out.end(), draws_.at(next_++)); }

 private:
  std::vector<std::uint8_t> draws_;
  std::size_t next_ = 0;
};

}  // namespace

TEST_CASE("a pending connection is claimed once, by its user", "[turn][rfc6062-5.4][c62]") {
  ConnectionRegistry registry;
  test::SeededRandom random{1};
  const auto number = registry.add(owner, "alice", server, random);
  CHECK(registry.size() == 1);
  const auto claimed = registry.claim(number, "alice", server);
  REQUIRE(claimed);
  CHECK(*claimed == owner);
  CHECK(registry.size() == 0);
  CHECK(registry.claim(number, "alice", server).error() == ErrorCode::bad_request);
}

TEST_CASE("who may not claim a connection does not spoil it", "[turn][rfc6062-5.4][c62]") {
  ConnectionRegistry registry;
  test::SeededRandom random{1};
  const auto number = registry.add(owner, "alice", server, random);
  CHECK(registry.claim(number + 1, "alice", server).error() == ErrorCode::bad_request);
  CHECK(registry.claim(number, "bob", server).error() == ErrorCode::wrong_credentials);
  const Endpoint elsewhere = spelled::endpoint("192.0.2.1:3479");
  CHECK(registry.claim(number, "alice", elsewhere).error() == ErrorCode::bad_request);
  CHECK(registry.claim(number, "alice", server));
}

TEST_CASE("a number in use is not given out again", "[turn][rfc6062]") {
  ConnectionRegistry registry;
  Scripted random{{1, 1, 1, 2}};
  const auto first = registry.add(owner, "alice", server, random);
  const auto second = registry.add({WorkerId{2}, {8, 0}}, "alice", server, random);
  CHECK(first == 0x01010101);
  CHECK(second == 0x02020202);
}

TEST_CASE("what is removed is the connection that was meant", "[turn][rfc6062]") {
  ConnectionRegistry registry;
  Scripted random{{1, 1}};
  const auto number = registry.add(owner, "alice", server, random);
  REQUIRE(registry.claim(number, "alice", server));
  // The number is free, and by chance the next connection gets it.
  const ConnectionOwner next{WorkerId{3}, {7, 9}};
  REQUIRE(registry.add(next, "alice", server, random) == number);
  registry.remove(number, owner);
  CHECK(registry.size() == 1);
  registry.remove(number, next);
  CHECK(registry.size() == 0);
  registry.remove(number, next);
}

TEST_CASE("of two threads that claim a connection one gets it", "[turn][rfc6062][threads]") {
  ConnectionRegistry registry;
  test::SeededRandom random{1};
  for (int round = 0; round < 200; ++round) {
    const auto number = registry.add(owner, "alice", server, random);
    std::array<bool, 2> won{};
    std::thread other{[&] { won[0] = registry.claim(number, "alice", server).has_value(); }};
    won[1] = registry.claim(number, "alice", server).has_value();
    other.join();
    REQUIRE(won[0] != won[1]);
  }
}

}  // namespace turnpike::turn
