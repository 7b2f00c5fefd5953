#include "turn/ledger.h"

#include <set>
#include <stdexcept>
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

const BandwidthLimit second_for_1000_bytes{8000};

/// Relays `bytes` for `account`, which has an allocation.
void relay(Ledger& ledger, std::string_view account, std::size_t bytes, Instant now) {
  ledger.bandwidth_of(account).add(second_for_1000_bytes, bytes, now);
}

/// Is anything kept of `account`? (Who asks for what is not there gets an exception.)
bool is_remembered(Ledger& ledger, std::string_view account) {
  try {
    static_cast<void>(ledger.bandwidth_of(account));
    return true;
  } catch (const std::out_of_range&) {
    return false;
  }
}

/// Gives out the numbers it was made with, one after the other.
class Listed final : public Random {
 public:
  explicit Listed(std::vector<std::uint64_t> numbers) : numbers_(std::move(numbers)) {}
  void fill(MutableByteView out) override { store_be64(out, numbers_.at(next_++)); }

 private:
  std::vector<std::uint64_t> numbers_;
  std::size_t next_ = 0;
};

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
  const auto [bind, inside, outside] = GENERATE(table<std::string, std::string, std::string>({
      {"10.0.0.5", "10.0.0.5", "203.0.113.10"},
      {"0.0.0.0", "127.0.0.1", "203.0.113.10"},
      {"::", "::1", "2001:db8::10"},
  }));
  Ledger ledger{{plain("127.0.0.1"), {ip(bind), ip(outside)}}, small_range, {}};
  const Endpoint relayed{ip(outside), 50001};
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

TEST_CASE("of several full quotas the user's is told, then the network's, then the server's",
          "[turn][Q02]") {
  const NetworkId office = network_of(ip("198.51.100.7"));
  Limits limits = quota(1, 1);
  limits.max_allocations_per_network = 1;
  Ledger ledger{{}, small_range, limits};
  REQUIRE(ledger.charge("alice", office) == Charge::accepted);
  CHECK(ledger.charge("alice", office) == Charge::user_is_full);
  CHECK(ledger.charge("bob", office) == Charge::network_is_full);
  CHECK(ledger.charge("bob") == Charge::server_is_full);
  CHECK(ledger.allocations_of("alice") == 1);
  CHECK(ledger.allocations_of("bob") == 0);
}

TEST_CASE("a network without a limit is counted and never full", "[turn][Q02]") {
  Limits limits = quota(0, 0);
  limits.max_allocations_per_network = 0;
  Ledger ledger{{}, small_range, limits};
  const NetworkId office = network_of(ip("198.51.100.7"));
  for (int i = 0; i < 3; ++i) CHECK(ledger.charge("alice", office) == Charge::accepted);
  CHECK(ledger.allocations_from(office) == 3);
  for (int i = 0; i < 3; ++i) ledger.release("alice", office);
  CHECK(ledger.allocations_from(office) == 0);
}

TEST_CASE("other limits hold from the moment they are set", "[turn][Q02]") {
  Ledger ledger{{}, small_range, quota(1, 0)};
  CHECK(ledger.max_allocations() == 0);
  CHECK(ledger.charge("alice") == Charge::accepted);
  CHECK(ledger.charge("alice") == Charge::user_is_full);
  ledger.set_limits(quota(2, 2));
  CHECK(ledger.max_allocations() == 2);
  CHECK(ledger.charge("alice") == Charge::accepted);
  CHECK(ledger.charge("bob") == Charge::server_is_full);
  ledger.set_limits(quota(1, 1));  // and nobody loses what he has
  CHECK(ledger.allocations_of("alice") == 2);
  CHECK(ledger.allocations() == 2);
}

// --- Reservations --------------------------------------------------------------------------------

TEST_CASE("an account may reserve as many ports as it may have allocations",
          "[turn][rfc8656-7.2][Q09]") {
  const Limits limits = quota(2, 0);
  const Instant end = after(limits.reservation_lifetime);
  Ledger ledger{plain_addresses({"192.0.2.1"}), small_range, limits};
  SeededRandom random{1};
  for (int i = 0; i < 2; ++i) {
    CHECK(ledger.may_reserve("alice", std::nullopt, after(0s)));
    const auto pair = ledger.take_port(0, PortWish::even_and_next, random, after(0s)).value();
    const PortLease next{0, static_cast<std::uint16_t>(pair.port + 1)};
    static_cast<void>(ledger.reserve(next, "alice", random, after(0s)));
  }
  CHECK_FALSE(ledger.may_reserve("alice", std::nullopt, after(0s)));
  CHECK(ledger.may_reserve("bob", std::nullopt, after(0s)));
  // A limit of the user's own holds instead.
  CHECK_FALSE(ledger.may_reserve("alice", 2, after(0s)));
  CHECK(ledger.may_reserve("alice", 3, after(0s)));
  CHECK(ledger.may_reserve("alice", 0, after(0s)));
  // What has run out does not count.
  CHECK_FALSE(ledger.may_reserve("alice", std::nullopt, end - 1ns));
  CHECK(ledger.may_reserve("alice", std::nullopt, end));
}

TEST_CASE("without a quota an account may reserve what there is", "[turn][rfc8656-7.2]") {
  Ledger ledger{plain_addresses({"192.0.2.1"}), small_range, quota(0, 0)};
  SeededRandom random{1};
  const auto pair = ledger.take_port(0, PortWish::even_and_next, random, after(0s)).value();
  static_cast<void>(ledger.reserve(pair, "alice", random, after(0s)));
  CHECK(ledger.may_reserve("alice", std::nullopt, after(0s)));
  CHECK_FALSE(ledger.may_reserve("alice", 1, after(0s)));
}

TEST_CASE("no two reservations share a token, not even when chance has it so",
          "[turn][rfc8656-7.2]") {
  Ledger ledger{plain_addresses({"192.0.2.1"}), small_range, Limits{}};
  SeededRandom ports{1};
  const auto first = ledger.take_port(0, PortWish::any, ports, after(0s)).value();
  const auto second = ledger.take_port(0, PortWish::any, ports, after(0s)).value();
  Listed tokens{{7, 7, 7, 8}};
  CHECK(ledger.reserve(first, "alice", tokens, after(0s)) == 7);
  CHECK(ledger.reserve(second, "bob", tokens, after(0s)) == 8);
  CHECK(ledger.redeem(7, "alice", after(1s)).value().port == first.port);
  CHECK(ledger.redeem(8, "bob", after(1s)).value().port == second.port);
}

// --- What an account owes ------------------------------------------------------------------------

TEST_CASE("who deletes an allocation and makes another still owes what he has relayed",
          "[turn][Q08]") {
  Ledger ledger{{}, small_range, Limits{}};
  REQUIRE(ledger.charge("alice", {}, {}, after(0s)) == Charge::accepted);
  relay(ledger, "alice", 10'000, after(0s));
  ledger.release("alice", {}, after(1s));
  CHECK(ledger.allocations_of("alice") == 0);

  REQUIRE(ledger.charge("alice", {}, {}, after(2s)) == Charge::accepted);
  CHECK_FALSE(ledger.bandwidth_of("alice").is_paid(after(10s) - 1ns));
  CHECK(ledger.bandwidth_of("alice").is_paid(after(10s)));
}

TEST_CASE("an account is forgotten when it has neither allocations nor debts", "[turn][Q10]") {
  Ledger ledger{{}, small_range, Limits{}};
  REQUIRE(ledger.charge("alice", {}, {}, after(0s)) == Charge::accepted);
  REQUIRE(ledger.charge("alice", {}, {}, after(0s)) == Charge::accepted);
  relay(ledger, "alice", 10'000, after(0s));
  const auto somebody_comes = [&](Instant now) {
    REQUIRE(ledger.charge("bob", {}, {}, now) == Charge::accepted);
  };

  SECTION("at once where it owes nothing") {
    ledger.release("alice", {}, after(10s));
    CHECK(is_remembered(ledger, "alice"));
    ledger.release("alice", {}, after(10s));
    CHECK_FALSE(is_remembered(ledger, "alice"));
  }
  SECTION("else when it has paid") {
    ledger.release("alice", {}, after(1s));
    ledger.release("alice", {}, after(1s));
    somebody_comes(after(10s) - 1ns);
    CHECK(is_remembered(ledger, "alice"));
    somebody_comes(after(10s));
    CHECK_FALSE(is_remembered(ledger, "alice"));
  }
  SECTION("and when it has come and gone in debt more than once") {
    ledger.release("alice", {}, after(1s));
    ledger.release("alice", {}, after(1s));
    REQUIRE(ledger.charge("alice", {}, {}, after(2s)) == Charge::accepted);
    ledger.release("alice", {}, after(3s));
    somebody_comes(after(10s) - 1ns);
    CHECK(is_remembered(ledger, "alice"));
    somebody_comes(after(10s));
    CHECK_FALSE(is_remembered(ledger, "alice"));
  }
}

TEST_CASE("an account in debt that comes back and pays stays for as long as it has an allocation",
          "[turn][Q08]") {
  Ledger ledger{{}, small_range, Limits{}};
  REQUIRE(ledger.charge("alice", {}, {}, after(0s)) == Charge::accepted);
  relay(ledger, "alice", 10'000, after(0s));
  ledger.release("alice", {}, after(1s));
  REQUIRE(ledger.charge("alice", {}, {}, after(2s)) == Charge::accepted);

  REQUIRE(ledger.charge("bob", {}, {}, after(20s)) == Charge::accepted);
  CHECK(ledger.allocations_of("alice") == 1);
  REQUIRE(is_remembered(ledger, "alice"));
  ledger.release("alice", {}, after(21s));
  CHECK(ledger.allocations() == 1);
  CHECK_FALSE(is_remembered(ledger, "alice"));
}

}  // namespace turnpike::turn
