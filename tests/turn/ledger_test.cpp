#include "turn/ledger.h"

#include <set>
#include <thread>

#include "base/seeded_random.h"
#include "catch.h"
#include "turn/spelled.h"

namespace turnpike::turn {
namespace {

using namespace spelled;
using namespace std::chrono_literals;
using test::SeededRandom;

constexpr PortRange small_range{50000, 50009};

RelayAddress plain(std::string_view address) { return {ip(address), ip(address)}; }

std::vector<RelayAddress> plain_addresses(const std::vector<std::string_view>& texts) {
  std::vector<RelayAddress> addresses;
  for (const std::string_view text : texts) addresses.push_back(plain(text));
  return addresses;
}

/// The address text that the ledger chooses; "none" for nothing.
std::string chosen(const Ledger& ledger, std::string_view server, Family family) {
  const auto index = ledger.choose_address(ip(server), family);
  return index ? ledger.bind_endpoint({*index, 1}).address.to_string() : "none";
}

Limits quota(std::uint32_t per_user, std::uint32_t total) {
  Limits limits;
  limits.max_allocations_per_user = per_user;
  limits.max_allocations = total;
  return limits;
}

}  // namespace

TEST_CASE("a relay is placed on the address that the client reached, else on the first that serves",
          "[turn]") {
  struct Row {
    std::vector<std::string_view> relays;
    std::string_view server;
    Family family;
    std::string_view expected;
  };
  constexpr Family v4 = Family::ipv4;
  constexpr Family v6 = Family::ipv6;
  const auto row = GENERATE(values<Row>({
      // exact match, wherever it stands
      {{"192.0.2.1", "192.0.2.2"}, "192.0.2.1", v4, "192.0.2.1"},
      {{"192.0.2.1", "192.0.2.2"}, "192.0.2.2", v4, "192.0.2.2"},
      {{"127.0.0.1", "192.0.2.2"}, "127.0.0.1", v4, "127.0.0.1"},
      {{"2001:db8::1", "2001:db8::2"}, "2001:db8::2", v6, "2001:db8::2"},
      // no match: the first of the family
      {{"192.0.2.1", "192.0.2.2"}, "192.0.2.9", v4, "192.0.2.1"},
      {{"2001:db8::1", "192.0.2.1", "192.0.2.2"}, "192.0.2.9", v4, "192.0.2.1"},
      {{"2001:db8::1", "192.0.2.1"}, "192.0.2.1", v6, "2001:db8::1"},
      {{"2001:db8::1", "192.0.2.1"}, "2001:db8::1", v4, "192.0.2.1"},
      // none of the family
      {{"192.0.2.1"}, "192.0.2.1", v6, "none"},
      {{"2001:db8::1"}, "192.0.2.1", v4, "none"},
      {{}, "192.0.2.1", v4, "none"},
      // loopback serves those who came over loopback, and nobody else
      {{"127.0.0.1", "192.0.2.2"}, "192.0.2.9", v4, "192.0.2.2"},
      {{"127.0.0.1"}, "192.0.2.9", v4, "none"},
      {{"127.0.0.1"}, "127.0.0.2", v4, "127.0.0.1"},
      {{"127.0.0.1", "::1"}, "127.0.0.1", v6, "::1"},
      {{"127.0.0.1", "::1"}, "::1", v4, "127.0.0.1"},
      {{"::1", "2001:db8::1"}, "192.0.2.9", v6, "2001:db8::1"},
      {{"::1"}, "2001:db8::1", v6, "none"},
      // over loopback a public relay is reachable too
      {{"192.0.2.2", "127.0.0.1"}, "127.0.0.9", v4, "192.0.2.2"},
  }));
  CAPTURE(row.server, row.expected);
  const Ledger ledger{plain_addresses(row.relays), small_range, Limits{}};
  CHECK(chosen(ledger, row.server, row.family) == row.expected);
}

TEST_CASE("behind a 1:1 NAT sockets are bound inside and peers see the outside", "[turn]") {
  Ledger ledger{
      {{ip("10.0.0.5"), ip("203.0.113.10")}, plain("2001:db8::5")}, small_range, Limits{}};
  CHECK(ledger.bind_endpoint({0, 50001}) == endpoint("10.0.0.5:50001"));
  CHECK(ledger.relayed_endpoint({0, 50001}) == endpoint("203.0.113.10:50001"));
  CHECK(ledger.bind_endpoint({1, 50002}) == endpoint("[2001:db8::5]:50002"));
  CHECK(ledger.relayed_endpoint({1, 50002}) == endpoint("[2001:db8::5]:50002"));
  // A client reaches the inner address; live relays are known by the outer one.
  CHECK(ledger.choose_address(ip("10.0.0.5"), Family::ipv4) == std::uint16_t{0});
  ledger.live_relays().insert(endpoint("203.0.113.10:50001"), {});
  CHECK(ledger.live_relays().contains(endpoint("203.0.113.10:50001")));
  CHECK_FALSE(ledger.live_relays().contains(endpoint("10.0.0.5:50001")));
}

TEST_CASE("every address has the whole range of ports for itself", "[turn][Q09]") {
  Ledger ledger{plain_addresses({"192.0.2.1", "192.0.2.2"}), small_range, Limits{}};
  SeededRandom random{1};
  CHECK(ledger.free_ports() == 20);
  std::set<std::uint16_t> taken;
  while (const auto lease = ledger.take_port(1, PortWish::any, random, after(0s))) {
    CHECK(lease->address == 1);
    CHECK(small_range.contains(lease->port));
    CHECK(taken.insert(lease->port).second);
  }
  CHECK(taken.size() == 10);
  CHECK(ledger.free_ports() == 10);
  CHECK(ledger.take_port(0, PortWish::any, random, after(0s)));
  ledger.give_back({1, 50003});
  CHECK(ledger.take_port(1, PortWish::any, random, after(0s)).value().port == 50003);
}

TEST_CASE("EVEN-PORT takes one port, and with R the next as well", "[turn][rfc8656-7.2]") {
  Ledger ledger{plain_addresses({"192.0.2.1"}), small_range, Limits{}};
  SeededRandom random{1};
  const auto even = ledger.take_port(0, PortWish::even, random, after(0s)).value();
  CHECK(even.port % 2 == 0);
  CHECK(ledger.free_ports() == 9);
  const auto pair = ledger.take_port(0, PortWish::even_and_next, random, after(0s)).value();
  CHECK(pair.port % 2 == 0);
  CHECK(ledger.free_ports() == 7);
  ledger.give_back({0, static_cast<std::uint16_t>(pair.port + 1)});
  ledger.give_back(pair);
  ledger.give_back(even);
  CHECK(ledger.free_ports() == 10);
}

TEST_CASE("a user's quota is exact and does not touch the next user", "[turn][Q02][Q08]") {
  const std::uint32_t most = GENERATE(1U, 2U, 12U);
  Ledger ledger{{}, small_range, quota(most, 0)};
  for (std::uint32_t i = 0; i < most; ++i) CHECK(ledger.charge("alice") == Charge::accepted);
  CHECK(ledger.charge("alice") == Charge::user_is_full);
  CHECK(ledger.charge("alice") == Charge::user_is_full);
  CHECK(ledger.allocations() == most);
  CHECK(ledger.charge("bob") == Charge::accepted);
  ledger.release("alice");
  CHECK(ledger.charge("alice") == Charge::accepted);
  CHECK(ledger.charge("alice") == Charge::user_is_full);
  CHECK(ledger.allocations() == most + 1);
}

TEST_CASE("the total is exact and a refusal is not counted", "[turn][Q02]") {
  Ledger ledger{{}, small_range, quota(2, 3)};
  CHECK(ledger.charge("alice") == Charge::accepted);
  CHECK(ledger.charge("alice") == Charge::accepted);
  CHECK(ledger.charge("alice") == Charge::user_is_full);
  CHECK(ledger.charge("bob") == Charge::accepted);
  CHECK(ledger.charge("bob") == Charge::server_is_full);
  CHECK(ledger.charge("carol") == Charge::server_is_full);
  CHECK(ledger.allocations() == 3);
  ledger.release("alice");
  CHECK(ledger.charge("carol") == Charge::accepted);
  CHECK(ledger.charge("alice") == Charge::server_is_full);
  ledger.release("carol");
  ledger.release("alice");
  ledger.release("bob");
  CHECK(ledger.allocations() == 0);
}

TEST_CASE("limits of zero limit nothing", "[turn]") {
  Ledger ledger{{}, small_range, quota(0, 0)};
  for (int i = 0; i < 5000; ++i) REQUIRE(ledger.charge("alice") == Charge::accepted);
  CHECK(ledger.allocations() == 5000);
}

TEST_CASE("a reservation is redeemed once, by its own account only", "[turn][rfc8656-7.2]") {
  Ledger ledger{plain_addresses({"192.0.2.1", "192.0.2.2"}), small_range, Limits{}};
  SeededRandom random{1};
  const auto pair = ledger.take_port(1, PortWish::even_and_next, random, after(0s)).value();
  const PortLease next{1, static_cast<std::uint16_t>(pair.port + 1)};
  const std::uint64_t token = ledger.reserve(next, "alice", random, after(0s));
  CHECK(ledger.free_ports() == 18);

  CHECK_FALSE(ledger.has_reservation(token, "mallory", after(1s)));
  CHECK_FALSE(ledger.redeem(token, "mallory", after(1s)));
  CHECK_FALSE(ledger.has_reservation(token + 1, "alice", after(1s)));
  CHECK_FALSE(ledger.redeem(token + 1, "alice", after(1s)));

  CHECK(ledger.has_reservation(token, "alice", after(1s)));
  const auto redeemed = ledger.redeem(token, "alice", after(1s));
  REQUIRE(redeemed);
  CHECK(redeemed->address == next.address);
  CHECK(redeemed->port == next.port);
  CHECK_FALSE(ledger.has_reservation(token, "alice", after(1s)));
  CHECK_FALSE(ledger.redeem(token, "alice", after(1s)));

  // Redeemed is leased: nothing comes back by itself.
  CHECK_FALSE(ledger.has_reservation(token, "alice", after(1h)));
  CHECK(ledger.free_ports() == 18);
  ledger.give_back(*redeemed);
  ledger.give_back(pair);
  CHECK(ledger.free_ports() == 20);
}

TEST_CASE("a reservation ends after its lifetime, not before, and its port is free again",
          "[turn][rfc8656-7.2][Q10]") {
  const Limits limits;
  const Instant end = after(limits.reservation_lifetime);
  Ledger ledger{plain_addresses({"192.0.2.1"}), PortRange{50000, 50001}, limits};
  SeededRandom random{1};
  const auto pair = ledger.take_port(0, PortWish::even_and_next, random, after(0s)).value();
  const PortLease next{0, static_cast<std::uint16_t>(pair.port + 1)};
  const std::uint64_t token = ledger.reserve(next, "alice", random, after(0s));

  SECTION("the last nanosecond counts") {
    CHECK(ledger.has_reservation(token, "alice", end - 1ns));
    CHECK_FALSE(ledger.take_port(0, PortWish::any, random, end - 1ns));
    CHECK(ledger.redeem(token, "alice", end - 1ns));
  }
  SECTION("has_reservation() at the end") {
    CHECK_FALSE(ledger.has_reservation(token, "alice", end));
    CHECK(ledger.free_ports() == 1);
  }
  SECTION("redeem() at the end") {
    CHECK_FALSE(ledger.redeem(token, "alice", end));
    CHECK(ledger.free_ports() == 1);
  }
  SECTION("take_port() at the end finds the port") {
    CHECK(ledger.take_port(0, PortWish::any, random, end).value().port == next.port);
    CHECK_FALSE(ledger.redeem(token, "alice", end));
  }
}

TEST_CASE("ports and reservations are conserved whatever happens", "[turn][Q10]") {
  const std::uint64_t seed = test::seed_or(2);
  CAPTURE(seed);
  SeededRandom random{seed};
  const Limits limits;
  const std::vector<std::string_view> accounts{"alice", "bob"};
  Ledger ledger{plain_addresses({"192.0.2.1", "2001:db8::1"}), PortRange{50001, 50030}, limits};
  struct Held {
    std::uint64_t token;
    std::string_view account;
    Instant expires;
  };
  std::vector<PortLease> leased;
  std::vector<Held> reserved;
  Instant now = after(0s);
  for (int step = 0; step < 100'000; ++step) {
    now += milliseconds{random.below(400)};
    const std::uint64_t choice = random.below(10);
    if (choice < 3) {
      const auto wish = std::array{PortWish::any, PortWish::even, PortWish::even_and_next}[choice];
      const auto address = static_cast<std::uint16_t>(random.below(2));
      const auto lease = ledger.take_port(address, wish, random, now);
      if (lease) leased.push_back(*lease);
      if (lease && choice == 2) {
        const PortLease next{address, static_cast<std::uint16_t>(lease->port + 1)};
        const std::string_view account = accounts[random.below(2)];
        reserved.push_back({ledger.reserve(next, account, random, now), account,
                            now + limits.reservation_lifetime});
      }
    } else if (choice < 8 && !leased.empty()) {
      std::swap(leased[random.below(leased.size())], leased.back());
      ledger.give_back(leased.back());
      leased.pop_back();
    } else if (!reserved.empty()) {
      const std::size_t index = random.below(reserved.size());
      const Held held = reserved[index];
      const std::string_view account = accounts[random.below(2)];
      const auto lease = ledger.redeem(held.token, account, now);
      REQUIRE(lease.has_value() == (held.account == account && held.expires > now));
      if (lease) leased.push_back(*lease);
      if (lease) reserved.erase(reserved.begin() + static_cast<std::ptrdiff_t>(index));
    }
    static_cast<void>(ledger.has_reservation(0, "", now));  // sweeps
    std::erase_if(reserved, [&](const Held& held) { return held.expires <= now; });
    REQUIRE(ledger.free_ports() + leased.size() + reserved.size() == 60);
  }
}

TEST_CASE("behind a 1:1 NAT TCP relays are reached inside and known by the outside",
          "[turn][rfc6062]") {
  const auto bind = GENERATE(as<std::string>{}, "10.0.0.5", "0.0.0.0");
  const std::string inside = bind == "0.0.0.0" ? "127.0.0.1" : bind;
  Ledger ledger{
      {{ip("127.0.0.1"), ip("127.0.0.1")}, {ip(bind), ip("203.0.113.10")}}, small_range, {}};
  const Endpoint relayed{ip("203.0.113.10"), 50001};
  const Endpoint reached{ip(inside), 50001};

  CHECK(ledger.reached_at(relayed) == relayed);  // nobody's: it goes where it says
  ledger.live_relays().insert(relayed, {}, PeerTransport::udp);
  CHECK(ledger.reached_at(relayed) == relayed);
  CHECK(ledger.known_as(reached) == reached);
  ledger.live_relays().insert(relayed, {}, PeerTransport::tcp);
  CHECK(ledger.reached_at(relayed) == reached);
  CHECK(ledger.known_as(reached) == relayed);
  CHECK(ledger.reached_at({relayed.address, 50002}) == Endpoint{relayed.address, 50002});
  CHECK(ledger.known_as({reached.address, 50002}) == Endpoint{reached.address, 50002});
  CHECK(ledger.known_as({ip("10.0.0.6"), 50001}) == Endpoint{ip("10.0.0.6"), 50001});
  ledger.live_relays().erase(relayed);
  CHECK(ledger.known_as(reached) == reached);
}

TEST_CASE("two threads that share a ledger leave it as they found it", "[turn][threads]") {
  Limits limits = quota(3, 5);
  limits.reservation_lifetime = 1s;
  Ledger ledger{plain_addresses({"192.0.2.1", "192.0.2.2"}), PortRange{50000, 50031}, limits};
  const auto work = [&ledger](std::uint64_t seed, std::string_view account) {
    SeededRandom random{seed};
    std::vector<PortLease> leases;
    std::size_t charged = 0;
    for (int step = 0; step < 20'000; ++step) {
      const Instant now = after(milliseconds{step});
      const auto address = static_cast<std::uint16_t>(random.below(2));
      if (ledger.charge(account) == Charge::accepted) ++charged;
      const auto pair = ledger.take_port(address, PortWish::even_and_next, random, now);
      if (pair) {
        leases.push_back(*pair);
        const PortLease next{address, static_cast<std::uint16_t>(pair->port + 1)};
        const std::uint64_t token = ledger.reserve(next, account, random, now);
        if (const auto lease =
                random.below(2) == 0 ? ledger.redeem(token, account, now) : std::nullopt) {
          leases.push_back(*lease);
        }
        const Endpoint relayed = ledger.relayed_endpoint(*pair);
        ledger.live_relays().insert(relayed, {});
        if (!ledger.live_relays().contains(relayed)) std::abort();
        ledger.live_relays().erase(relayed);
      }
      if (leases.size() > 6 || !pair) {
        for (const PortLease& lease : leases) ledger.give_back(lease);
        leases.clear();
      }
      if (charged > 0 && random.below(2) == 0) {
        ledger.release(account);
        --charged;
      }
    }
    for (const PortLease& lease : leases) ledger.give_back(lease);
    while (charged-- > 0) ledger.release(account);
  };
  std::thread other{work, 1, "alice"};
  work(2, "bob");
  other.join();
  CHECK_FALSE(ledger.has_reservation(0, "", after(1h)));  // sweeps
  CHECK(ledger.free_ports() == 64);
  CHECK(ledger.allocations() == 0);
  CHECK_FALSE(ledger.live_relays().contains_any(ip("192.0.2.1")));
  CHECK_FALSE(ledger.live_relays().contains_any(ip("192.0.2.2")));
}

TEST_CASE("a network's quota is exact and does not touch the next network", "[turn][Q02][Q08]") {
  Limits limits = quota(0, 0);
  limits.max_allocations_per_network = 3;
  Ledger ledger{{}, small_range, limits};
  const NetworkId office = network_of(ip("198.51.100.7"));
  const NetworkId home = network_of(ip("198.51.101.7"));
  for (int i = 0; i < 3; ++i) CHECK(ledger.charge("alice", office) == Charge::accepted);
  CHECK(ledger.charge("bob", office) == Charge::network_is_full);
  CHECK(ledger.allocations_of("bob") == 0);
  CHECK(ledger.charge("bob", home) == Charge::accepted);
  CHECK(ledger.charge("bob", NetworkId::uncounted) == Charge::accepted);
  CHECK(ledger.allocations_from(office) == 3);
  CHECK(ledger.allocations_from(home) == 1);
  CHECK(ledger.allocations_from(NetworkId::uncounted) == 0);
  ledger.release("alice", office);
  CHECK(ledger.charge("bob", office) == Charge::accepted);
  CHECK(ledger.charge("bob", office) == Charge::network_is_full);
}

TEST_CASE("a network is a /24 or a /56, and loopback is none", "[turn]") {
  const auto same = [](std::string_view a, std::string_view b) {
    return network_of(ip(a)) == network_of(ip(b));
  };
  CHECK(same("198.51.100.0", "198.51.100.255"));
  CHECK_FALSE(same("198.51.100.0", "198.51.101.0"));
  CHECK_FALSE(same("198.51.100.0", "198.50.100.0"));
  CHECK(same("2001:db8:7:100::1", "2001:db8:7:1ff::2"));
  CHECK_FALSE(same("2001:db8:7:100::1", "2001:db8:7:200::1"));
  CHECK_FALSE(same("2001:db8:7:100::1", "3001:db8:7:100::1"));
  CHECK_FALSE(same("0.0.0.1", "::2"));
  CHECK(network_of(ip("127.0.0.1")) == NetworkId::uncounted);
  CHECK(network_of(ip("127.255.3.1")) == NetworkId::uncounted);
  CHECK(network_of(ip("::1")) == NetworkId::uncounted);
  CHECK(network_of(ip("::2")) != NetworkId::uncounted);
  CHECK(network_of(ip("0.0.0.0")) != NetworkId::uncounted);
}

TEST_CASE("the ledger lets a user's own quota hold instead of that for all", "[turn][Q02]") {
  Ledger ledger{{}, small_range, quota(2, 0)};
  for (int i = 0; i < 5; ++i) CHECK(ledger.charge("carol", {}, 5) == Charge::accepted);
  CHECK(ledger.charge("carol", {}, 5) == Charge::user_is_full);
  CHECK(ledger.charge("carol", {}, 0) == Charge::accepted);  // no limit
  CHECK(ledger.charge("dave", {}, 1) == Charge::accepted);
  CHECK(ledger.charge("dave", {}, 1) == Charge::user_is_full);
  CHECK(ledger.charge("dave") == Charge::accepted);
}

}  // namespace turnpike::turn
