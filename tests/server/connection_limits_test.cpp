#include "server/connection_limits.h"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"

namespace turnpike::server {
namespace {

IpAddress address(const std::string& text) { return IpAddress::parse(text).value(); }

}  // namespace

TEST_CASE("one address has so many connections and no more", "[server]") {
  ConnectionLimits limits{3};
  const IpAddress client = address("198.51.100.7");
  for (int i = 0; i < 3; ++i) CHECK(limits.add(client));
  CHECK_FALSE(limits.add(client));
  CHECK_FALSE(limits.add(client));  // what was refused is not counted
  limits.remove(client);
  CHECK(limits.add(client));
  CHECK_FALSE(limits.add(client));
}

TEST_CASE("other addresses have connections of their own", "[server]") {
  ConnectionLimits limits{1};
  CHECK(limits.add(address("198.51.100.7")));
  CHECK(limits.add(address("198.51.100.8")));
  CHECK(limits.add(address("2001:db8::1")));
  CHECK_FALSE(limits.add(address("198.51.100.8")));
}

TEST_CASE("a whole IPv6 /64 counts as one", "[server]") {
  ConnectionLimits limits{2};
  CHECK(limits.add(address("2001:db8:0:1::1")));
  CHECK(limits.add(address("2001:db8:0:1:ffff:ffff:ffff:ffff")));
  CHECK_FALSE(limits.add(address("2001:db8:0:1::3")));
  CHECK(limits.add(address("2001:db8:0:2::1")));
  CHECK(limits.add(address("2001:db8:0:0:ffff::1")));
  limits.remove(address("2001:db8:0:1::1"));
  CHECK(limits.add(address("2001:db8:0:1::4")));
}

TEST_CASE("a limit of zero is none", "[server]") {
  ConnectionLimits limits{0};
  const IpAddress client = address("198.51.100.7");
  for (int i = 0; i < 1000; ++i) REQUIRE(limits.add(client));
  for (int i = 0; i < 1000; ++i) limits.remove(client);
}

TEST_CASE("after the last connection nothing is remembered", "[server]") {
  ConnectionLimits limits{1};
  for (int round = 0; round < 3; ++round) {
    CHECK(limits.add(address("198.51.100.7")));
    limits.remove(address("198.51.100.7"));
  }
}

TEST_CASE("all threads share the limit", "[server]") {
  ConnectionLimits limits{1000};
  const IpAddress client = address("198.51.100.7");
  std::atomic<int> added{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) added += limits.add(client) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(added == 1000);
}

}  // namespace turnpike::server
