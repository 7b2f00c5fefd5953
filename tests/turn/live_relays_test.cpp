#include "turn/live_relays.h"

#include <set>

#include "base/aborts.h"
#include "base/seeded_random.h"
#include "catch.h"
#include "turn/spelled.h"

namespace turnpike::turn {
namespace {

using namespace spelled;

const std::vector<IpAddress>& relay_addresses() {
  static const std::vector<IpAddress> addresses{ip("192.0.2.1"), ip("2001:db8::1")};
  return addresses;
}

constexpr RelayPlace place{WorkerId{3}, {17, 4}};

}  // namespace

TEST_CASE("no relay is live at the start", "[turn]") {
  const LiveRelays live{relay_addresses()};
  CHECK_FALSE(live.contains(endpoint("192.0.2.1:50000")));
  CHECK_FALSE(live.contains_any(ip("192.0.2.1")));
  CHECK_FALSE(live.contains_any(ip("203.0.113.1")));
}

TEST_CASE("a relay is live between insert and erase, and only that endpoint is", "[turn]") {
  const std::uint16_t port = GENERATE(as<std::uint16_t>{}, 0, 1, 63, 64, 50000, 65534, 65535);
  LiveRelays live{relay_addresses()};
  const Endpoint relay{ip("2001:db8::1"), port};
  live.insert(relay, place);
  CHECK(live.contains(relay));
  CHECK(live.find(relay) == place);
  CHECK(live.contains_any(relay.address));
  CHECK_FALSE(live.contains({relay.address, static_cast<std::uint16_t>(port + 1)}));
  CHECK_FALSE(live.contains({relay.address, static_cast<std::uint16_t>(port - 1)}));
  CHECK_FALSE(live.contains({relay.address, static_cast<std::uint16_t>(port ^ 64)}));
  CHECK_FALSE(live.contains({ip("192.0.2.1"), port}));
  CHECK_FALSE(live.contains_any(ip("192.0.2.1")));
  live.erase(relay);
  CHECK_FALSE(live.contains(relay));
  CHECK_FALSE(live.contains_any(relay.address));
}

TEST_CASE("a live relay is found with its worker, slot and generation", "[turn]") {
  const auto worker = GENERATE(as<std::uint8_t>{}, 0, 1, 254);
  const auto slot = GENERATE(as<std::uint32_t>{}, 0, 1, 0x7fffff);
  const auto generation = GENERATE(as<std::uint32_t>{}, 0, 1, 0xffffffff);
  const RelayPlace wanted{WorkerId{worker}, {slot, generation}};
  LiveRelays live{relay_addresses()};
  live.insert(endpoint("192.0.2.1:50000"), wanted);
  CHECK(live.find(endpoint("192.0.2.1:50000")) == wanted);
  CHECK_FALSE(live.find(endpoint("192.0.2.1:50001")));
}

TEST_CASE("a TCP relay is none for UDP, and the other way round", "[turn]") {
  const auto transport = GENERATE(PeerTransport::udp, PeerTransport::tcp);
  const auto other = transport == PeerTransport::udp ? PeerTransport::tcp : PeerTransport::udp;
  LiveRelays live{relay_addresses()};
  const Endpoint relay = endpoint("192.0.2.1:50000");
  live.insert(relay, place, transport);
  CHECK(live.find(relay, transport) == place);
  CHECK(live.contains_any(relay.address, transport));
  CHECK_FALSE(live.contains(relay, other));
  CHECK_FALSE(live.contains_any(relay.address, other));

  // The port's next owner may be of the other kind.
  live.insert(relay, place, other);
  CHECK(live.contains(relay, other));
  CHECK_FALSE(live.contains(relay, transport));
  CHECK_FALSE(live.contains_any(relay.address, transport));
  live.erase(relay);
  CHECK_FALSE(live.contains_any(relay.address, other));
}

TEST_CASE("a place that does not fit is a bug that is caught", "[turn]") {
  CHECK(test::aborts([] {
    LiveRelays{relay_addresses()}.insert(endpoint("192.0.2.1:50000"), {WorkerId{255}, {}});
  }));
  CHECK(test::aborts([] {
    LiveRelays{relay_addresses()}.insert(endpoint("192.0.2.1:50000"), {{}, {0x800000, 0}});
  }));
}

TEST_CASE("inserting or erasing twice counts once", "[turn]") {
  LiveRelays live{relay_addresses()};
  live.insert(endpoint("192.0.2.1:50000"), place);
  live.insert(endpoint("192.0.2.1:50000"), place);
  live.erase(endpoint("192.0.2.1:50000"));
  CHECK_FALSE(live.contains_any(ip("192.0.2.1")));
  live.erase(endpoint("192.0.2.1:50000"));
  CHECK_FALSE(live.contains_any(ip("192.0.2.1")));
  live.insert(endpoint("192.0.2.1:50000"), place);
  CHECK(live.contains_any(ip("192.0.2.1")));
}

TEST_CASE("an address given twice is one address", "[turn]") {
  LiveRelays live{{ip("192.0.2.1"), ip("192.0.2.1")}};
  live.insert(endpoint("192.0.2.1:50000"), place);
  live.erase(endpoint("192.0.2.1:50000"));
  CHECK_FALSE(live.contains_any(ip("192.0.2.1")));
}

TEST_CASE("live relays agree with a set through thousands of changes", "[turn]") {
  const std::uint64_t seed = test::seed_or(4);
  CAPTURE(seed);
  test::SeededRandom random{seed};
  LiveRelays live{relay_addresses()};
  std::set<Endpoint> model;
  const auto any = [&]() -> Endpoint {
    return {relay_addresses()[random.below(2)],
            static_cast<std::uint16_t>(65472 + random.below(64))};
  };
  for (int step = 0; step < 50'000; ++step) {
    const Endpoint relay = any();
    if (random.below(2) == 0) {
      live.insert(relay, place);
      model.insert(relay);
    } else {
      live.erase(relay);
      model.erase(relay);
    }
    const Endpoint asked = any();
    REQUIRE(live.contains(asked) == (model.count(asked) == 1));
    const bool any_there = std::any_of(
        model.begin(), model.end(), [&](const Endpoint& e) { return e.address == asked.address; });
    REQUIRE(live.contains_any(asked.address) == any_there);
  }
}

TEST_CASE("a relay on an address that is none of ours is a bug that is caught", "[turn]") {
  CHECK(test::aborts(
      [] { LiveRelays{relay_addresses()}.insert(endpoint("192.0.2.2:50000"), place); }));
  CHECK(test::aborts([] { LiveRelays{relay_addresses()}.erase(endpoint("192.0.2.2:50000")); }));
}

}  // namespace turnpike::turn
