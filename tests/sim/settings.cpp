#include "sim/settings.h"

#include <algorithm>
#include <sstream>

#include "auth/credentials.h"

namespace turnpike::sim {
namespace {

constexpr std::uint16_t usual_port = 3478;

/// One of `values`.
template <class T>
T one_of(SeededRandom& random, std::initializer_list<T> values) {
  return *(values.begin() + random.below(values.size()));
}

bool coin(SeededRandom& random) { return random.below(2) == 0; }

turn::Limits draw_limits(SeededRandom& random) {
  turn::Limits limits;
  limits.default_lifetime = one_of<seconds>(random, {seconds{600}, seconds{600}, seconds{20}});
  limits.max_lifetime = one_of<seconds>(random, {seconds{600}, seconds{1800}, seconds{3600}});
  limits.reservation_lifetime = one_of<seconds>(random, {seconds{30}, seconds{60}});
  limits.max_allocations = one_of<std::uint32_t>(random, {0, 0, 0, 0, 2, 5});
  limits.max_allocations_per_user = one_of<std::uint32_t>(random, {0, 0, 1, 2, 12, 12});
  limits.max_allocations_per_member = one_of<std::uint32_t>(random, {0, 1, 84});
  limits.max_allocations_per_network = one_of<std::uint32_t>(random, {0, 1, 3, 2000, 2000});
  limits.max_permissions = one_of<std::uint32_t>(random, {1, 3, 64, 64});
  limits.max_channels = one_of<std::uint32_t>(random, {1, 2, 64, 64});
  limits.new_peers_per_second = one_of<std::uint32_t>(random, {0, 0, 1, 10});
  limits.new_peers_burst_s = one_of<std::uint32_t>(random, {1, 3});
  limits.port_attempts = one_of<std::uint32_t>(random, {1, 2, 16});
  limits.challenge_rate = one_of<std::uint32_t>(random, {0, 0, 2, 50});
  limits.bandwidth_per_allocation = one_of<std::uint64_t>(random, {0, 0, 0, 8000});
  return limits;
}

std::vector<turn::RelayAddress> draw_relays(SeededRandom& random) {
  // In no special range: that they are the server's own is all that speaks against them as peers.
  const IpAddress v4 = ip("20.0.2.1");
  const IpAddress v6 = ip("2a02:db8::1");
  switch (random.below(6)) {
    case 0:
      return {{v4, v4}};
    case 1:
      return {{v6, v6}};
    case 2:
      return {{v4, v4}, {ip("20.0.2.2"), ip("20.0.2.2")}, {v6, v6}};
    case 3:  // behind 1:1 NAT
      return {{ip("10.0.0.5"), ip("20.0.2.9")}, {v6, v6}};
    default:
      return {{v4, v4}, {v6, v6}};
  }
}

void draw_faults(SeededRandom& random, Settings& settings) {
  settings.loss = one_of(random, {0U, 0U, 20U, 150U, 400U});
  settings.duplicates = one_of(random, {0U, 20U, 200U});
  settings.corruption = one_of(random, {0U, 0U, 10U, 100U});
  settings.truncation = one_of(random, {0U, 0U, 10U, 50U});
  settings.delay = one_of(random, {milliseconds{0}, milliseconds{10}, milliseconds{200}});
  settings.jitter = one_of(random, {milliseconds{0}, milliseconds{50}, milliseconds{3000}});
  settings.port_in_use = one_of(random, {0U, 0U, 100U, 500U});
  settings.no_resources = one_of(random, {0U, 0U, 0U, 100U, 400U});
  settings.late_opens = one_of(random, {0U, 50U, 300U});
  settings.late_timers = one_of(random, {0U, 0U, 300U, 1000U});
  settings.silent_key_source = one_of(random, {0U, 100U, 500U});
}

/// An address of the server, and how clients see it.
using Seen = std::pair<IpAddress, IpAddress>;

turn::DiscoverySquare square_of(const std::array<Seen, 2>& addresses, std::uint16_t first_port) {
  turn::DiscoverySquare square;
  std::size_t corner = 0;
  for (const auto& [local, advertised] : addresses) {
    for (std::uint16_t port = first_port; port < first_port + 2; ++port) {
      const Endpoint here{local, port};
      square.at(corner++) = {listener_of(here), here, {advertised, port}};
    }
  }
  return square;
}

/// Of one family or both, behind 1:1 NAT, or where nobody has his usual server.
std::vector<turn::DiscoverySquare> draw_squares(SeededRandom& random) {
  const std::array<Seen, 2> v4{Seen{ip("20.0.2.1"), ip("20.0.2.1")},
                               Seen{ip("20.0.2.2"), ip("20.0.2.2")}};
  const std::array<Seen, 2> v6{Seen{ip("2a02:db8::1"), ip("2a02:db8::1")},
                               Seen{ip("2a02:db8::2"), ip("2a02:db8::2")}};
  const std::array<Seen, 2> behind_nat{Seen{ip("20.0.2.1"), ip("20.0.3.1")},
                                       Seen{ip("20.0.2.2"), ip("20.0.3.2")}};
  constexpr std::uint16_t other_port = usual_port + 2;
  switch (random.below(4)) {
    case 0:
      return {square_of(v4, usual_port)};
    case 1:
      return {square_of(v4, usual_port), square_of(v6, usual_port)};
    case 2:
      return {square_of(behind_nat, usual_port), square_of(v6, other_port)};
    default:
      return {square_of(v4, other_port), square_of(v6, other_port)};
  }
}

void draw_discovery(SeededRandom& random, Settings& settings) {
  const bool is_on = random.below(4) == 0;
  if (is_on) settings.nat_discovery = draw_squares(random);
  settings.curiosity =
      is_on ? one_of(random, {100U, 300U, 300U}) : one_of(random, {0U, 0U, 0U, 20U});
}

}  // namespace

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
Endpoint at(std::string_view text) { return Endpoint::parse(text).value(); }

Settings Settings::of(std::uint64_t seed) {
  SeededRandom random{seed * 0x9e3779b97f4a7c15 + 1};
  Settings settings;
  settings.seed = seed;
  settings.workers = one_of<std::uint8_t>(random, {1, 1, 2, 4, 8});
  settings.relays = draw_relays(random);
  const auto count = one_of<std::uint16_t>(random, {1, 4, 5, 16, 16, 200});
  const auto first = static_cast<std::uint16_t>(50000 + random.below(2));
  settings.ports = {first, static_cast<std::uint16_t>(first + count - 1)};
  settings.limits = draw_limits(random);
  if (coin(random)) settings.address_family = turn::AddressFamilyRule::follow_client;
  settings.strict_expiry = coin(random);
  settings.mobility = coin(random);
  settings.asks_for_users = coin(random);
  settings.has_alternates = random.below(3) == 0;
  settings.nonce_lifetime = one_of(random, {seconds{600}, seconds{600}, seconds{5}, seconds{3600}});
  draw_faults(random, settings);
  settings.clients = static_cast<unsigned>(2 + random.below(8));
  settings.recklessness = one_of(random, {0U, 50U, 300U});
  settings.malice = one_of(random, {0U, 0U, 50U, 300U});
  settings.forgetfulness = one_of(random, {0U, 0U, 20U});
  settings.pace = one_of(random, {milliseconds{100}, milliseconds{1000}, milliseconds{20000}});
  settings.naps = one_of(random, {0U, 0U, 10U, 50U});
  settings.reloads_policy = coin(random);
  settings.reloads_limits = random.below(3) == 0;
  settings.reloads_book = random.below(3) == 0;
  settings.forgets_users = coin(random);
  settings.drains = random.below(4) == 0;
  settings.kills = random.below(3) == 0;
  settings.sets_clock = random.below(4) == 0;
  settings.restarts = one_of(random, {0U, 0U, 3U, 30U});
  settings.max_failures = one_of<std::uint32_t>(random, {0, 2, 10, 10});
  settings.tcp_relays = random.below(3) == 0;
  draw_discovery(random, settings);
  return settings;
}

Settings Settings::apart_of(std::uint64_t seed) {
  Settings settings = of(seed);
  settings.is_apart = true;
  settings.relays = {{ip("20.0.2.1"), ip("20.0.2.1")}, {ip("2a02:db8::1"), ip("2a02:db8::1")}};
  settings.ports = {50000, 59999};  // so many that none is had twice
  turn::Limits& limits = settings.limits;
  limits.max_allocations = 0;
  limits.max_allocations_per_user = 0;
  limits.max_allocations_per_member = 0;
  limits.max_allocations_per_network = 0;
  limits.port_attempts = 16;
  // A budget of one's own is what others might spend.
  const bool has_squares = !settings.nat_discovery.empty();
  if (has_squares && limits.challenge_rate == 0) limits.challenge_rate = 2;
  settings.nonce_lifetime = std::max(settings.nonce_lifetime, seconds{600});
  settings.loss = std::min(settings.loss, 150U);
  settings.corruption = 0;  // a client that does not check answers would not be a correct one
  settings.truncation = 0;
  settings.port_in_use = std::min(settings.port_in_use, 100U);
  settings.no_resources = 0;
  settings.late_opens = 0;
  settings.late_timers = 0;
  // One user's question would be another's answer already known.
  settings.silent_key_source = 0;
  settings.slow_key_source = milliseconds{0};
  settings.clients = std::max(settings.clients, 3U);
  settings.pace = std::max(settings.pace, milliseconds{1000});  // time enough for who has bad luck
  settings.recklessness = 300;
  settings.malice = 300;
  settings.reloads_limits = false;
  settings.reloads_book = false;
  settings.drains = false;
  settings.kills = false;
  settings.sets_clock = false;
  settings.restarts = 0;
  return settings;
}

std::string Settings::to_string() const {
  std::ostringstream out;
  out << "workers " << int{workers} << ", relays " << relays.size() << ", ports " << ports.first
      << "-" << ports.last << ", clients " << clients << ", loss " << loss << ", duplicates "
      << duplicates << ", corruption " << corruption << ", truncation " << truncation << ", delay "
      << delay.count() << "+" << jitter.count() << " ms, port in use " << port_in_use
      << ", no resources " << no_resources << ", late opens " << late_opens << ", late timers "
      << late_timers << ", reckless " << recklessness << ", malice " << malice << ", pace "
      << pace.count() << " ms, per user " << limits.max_allocations_per_user << ", total "
      << limits.max_allocations << ", max lifetime " << limits.max_lifetime.count() << ", failures "
      << max_failures << ", restarts " << restarts;
  const std::pair<bool, const char*> flags[] = {{mobility, "mobility"},
                                                {tcp_relays, "TCP relays"},
                                                {!nat_discovery.empty(), "NAT discovery"},
                                                {asks_for_users, "asks"},
                                                {strict_expiry, "strict expiry"},
                                                {has_alternates, "alternates"},
                                                {reloads_policy, "policies"},
                                                {reloads_limits, "limits"},
                                                {reloads_book, "books"},
                                                {drains, "drain"},
                                                {kills, "kills"},
                                                {is_apart, "apart"},
                                                {sets_clock, "clock"}};
  for (const auto& [is_on, name] : flags) {
    if (is_on) out << ", " << name;
  }
  return out.str();
}

// --- users ---------------------------------------------------------------------------------------

namespace {

constexpr std::string_view secret = "north";
constexpr std::string_view other_secret = "south";
const std::string soon_over = "1800000900:dave";  // a quarter of an hour after the start
const std::string member = "1800050000:p_abcdefgh@r_room";
const std::string ambiguous = "1800060000:zoe";  // static in book 2, time-limited elsewhere

}  // namespace

auth::CredentialSettings credentials(std::size_t variant) {
  auth::CredentialSettings settings;
  settings.realm = realm;
  settings.users = {{"alice", "wonderland"}, {"bob", "builder"}, {"carol", "singer"}};
  settings.secrets = {{"1", std::string{secret}}};
  if (variant == 1) {
    settings.users = {{"alice", "looking-glass"}, {"bob", "builder"}};
    settings.secrets = {{"2", std::string{other_secret}}, {"1", std::string{secret}}};
    settings.revocations = {{"bob", true, first_wall + seconds{100'000'000}},
                            {"dave", true, first_wall + seconds{100'000'000}}};
  }
  if (variant == 2) {
    settings.users.push_back({ambiguous, "static"});
    settings.secrets.clear();
  }
  return settings;
}

const std::vector<Login>& logins() {
  static const std::vector<Login> all = [] {
    std::vector<Login> made{{"alice", "wonderland"}, {"alice", "looking-glass"},
                            {"bob", "builder"},      {"carol", "singer"},
                            {"erik", "red"},         {"frida", "kahlo"},
                            {"mallory", "guess"},    {"alice", "guess"},
                            {ambiguous, "static"},   {"bob", "guess"}};
    for (const std::string& name : {soon_over, member, ambiguous}) {
      made.push_back({name, auth::time_limited_password(secret, name)});
    }
    made.push_back({soon_over, auth::time_limited_password(other_secret, soon_over)});
    return made;
  }();
  return all;
}

bool may_claim(const Login& login, bool is_intruder, const Settings& settings) {
  if (!settings.is_apart) return true;
  const bool is_guess = login.password == "guess";
  if (is_intruder) return is_guess || login.username == "alice";
  const bool is_known = login.username == "bob" || login.username == "carol" ||
                        login.username == member ||
                        (settings.asks_for_users && login.username == "erik");
  return is_known && !is_guess;
}

std::optional<std::string> asked_password(std::string_view username) {
  if (username == "erik") return "red";
  if (username == "frida") return "kahlo";
  return std::nullopt;
}

auth::UserLimits asked_limits(std::string_view username) {
  auth::UserLimits limits;
  if (username == "frida") limits.max_allocations = 1;
  return limits;
}

// --- places --------------------------------------------------------------------------------------

turn::PeerPolicy::Settings policy(std::size_t variant, const Settings& settings) {
  turn::PeerPolicy::Settings made;
  made.own_addresses = {ip("20.0.2.1"), ip("20.0.2.2"), ip("20.0.2.9"), ip("2a02:db8::1")};
  made.own_listeners = {at("20.0.2.1:3478"), at("20.0.2.2:3478"), at("[2a02:db8::1]:3478")};
  for (const turn::RelayAddress& relay : settings.relays) {
    made.own_addresses.push_back(relay.advertised);
  }
  for (const turn::DiscoverySquare& square : settings.nat_discovery) {
    for (const auto& corner : square) made.own_listeners.push_back(corner.advertised);
  }
  if (variant % 2 == 1) {
    made.deny = {{IpPrefix::parse("8.8.4.0/24").value(), std::nullopt, std::nullopt}};
  }
  if (variant >= 2) {
    made.allow = {{IpPrefix::parse("10.1.0.0/16").value(), PortRange{1000, 40000}, std::nullopt}};
  }
  return made;
}

turn::ListenerId listener_of(const Endpoint& server) {
  const bool is_v6 = server.family() == Family::ipv6;
  if (server.port == usual_port) return turn::ListenerId{is_v6 ? 2U : 1U};
  const unsigned which = server.address.bytes().back();  // 1 or 2
  return turn::ListenerId{10U * (server.port - usual_port) + (is_v6 ? 4U : 0U) + which};
}

std::vector<Endpoint> server_addresses(Family family, const Settings& settings) {
  std::vector<Endpoint> all = family == Family::ipv4
                                  ? std::vector{at("20.0.2.1:3478"), at("20.0.2.2:3478")}
                                  : std::vector{at("[2a02:db8::1]:3478")};
  for (const turn::DiscoverySquare& square : settings.nat_discovery) {
    for (const auto& corner : square) {
      if (corner.local.family() == family) all.push_back(corner.local);
    }
  }
  return all;
}

PeerClass class_of(const IpAddress& address, const Settings& settings) {
  static const std::vector<IpAddress> open{ip("8.8.8.8"), ip("8.8.8.9"), ip("2606:4700::1"),
                                           ip("2606:4700::2")};
  static const std::vector<IpAddress> deniable{ip("8.8.4.4"), ip("8.8.4.5")};
  const auto is_in = [&](const std::vector<IpAddress>& list) {
    return std::find(list.begin(), list.end(), address) != list.end();
  };
  if (is_in(open)) return PeerClass::open;
  if (is_in(deniable)) return PeerClass::deniable;
  if (address == ip("10.1.2.3")) return PeerClass::private_;
  for (const turn::RelayAddress& relay : settings.relays) {
    if (relay.advertised == address) return PeerClass::own;
  }
  return PeerClass::never;
}

const std::vector<Endpoint>& peers() {
  static const std::vector<Endpoint> all{at("8.8.8.8:5000"),
                                         at("8.8.8.8:5001"),
                                         at("8.8.8.9:443"),
                                         at("8.8.8.9:80"),
                                         at("8.8.4.4:5000"),
                                         at("8.8.4.5:6000"),
                                         at("[2606:4700::1]:5000"),
                                         at("[2606:4700::2]:5000"),
                                         at("10.1.2.3:5000"),
                                         at("10.1.2.3:50000"),
                                         at("20.0.2.1:3478"),
                                         at("20.0.2.1:50000"),
                                         at("20.0.2.9:50001"),
                                         at("127.0.0.1:5000"),
                                         at("0.0.0.0:5000"),
                                         at("169.254.169.254:80"),
                                         at("[::1]:5000"),
                                         at("[::ffff:127.0.0.1]:5000"),
                                         at("[64:ff9b::a01:203]:53"),
                                         at("[ff02::1]:5000"),
                                         at("[2a02:db8::1]:50000"),
                                         at("8.8.8.8:0"),
                                         at("[2002:808:808::1]:5000")};
  return all;
}

}  // namespace turnpike::sim
