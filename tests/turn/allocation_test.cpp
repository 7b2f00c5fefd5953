#include "turn/allocation.h"

#include <map>

#include "base/seeded_random.h"
#include "catch.h"
#include "turn/spelled.h"

namespace turnpike::turn {
namespace {

using namespace spelled;
using namespace std::chrono_literals;

std::size_t count_with(const Allocation& allocation, std::vector<IpAddress> added, Instant now) {
  return allocation.permissions_with(added, now);
}

PermittedPeer permitted(std::string_view peer) {
  static const LiveRelays none{{}};
  return PeerPolicy{{}, none}.check(endpoint(peer), PeerTransport::udp).value();
}

Allocation with_channel(std::uint16_t number, std::string_view peer, Instant expires) {
  Allocation allocation;
  allocation.channels.push_back({stun::ChannelNumber{number}, permitted(peer), expires});
  return allocation;
}

}  // namespace

TEST_CASE("a permission is by address and ends at its time", "[turn][P16][rfc8656-9]") {
  Allocation allocation;
  CHECK_FALSE(allocation.permission(ip("8.8.8.8"), after(0s)));
  allocation.permit({ip("8.8.8.8"), after(300s)});
  CHECK(allocation.permission(ip("8.8.8.8"), after(0s)));
  CHECK(allocation.permission(ip("8.8.8.8"), after(300s) - 1ns));
  CHECK_FALSE(allocation.permission(ip("8.8.8.8"), after(300s)));
  CHECK_FALSE(allocation.permission(ip("8.8.8.9"), after(0s)));
  CHECK_FALSE(allocation.permission(ip("::ffff:8.8.8.8"), after(0s)));
  CHECK_FALSE(allocation.permission(ip("808:808::"), after(0s)));  // the same leading bytes
}

TEST_CASE("permitting again moves the end and takes no more room", "[turn][rfc8656-9]") {
  Allocation allocation;
  allocation.permit({ip("8.8.8.8"), after(300s)});
  allocation.permit({ip("8.8.8.8"), after(400s)});
  CHECK(allocation.permissions.size() == 1);
  CHECK(allocation.permission(ip("8.8.8.8"), after(399s)));
  allocation.permit({ip("8.8.8.8"), after(800s)});  // long after it ended
  CHECK(allocation.permissions.size() == 1);
  CHECK(allocation.permission(ip("8.8.8.8"), after(799s)));
}

TEST_CASE("permissions are counted as they would be: live ones, and new ones once", "[turn][Q04]") {
  Allocation allocation;
  allocation.permit({ip("8.8.8.1"), after(100s)});
  allocation.permit({ip("8.8.8.2"), after(200s)});
  CHECK(count_with(allocation, {}, after(0s)) == 2);
  CHECK(count_with(allocation, {ip("8.8.8.1")}, after(0s)) == 2);
  CHECK(count_with(allocation, {ip("8.8.8.3")}, after(0s)) == 3);
  CHECK(count_with(allocation, {ip("8.8.8.3"), ip("8.8.8.3"), ip("8.8.8.1")}, after(0s)) == 3);
  CHECK(count_with(allocation, {ip("8.8.8.3"), ip("8.8.8.4")}, after(0s)) == 4);
  // At the end of the first one it does not count, unless it is asked for again.
  CHECK(count_with(allocation, {}, after(100s)) == 1);
  CHECK(count_with(allocation, {ip("8.8.8.1")}, after(100s)) == 2);
}

TEST_CASE("a channel is found by number and by peer until its time", "[turn][rfc8656-12]") {
  const Allocation allocation = with_channel(0x4000, "8.8.8.8:5000", after(600s));
  const stun::ChannelNumber number{0x4000};
  REQUIRE(allocation.channel(number, after(0s)) != nullptr);
  CHECK(allocation.channel(number, after(0s))->peer.endpoint() == endpoint("8.8.8.8:5000"));
  CHECK(allocation.channel(number, after(600s) - 1ns) != nullptr);
  CHECK(allocation.channel(number, after(600s)) == nullptr);
  CHECK(allocation.channel(stun::ChannelNumber{0x4001}, after(0s)) == nullptr);

  CHECK(allocation.channel_to(endpoint("8.8.8.8:5000"), after(0s)) != nullptr);
  CHECK(allocation.channel_to(endpoint("8.8.8.8:5000"), after(600s)) == nullptr);
  CHECK(allocation.channel_to(endpoint("8.8.8.8:5001"), after(0s)) == nullptr);
  CHECK(allocation.channel_to(endpoint("8.8.8.9:5000"), after(0s)) == nullptr);
}

TEST_CASE("drop_expired() forgets what is over and keeps what is not", "[turn]") {
  Allocation allocation = with_channel(0x4000, "8.8.8.8:5000", after(100s));
  allocation.channels.push_back(
      {stun::ChannelNumber{0x4001}, permitted("8.8.8.9:5000"), after(200s)});
  allocation.permit({ip("8.8.8.8"), after(100s)});
  allocation.permit({ip("8.8.8.9"), after(200s)});
  allocation.drop_expired(after(100s) - 1ns);
  CHECK(allocation.permissions.size() == 2);
  CHECK(allocation.channels.size() == 2);
  allocation.drop_expired(after(100s));
  REQUIRE(allocation.permissions.size() == 1);
  REQUIRE(allocation.channels.size() == 1);
  CHECK(allocation.permission(ip("8.8.8.9"), after(100s)));
  CHECK(allocation.channel(stun::ChannelNumber{0x4001}, after(100s)) != nullptr);
}

TEST_CASE("each family has a relay of its own, and only an open one counts", "[turn]") {
  Allocation allocation;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    CHECK_FALSE(allocation.has_relay(family));
    for (const auto state : {Relay::State::absent, Relay::State::opening, Relay::State::failed}) {
      allocation.relay(family).state = state;
      CHECK_FALSE(allocation.has_relay(family));
    }
  }
  allocation.relay(Family::ipv6).state = Relay::State::open;
  CHECK(allocation.has_relay(Family::ipv6));
  CHECK_FALSE(allocation.has_relay(Family::ipv4));
}

TEST_CASE("a relay counts until its own time, whatever the other family's is",
          "[turn][rfc8656-8.1]") {
  Allocation allocation;
  CHECK_FALSE(allocation.has_any_relay());
  CHECK_FALSE(allocation.relays_any(after(0s)));
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    allocation.relay(family).state = Relay::State::open;
    allocation.relay(family).expires = after(family == Family::ipv4 ? 100s : 200s);
  }
  CHECK(allocation.has_any_relay());
  CHECK(allocation.relays(Family::ipv4, after(100s) - 1ns));
  CHECK_FALSE(allocation.relays(Family::ipv4, after(100s)));
  CHECK(allocation.relays(Family::ipv6, after(100s)));
  CHECK(allocation.relays_any(after(200s) - 1ns));
  CHECK_FALSE(allocation.relays_any(after(200s)));
  CHECK(allocation.has_any_relay());  // not swept yet
  allocation.relay(Family::ipv6).state = Relay::State::opening;
  CHECK_FALSE(allocation.relays(Family::ipv6, after(0s)));
}

TEST_CASE("drop_peers() forgets one family's peers and leaves the other's", "[turn][rfc8656-8.1]") {
  const Family family = GENERATE(Family::ipv4, Family::ipv6);
  const IpAddress v4 = ip("8.8.8.8");
  const IpAddress v6 = ip("2606:4700::1");
  const IpAddress gone = family == Family::ipv4 ? v4 : v6;
  const IpAddress left = family == Family::ipv4 ? v6 : v4;
  Allocation allocation = with_channel(0x4000, "8.8.8.8:5000", after(600s));
  allocation.channels.push_back(
      {stun::ChannelNumber{0x4001}, permitted("[2606:4700::1]:5000"), after(600s)});
  allocation.permit({v4, after(300s)});
  allocation.permit({v6, after(300s)});
  allocation.drop_peers(family);
  CHECK(allocation.permission(gone, after(0s)) == nullptr);
  CHECK(allocation.permission(left, after(0s)) != nullptr);
  CHECK(allocation.channel_to({gone, 5000}, after(0s)) == nullptr);
  CHECK(allocation.channel_to({left, 5000}, after(0s)) != nullptr);
}

TEST_CASE("permitting again also takes over what the permission covers", "[turn]") {
  Allocation allocation;
  allocation.permit({ip("8.8.8.8"), after(300s), true});
  CHECK(allocation.permission(ip("8.8.8.8"), after(0s))->only_live_relays);
  allocation.permit({ip("8.8.8.8"), after(300s), false});
  CHECK_FALSE(allocation.permission(ip("8.8.8.8"), after(0s))->only_live_relays);
}

TEST_CASE("permissions agree with a map of deadlines", "[turn]") {
  const std::uint64_t seed = test::seed_or(16);
  CAPTURE(seed);
  test::SeededRandom random{seed};
  Allocation allocation;
  std::map<IpAddress, Instant> model;
  Instant now = after(0s);
  const auto any_address = [&] {
    return IpAddress::v4(0x08080800 + static_cast<std::uint32_t>(random.below(20)));
  };
  for (int step = 0; step < 20'000; ++step) {
    now += seconds{random.below(40)};
    const IpAddress address = any_address();
    if (random.below(2) == 0) {
      allocation.permit({address, now + 300s});
      model[address] = now + 300s;
    }
    if (random.below(4) == 0) allocation.drop_expired(now);
    std::erase_if(model, [now](const auto& entry) { return entry.second <= now; });
    const IpAddress asked = any_address();
    REQUIRE((allocation.permission(asked, now) != nullptr) == (model.count(asked) == 1));
    REQUIRE(count_with(allocation, {asked}, now) ==
            model.size() + (model.count(asked) == 1 ? 0 : 1));
  }
}

}  // namespace turnpike::turn
