#include "turn/user_table.h"

#include <map>

#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::turn {

TEST_CASE("a user is kept once however many allocations it has", "[turn]") {
  UserTable users;
  const UserId first = users.acquire("1795219200:alice", "alice");
  CHECK(users.acquire("1795219200:alice", "alice") == first);
  CHECK(users.size() == 1);
  CHECK(users.username(first) == "1795219200:alice");
  CHECK(users.account(first) == "alice");

  users.release(first);
  CHECK(users.size() == 1);
  CHECK(users.username(first) == "1795219200:alice");
  users.release(first);
  CHECK(users.size() == 0);
}

TEST_CASE("a user is found by name for as long as it has allocations", "[turn]") {
  UserTable users;
  const UserId alice = users.acquire("1795219200:alice", "alice");
  CHECK(users.find("1795219200:alice", "alice") == alice);
  CHECK_FALSE(users.find("alice", "alice"));
  CHECK_FALSE(users.find("1795219200:alice", "1795219200:alice"));
  users.release(alice);
  CHECK_FALSE(users.find("1795219200:alice", "alice"));
}

TEST_CASE("one name of two accounts is two users", "[turn]") {
  UserTable users;
  const UserId fixed = users.acquire("1795219200:alice", "1795219200:alice");
  const UserId derived = users.acquire("1795219200:alice", "alice");
  CHECK(fixed != derived);
  CHECK(users.account(fixed) == "1795219200:alice");
  CHECK(users.account(derived) == "alice");
  users.release(fixed);
  CHECK_FALSE(users.find("1795219200:alice", "1795219200:alice"));
  CHECK(users.find("1795219200:alice", "alice") == derived);
  users.release(derived);
  CHECK(users.size() == 0);
}

TEST_CASE("two names of one account are two users", "[turn]") {
  UserTable users;
  const UserId old_name = users.acquire("1795219200:alice", "alice");
  const UserId new_name = users.acquire("1795222800:alice", "alice");
  CHECK(old_name != new_name);
  CHECK(users.username(old_name) == "1795219200:alice");
  CHECK(users.username(new_name) == "1795222800:alice");
  CHECK(users.account(old_name) == users.account(new_name));
}

TEST_CASE("a forgotten user's number is used again without mixing names up", "[turn]") {
  UserTable users;
  const UserId alice = users.acquire("alice", "alice");
  const UserId bob = users.acquire("bob", "bob");
  users.release(alice);
  const UserId carol = users.acquire("carol", "carol");
  CHECK(carol == alice);
  CHECK(users.username(carol) == "carol");
  CHECK(users.username(bob) == "bob");
  const UserId alice_again = users.acquire("alice", "alice");
  CHECK(alice_again != carol);
  CHECK(users.size() == 3);
}

TEST_CASE("a forgotten user's bandwidth is not the next one's", "[turn]") {
  UserTable users;
  SharedBandwidthMeter meter;
  const UserId alice = users.acquire("alice", "alice");
  users.bandwidth(alice) = {BandwidthLimit{8000}, &meter};
  CHECK(users.acquire("alice", "alice") == alice);
  CHECK(users.bandwidth(alice).meter == &meter);
  users.release(alice);
  CHECK(users.bandwidth(alice).meter == &meter);
  users.release(alice);

  const UserId bob = users.acquire("bob", "bob");
  REQUIRE(bob == alice);
  CHECK_FALSE(users.bandwidth(bob).own);
  CHECK(users.bandwidth(bob).meter == nullptr);
}

TEST_CASE("names are bytes: empty, long, and with a NUL inside", "[turn]") {
  UserTable users;
  const std::string with_nul{"a\0b", 3};
  const UserId empty = users.acquire("", "");
  const UserId lengthy = users.acquire(std::string(763, 'x'), "x");
  const UserId nul = users.acquire(with_nul, with_nul);
  CHECK(users.username(empty).empty());
  CHECK(users.username(lengthy).size() == 763);
  CHECK(users.username(nul) == with_nul);
  CHECK(users.acquire("a", "a") != nul);
}

TEST_CASE("a user table agrees with a map of counts", "[turn]") {
  const std::uint64_t seed = test::seed_or(12);
  CAPTURE(seed);
  test::SeededRandom random{seed};
  UserTable users;
  std::map<std::string, std::pair<UserId, int>> model;
  for (int step = 0; step < 20'000; ++step) {
    const std::string name = "user" + std::to_string(random.below(20));
    const auto known = model.find(name);
    if (random.below(2) == 0) {
      const UserId id = users.acquire(name, "of " + name);
      if (known != model.end()) REQUIRE(id == known->second.first);
      auto& entry = model[name];
      entry.first = id;
      ++entry.second;
    } else if (known != model.end()) {
      users.release(known->second.first);
      if (--known->second.second == 0) model.erase(known);
    }
    REQUIRE(users.size() == model.size());
    for (const auto& [known_name, entry] : model) {
      REQUIRE(users.username(entry.first) == known_name);
      REQUIRE(users.account(entry.first) == "of " + known_name);
    }
  }
}

}  // namespace turnpike::turn
