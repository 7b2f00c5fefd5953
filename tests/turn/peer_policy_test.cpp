// The tables are HOSTILE.md's lists and DESIGN.md §5's tiers written out once more, by first and
// last address, so that a slip in a prefix length shows.
#include "turn/peer_policy.h"

#include <set>

#include "base/seeded_random.h"
#include "catch.h"
#include "turn/spelled.h"

namespace turnpike::turn {
namespace {

using namespace spelled;
__extension__ using Number = unsigned __int128;

struct Range {
  std::string_view first;
  std::string_view last;
};

const std::vector<Range> hard_v4{
    {"0.0.0.0", "0.255.255.255"},       {"127.0.0.0", "127.255.255.255"},
    {"169.254.0.0", "169.254.255.255"},  // DESIGN.md §5: link-local is in the hard tier
    {"224.0.0.0", "239.255.255.255"},   {"240.0.0.0", "255.255.255.255"},
};
const std::vector<Range> default_v4{
    {"10.0.0.0", "10.255.255.255"},     {"100.64.0.0", "100.127.255.255"},
    {"172.16.0.0", "172.31.255.255"},   {"192.0.0.0", "192.0.0.255"},
    {"192.0.2.0", "192.0.2.255"},       {"192.31.196.0", "192.31.196.255"},
    {"192.52.193.0", "192.52.193.255"}, {"192.88.99.0", "192.88.99.255"},
    {"192.168.0.0", "192.168.255.255"}, {"192.175.48.0", "192.175.48.255"},
    {"198.18.0.0", "198.19.255.255"},   {"198.51.100.0", "198.51.100.255"},
    {"203.0.113.0", "203.0.113.255"},   {"168.63.129.16", "168.63.129.16"},
};
const std::vector<Range> hard_v6{
    {"::", "::"},
    {"::1", "::1"},
    {"::", "::255.255.255.255"},
    {"::ffff:0.0.0.0", "::ffff:255.255.255.255"},
    {"::ffff:0:0.0.0.0", "::ffff:0:255.255.255.255"},
    {"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};
const std::vector<Range> default_v6{
    {"64:ff9b::", "64:ff9b::ffff:ffff"},
    {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"},
    {"100::", "100::ffff:ffff:ffff:ffff"},
    {"100:0:0:1::", "100:0:0:1:ffff:ffff:ffff:ffff"},
    {"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fe00::", "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"4000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"::1:0:0", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},  // the rest below 2000::/3
    {"2001:1::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"},  // 2001::/23 without Teredo
    {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"},
};

template <class T>
std::vector<T> operator+(std::vector<T> a, const std::vector<T>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

const std::vector<Range> denied_v4 = hard_v4 + default_v4;
const std::vector<Range> hard = hard_v4 + hard_v6;
const std::vector<Range> special = default_v4 + default_v6;

Number number_of(const IpAddress& address) {
  Number number = 0;
  for (const std::uint8_t byte : address.bytes()) number = (number << 8) | byte;
  return number;
}

IpAddress address_of(Family family, Number number) {
  std::array<std::uint8_t, 16> bytes{};
  const std::size_t size = address_bytes(family);
  for (std::size_t i = size; i-- > 0; number >>= 8) bytes.at(i) = static_cast<std::uint8_t>(number);
  return IpAddress::from_bytes(family, ByteView{bytes}.first(size));
}

bool in_any(const std::vector<Range>& ranges, const IpAddress& address) {
  return std::any_of(ranges.begin(), ranges.end(), [&](const Range& range) {
    return ip(range.first) <= address && address <= ip(range.last) &&
           address.family() == ip(range.first).family();
  });
}

using Verdict = std::optional<PeerDenial>;  // nothing: allowed

/// What the tables say of an address, on a port that is open to anyone.
Verdict by_tables(const IpAddress& address) {
  if (in_any(hard, address)) return PeerDenial::hard_range;
  if (in_any(special, address)) return PeerDenial::special_range;
  return std::nullopt;
}

/// The first and last address, one in the middle and a few at random.
std::vector<IpAddress> members(const Range& range) {
  const Family family = ip(range.first).family();
  const Number first = number_of(ip(range.first));
  const Number size = number_of(ip(range.last)) - first;
  test::SeededRandom random{0x9e37};
  std::vector<IpAddress> chosen{ip(range.first), ip(range.last),
                                address_of(family, first + size / 2)};
  for (int i = 0; i < 8; ++i) {
    const Number draw = (static_cast<Number>(random.next()) << 64) | random.next();
    chosen.push_back(address_of(family, first + (size == 0 ? 0 : draw % size)));
  }
  return chosen;
}

/// The addresses just outside of `range`, as far as there are any.
std::vector<IpAddress> neighbours(const Range& range) {
  const Family family = ip(range.first).family();
  const Number top = number_of(
      ip(family == Family::ipv4 ? "255.255.255.255" : "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
  const Number first = number_of(ip(range.first));
  const Number last = number_of(ip(range.last));
  std::vector<IpAddress> chosen;
  if (first > 0) chosen.push_back(address_of(family, first - 1));
  if (last < top) chosen.push_back(address_of(family, last + 1));
  return chosen;
}

/// A policy with the relays it looks at.
struct Fixture {
  explicit Fixture(PeerPolicy::Settings settings = {})
      : live({ip("192.0.2.1"), ip("2001:db8::1"), ip("127.0.0.1")}),
        policy(std::move(settings), live) {}

  [[nodiscard]] Verdict verdict(const Endpoint& peer,
                                PeerTransport transport = PeerTransport::udp) const {
    const auto result = policy.check(peer, transport);
    return result ? std::nullopt : Verdict{result.error()};
  }
  [[nodiscard]] Verdict verdict(std::string_view peer,
                                PeerTransport transport = PeerTransport::udp) const {
    return verdict(endpoint(peer), transport);
  }
  [[nodiscard]] bool may_permit(std::string_view address,
                                PeerTransport transport = PeerTransport::udp) const {
    return scope(ip(address), transport) != PermissionScope::nothing;
  }
  [[nodiscard]] PermissionScope scope(const IpAddress& address,
                                      PeerTransport transport = PeerTransport::udp) const {
    return policy.scope_of(address, transport);
  }

  LiveRelays live;
  PeerPolicy policy;
};

std::string name(const Verdict& verdict) {
  return verdict ? std::string{to_string(*verdict)} : "allowed";
}

const std::string allowed = "allowed";

PeerPolicy::Settings allowing(std::vector<PeerRule> allow, std::vector<PeerRule> deny = {}) {
  PeerPolicy::Settings settings;
  settings.allow = std::move(allow);
  settings.deny = std::move(deny);
  return settings;
}

void check_everywhere(const Fixture& world, const IpAddress& address, const Verdict& expected) {
  CAPTURE(address.to_string(), name(expected));
  CHECK(name(world.verdict({address, 50000})) == name(expected));
  CHECK(name(world.verdict({address, 50000}, PeerTransport::tcp)) == name(expected));
  const auto scope = expected ? PermissionScope::nothing : PermissionScope::peers;
  CHECK((world.scope(address, PeerTransport::udp) == scope));
  CHECK((world.scope(address, PeerTransport::tcp) == scope));
}

// --- Embeddings of IPv4 in IPv6 ------------------------------------------------------------------

IpAddress with_last_four(std::string_view prefix, const IpAddress& inner) {
  return address_of(Family::ipv6, number_of(ip(prefix)) | number_of(inner));
}
IpAddress in_6to4(const IpAddress& inner) {
  return address_of(Family::ipv6, (Number{0x2002} << 112) | (number_of(inner) << 80) | 1);
}
IpAddress in_teredo(std::string_view prefix, const IpAddress& inner) {
  return with_last_four(prefix, IpAddress::v4(~load_be32(inner.bytes())));
}

struct Embedding {
  const char* label;
  IpAddress (*embed)(const IpAddress&);
  bool opens;  // whether allow_peers opens its range at all
};

const std::vector<Embedding> embeddings{
    {"mapped", [](const IpAddress& a) { return with_last_four("::ffff:0:0", a); }, false},
    {"compatible", [](const IpAddress& a) { return with_last_four("::", a); }, false},
    {"SIIT", [](const IpAddress& a) { return with_last_four("::ffff:0:0:0", a); }, false},
    {"NAT64", [](const IpAddress& a) { return with_last_four("64:ff9b::", a); }, true},
    {"local NAT64", [](const IpAddress& a) { return with_last_four("64:ff9b:1:2:3:4::", a); },
     true},
    {"local NAT64, its last network",
     [](const IpAddress& a) { return with_last_four("64:ff9b:1:ffff:ffff:ffff::", a); }, true},
    {"6to4", in_6to4, false},
    {"Teredo", [](const IpAddress& a) { return in_teredo("2001:0:4136:e378:8000:63bf::", a); },
     false},
    {"Teredo, its last server",
     [](const IpAddress& a) { return in_teredo("2001:0:ffff:ffff:8000:63bf::", a); }, false},
    {"ISATAP", [](const IpAddress& a) { return with_last_four("2a00:1450:4001:81b:0:5efe::", a); },
     true},
    {"ISATAP, global",
     [](const IpAddress& a) { return with_last_four("2a00:1450:4001:81b:200:5efe::", a); }, true},
};

std::vector<IpAddress> denied_v4_boundaries() {
  std::vector<IpAddress> boundaries;
  for (const Range& range : denied_v4) {
    boundaries.push_back(ip(range.first));
    boundaries.push_back(ip(range.last));
  }
  return boundaries;
}

}  // namespace

// --- P01 to P04: the built-in ranges -------------------------------------------------------------

TEST_CASE("every IPv4 range that is denied is denied from end to end, with its tier",
          "[turn][P01]") {
  const Fixture world;
  for (const Range& range : hard_v4) {
    for (const IpAddress& address : members(range))
      check_everywhere(world, address, PeerDenial::hard_range);
  }
  for (const Range& range : default_v4) {
    for (const IpAddress& address : members(range)) {
      check_everywhere(world, address, PeerDenial::special_range);
    }
  }
}

TEST_CASE("one address outside of an IPv4 range its own rule counts", "[turn][P02]") {
  const Fixture world;
  int free = 0;
  for (const Range& range : denied_v4) {
    for (const IpAddress& address : neighbours(range)) {
      check_everywhere(world, address, by_tables(address));
      free += by_tables(address) ? 0 : 1;
    }
  }
  CHECK(free >= 28);  // most ranges do border on public space
}

TEST_CASE("every IPv6 range that is denied is denied from end to end, with its tier",
          "[turn][P03]") {
  const Fixture world;
  for (const Range& range : hard_v6) {
    for (const IpAddress& address : members(range))
      check_everywhere(world, address, PeerDenial::hard_range);
  }
  for (const Range& range : default_v6) {
    for (const IpAddress& address : members(range))
      check_everywhere(world, address, by_tables(address));
    CHECK(name(by_tables(ip(range.last))) == "special_range");
  }
}

TEST_CASE("one address outside of an IPv6 range its own rule counts", "[turn][P04]") {
  const Fixture world;
  int free = 0;
  for (const Range& range : hard_v6 + default_v6) {
    for (const IpAddress& address : neighbours(range)) {
      check_everywhere(world, address, by_tables(address));
      free += by_tables(address) ? 0 : 1;
    }
  }
  CHECK(free >= 8);
  for (const std::string_view open :
       {"2000::", "2001:200::1", "2003::", "2606:4700::1111", "3ffe::1"}) {
    check_everywhere(world, ip(open), std::nullopt);
  }
}

// --- P05, P06: clothes and metadata --------------------------------------------------------------

TEST_CASE("a denied IPv4 address is denied in every IPv6 embedding", "[turn][P05]") {
  const Fixture world;
  for (const Embedding& embedding : embeddings) {
    for (const IpAddress& inner : denied_v4_boundaries()) {
      const IpAddress address = embedding.embed(inner);
      CAPTURE(embedding.label, inner.to_string(), address.to_string());
      CHECK(embedded_ipv4(address) == inner);
      CHECK(world.verdict({address, 50000}).has_value());
      CHECK(world.verdict({address, 50000}, PeerTransport::tcp).has_value());
      CHECK(world.scope(address) == PermissionScope::nothing);
    }
  }
}

TEST_CASE("opening the outer range does not open the denied IPv4 address inside", "[turn][P05]") {
  const Fixture world{allowing({rule("::/0"), rule("64:ff9b::/96"), rule("64:ff9b:1::/48"),
                                rule("2a00::/16"), rule("2002::/16"), rule("2001::/32")})};
  for (const Embedding& embedding : embeddings) {
    for (const IpAddress& inner : denied_v4_boundaries()) {
      const IpAddress address = embedding.embed(inner);
      CAPTURE(embedding.label, inner.to_string(), address.to_string());
      CHECK(name(world.verdict({address, 50000})) == "hard_range");
      CHECK(world.scope(address) == PermissionScope::nothing);
    }
    // A public address inside is let through where the embedding as such is not hard.
    CAPTURE(embedding.label);
    const IpAddress harmless = embedding.embed(ip("8.8.8.8"));
    CHECK(name(world.verdict({harmless, 50000})) == (embedding.opens ? allowed : "hard_range"));
  }
}

TEST_CASE("what the operator denies, and this host, are denied inside IPv6 as well",
          "[turn][P05]") {
  PeerPolicy::Settings settings = allowing({rule("64:ff9b::/96")}, {rule("8.8.0.0/16")});
  settings.own_addresses = {ip("9.9.9.9")};
  settings.own_listeners = {endpoint("9.9.9.9:3478"), endpoint("[::]:5349")};
  const Fixture world{settings};
  CHECK(name(world.verdict("[64:ff9b::7.7.7.7]:50000")) == allowed);
  CHECK(name(world.verdict("[64:ff9b::8.8.4.4]:50000")) == "hard_range");
  CHECK(name(world.verdict("[2a00::5efe:8.8.4.4]:50000")) == "hard_range");
  CHECK(name(world.verdict("[2a00::200:5efe:7.7.7.7]:50000")) == allowed);
  CHECK(name(world.verdict("[64:ff9b::9.9.9.9]:50000")) == "hard_range");
  CHECK(name(world.verdict("[64:ff9b::9.9.9.9]:3478")) == "own_address");
  CHECK(name(world.verdict("[64:ff9b::9.9.9.9]:5349")) == "own_address");
  CHECK(name(world.verdict("[2a00::5efe:9.9.9.9]:3478")) == "own_address");
  CHECK_FALSE(world.may_permit("64:ff9b::8.8.4.4"));
  CHECK_FALSE(world.may_permit("64:ff9b::9.9.9.9"));

  // Naming the very address opens it, but never a listener.
  settings.allow = {rule("64:ff9b::9.9.9.9/128"), rule("64:ff9b::10.0.0.1/128")};
  const Fixture named{settings};
  CHECK(name(named.verdict("[64:ff9b::9.9.9.9]:50000")) == allowed);
  CHECK(name(named.verdict("[64:ff9b::10.0.0.1]:50000")) == allowed);
  CHECK(name(named.verdict("[64:ff9b::10.0.0.2]:50000")) == "special_range");
  CHECK(name(named.verdict("[64:ff9b::9.9.9.9]:3478")) == "own_address");
}

TEST_CASE("addresses that embed nothing are not taken for such that do", "[turn][P05]") {
  for (const std::string_view plain :
       {"8.8.8.8", "2606:4700::10.0.0.1", "2a00::5eff:10.0.0.1", "2a00::100:5efe:10.0.0.1",
        "2003:a00:1::", "64:ff9c::10.0.0.1",
        // next to what does
        "::1:10.0.0.1", "::fffe:10.0.0.1", "::ffff:1:10.0.0.1", "64:ff9b::1:10.0.0.1",
        "64:ff9b:0:1::10.0.0.1", "64:ff9b:2::10.0.0.1", "2001:1::10.0.0.1"}) {
    CAPTURE(plain);
    CHECK_FALSE(embedded_ipv4(ip(plain)));
  }
  CHECK(name(Fixture{}.verdict("[2606:4700::10.0.0.1]:50000")) == allowed);
}

TEST_CASE("cloud metadata services are denied with no configuration", "[turn][P06]") {
  const auto [address, tier] = GENERATE(table<std::string, std::string>({
      {"169.254.169.254", "hard_range"},     // most clouds
      {"169.254.170.2", "hard_range"},       // ECS tasks
      {"168.63.129.16", "special_range"},    // Azure
      {"192.0.0.192", "special_range"},      // Oracle
      {"100.100.100.200", "special_range"},  // Alibaba
      {"fd00:ec2::254", "special_range"},    // AWS
      {"fd20:ce::254", "special_range"},     // Google
      {"192.0.0.170", "special_range"},      // NAT64 discovery
  }));
  CAPTURE(address);
  const Fixture world;
  check_everywhere(world, ip(address), world.verdict({ip(address), 50000}));
  CHECK(name(world.verdict({ip(address), 80})) == tier);
  CHECK(name(world.verdict({ip(address), 443})) == tier);
}

TEST_CASE("link-local is in the hard tier: allow_peers does not open it", "[turn][P06]") {
  const Fixture world{
      allowing({rule("169.254.0.0/16"), rule("169.254.169.254"), rule("fe80::/10")})};
  CHECK(name(world.verdict("169.254.169.254:50000")) == "hard_range");
  CHECK(name(world.verdict("[fe80::1]:50000")) == "hard_range");
  CHECK_FALSE(world.may_permit("169.254.169.254"));
}

// --- P07: sources --------------------------------------------------------------------------------

TEST_CASE("6to4 and Teredo sources are not served, others are", "[turn][P07][rfc8656-21.4]") {
  for (const Range& range : {Range{"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
                             Range{"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"}}) {
    for (const IpAddress& address : members(range)) CHECK(is_forbidden_source(address));
    for (const IpAddress& address : neighbours(range)) CHECK_FALSE(is_forbidden_source(address));
  }
  for (const std::string_view source :
       {"10.0.0.1", "127.0.0.1", "::1", "2001:db8::1", "32.1.0.0", "32.2.0.0"}) {
    CHECK_FALSE(is_forbidden_source(ip(source)));
  }
}

// --- M08: who gets no answer ---------------------------------------------------------------------

TEST_CASE("the ports of reflectors are those of HOSTILE.md and no others", "[turn][M08]") {
  const std::set<int> reflectors{0, 7, 13, 17, 19, 37, 53, 69, 123, 161, 1900, 5353, 11211};
  for (int port = 0; port <= 0xffff; ++port) {
    const bool is_one = is_reflector_port(static_cast<std::uint16_t>(port));
    if (is_one != reflectors.contains(port)) FAIL_CHECK("port " << port);
  }
}

TEST_CASE("whoever would make a loop or an amplifier of us gets no answer", "[turn][P07][M08]") {
  LiveRelays live{{ip("192.0.2.1")}};
  live.insert(endpoint("192.0.2.1:50000"), {});
  live.insert(endpoint("192.0.2.1:50001"), {}, PeerTransport::tcp);
  struct Row {
    std::string_view client;
    bool over_udp;  // whether it is one over each of the transports
    bool over_dtls;
    bool over_streams;
  };
  const auto row = GENERATE(values<Row>({
      {"198.51.100.7:40000", false, false, false},
      {"[2002::1]:40000", true, true, true},  // a tunnel
      {"[2001::1]:40000", true, true, true},
      {"192.0.2.1:50000", true, true, false},  // a relay of ours
      {"192.0.2.1:50001", false, false, false},
      {"192.0.2.1:50002", false, false, false},
      {"198.51.100.7:53", true, false, false},  // a handshake shows that it is no reflector
      {"198.51.100.7:54", false, false, false},
  }));
  CAPTURE(row.client);
  const Endpoint client = endpoint(row.client);
  CHECK(is_unanswerable(client, Transport::udp, live) == row.over_udp);
  CHECK(is_unanswerable(client, Transport::dtls, live) == row.over_dtls);
  CHECK(is_unanswerable(client, Transport::tcp, live) == row.over_streams);
  CHECK(is_unanswerable(client, Transport::tls, live) == row.over_streams);
}

// --- Ports ---------------------------------------------------------------------------------------

TEST_CASE("peer ports: 443 and 1024 up are open, the rest and port 0 are not", "[turn][P10]") {
  const Fixture world;
  const auto [port, expected] = GENERATE(table<int, std::string>({{0, "port"},
                                                                  {1, "port"},
                                                                  {22, "port"},
                                                                  {442, "port"},
                                                                  {443, allowed},
                                                                  {444, "port"},
                                                                  {1023, "port"},
                                                                  {1024, allowed},
                                                                  {50000, allowed},
                                                                  {65535, allowed}}));
  CAPTURE(port);
  for (const std::string_view peer : {"8.8.8.8", "2606:4700::1111"}) {
    CHECK(name(world.verdict({ip(peer), static_cast<std::uint16_t>(port)})) == expected);
    CHECK(name(world.verdict({ip(peer), static_cast<std::uint16_t>(port)}, PeerTransport::tcp)) ==
          expected);
  }
}

TEST_CASE("relay.peer_ports replaces the open ports", "[turn]") {
  PeerPolicy::Settings settings;
  settings.peer_ports = {{53, 53}, {0, 10}};
  const Fixture world{settings};
  CHECK(name(world.verdict("8.8.8.8:53")) == allowed);
  CHECK(name(world.verdict("8.8.8.8:10")) == allowed);
  CHECK(name(world.verdict("8.8.8.8:443")) == "port");
  CHECK(name(world.verdict("8.8.8.8:50000")) == "port");
  CHECK(name(world.verdict("8.8.8.8:0")) == "port");  // never, whatever is listed
}

TEST_CASE("port 0 is refused whatever is allowed", "[turn][P10]") {
  PeerPolicy::Settings settings = allowing({rule("10.0.0.0/8"), rule("10.0.0.1", {0, 65535})});
  settings.insecure_allow = {cidr("0.0.0.0/0")};
  const Fixture world{settings};
  CHECK(name(world.verdict("10.0.0.1:0")) == "port");
  CHECK(name(world.verdict("127.0.0.1:0")) == "port");
}

// --- allow_peers and deny_peers ------------------------------------------------------------------

TEST_CASE("allow_peers opens the default tier, exactly as far as the rule says", "[turn]") {
  const Fixture world{allowing({rule("10.20.0.0/16", {10000, 20000}, PeerTransport::udp),
                                rule("10.21.0.0/16", {22, 22}, PeerTransport::tcp),
                                rule("10.22.0.0/16"), rule("fd00::/8", {5000, 6000})})};
  const auto [peer, udp, tcp] = GENERATE(table<std::string, std::string, std::string>({
      {"10.20.0.0:10000", allowed, "special_range"},
      {"10.20.255.255:20000", allowed, "special_range"},
      {"10.20.1.1:9999", "special_range", "special_range"},
      {"10.20.1.1:20001", "special_range", "special_range"},
      {"10.19.255.255:15000", "special_range", "special_range"},
      {"10.21.1.1:22", "special_range", allowed},  // a rule that names a port opens it
      {"10.21.1.1:23", "special_range", "special_range"},
      {"10.22.1.1:50000", allowed, allowed},
      {"10.22.1.1:443", allowed, allowed},
      {"10.22.1.1:22", "port", "port"},  // one that names none leaves peer_ports in force
      {"[fd12::1]:5500", allowed, allowed},
      {"[fd12::1]:6001", "special_range", "special_range"},
      {"[fc12::1]:5500", "special_range", "special_range"},
  }));
  CAPTURE(peer);
  CHECK(name(world.verdict(peer, PeerTransport::udp)) == udp);
  CHECK(name(world.verdict(peer, PeerTransport::tcp)) == tcp);
}

TEST_CASE("a permission may exist when some port of the address is open", "[turn]") {
  const Fixture world{
      allowing({rule("10.20.0.0/16", {10000, 20000}, PeerTransport::udp)},
               {rule("8.8.8.8"), rule("9.9.9.9", {53, 53}),
                rule("7.7.7.7", {1, 2}, PeerTransport::tcp), rule("6.6.6.6"),
                rule("6.6.6.6", {53, 53}), rule("5.5.0.0/16"), rule("5.5.5.0/24", {53, 53})})};
  CHECK(world.may_permit("10.20.0.1"));
  CHECK_FALSE(world.may_permit("10.20.0.1", PeerTransport::tcp));
  CHECK_FALSE(world.may_permit("10.21.0.1"));
  CHECK_FALSE(world.may_permit("8.8.8.8"));
  CHECK(world.may_permit("9.9.9.9"));
  CHECK(world.may_permit("7.7.7.7", PeerTransport::tcp));
  // A narrower denial of one port does not hide the wider one of all ports.
  CHECK_FALSE(world.may_permit("6.6.6.6"));
  CHECK_FALSE(world.may_permit("5.5.5.5"));
}

TEST_CASE("deny_peers closes public addresses", "[turn]") {
  const Fixture world{allowing({}, {rule("8.8.8.0/24"), rule("9.9.9.9", {53, 53}),
                                    rule("7.7.7.7", {7000, 8000}, PeerTransport::tcp)})};
  CHECK(name(world.verdict("8.8.8.8:50000")) == "rule");
  CHECK(name(world.verdict("8.8.9.0:50000")) == allowed);
  CHECK(name(world.verdict("9.9.9.9:53")) == "rule");
  CHECK(name(world.verdict("9.9.9.9:5300")) == allowed);
  CHECK(name(world.verdict("7.7.7.7:7500", PeerTransport::tcp)) == "rule");
  CHECK(name(world.verdict("7.7.7.7:7500", PeerTransport::udp)) == allowed);
  CHECK(name(world.verdict("7.7.7.7:8001", PeerTransport::tcp)) == allowed);
}

TEST_CASE("the longest prefix wins and of equals the denial", "[turn]") {
  const Fixture world{allowing({rule("10.1.0.0/16"), rule("10.1.2.3"), rule("10.3.0.0/16")},
                               {rule("10.0.0.0/8"), rule("10.1.2.0/24"), rule("10.3.0.0/16")})};
  CHECK(name(world.verdict("10.1.1.1:50000")) == allowed);  // /16 over /8
  CHECK(name(world.verdict("10.1.2.1:50000")) == "rule");   // /24 over /16
  CHECK(name(world.verdict("10.1.2.3:50000")) == allowed);  // /32 over /24
  CHECK(name(world.verdict("10.2.0.1:50000")) == "rule");   // only /8
  CHECK(name(world.verdict("10.3.0.1:50000")) == "rule");   // a tie
  CHECK_FALSE(world.may_permit("10.1.2.1"));
  CHECK(world.may_permit("10.1.2.3"));
  CHECK_FALSE(world.may_permit("10.3.0.1"));
}

TEST_CASE("the order in which rules are written does not matter", "[turn]") {
  std::vector<PeerRule> rules{rule("10.1.0.0/16"), rule("10.1.0.0/16", {22, 22}),
                              rule("10.0.0.0/8", {23, 23}), rule("10.1.2.3", {24, 24})};
  const auto less = [](const PeerRule& a, const PeerRule& b) {
    return std::pair{a.prefix.length(), a.ports.has_value()} <
           std::pair{b.prefix.length(), b.ports.has_value()};
  };
  std::sort(rules.begin(), rules.end(), less);
  do {
    const Fixture world{allowing(rules)};
    REQUIRE(name(world.verdict("10.1.1.1:50000")) == allowed);
    REQUIRE(name(world.verdict("10.1.1.1:22")) == allowed);
    REQUIRE(name(world.verdict("10.1.1.1:23")) == "port");  // the longest prefix names no port
    REQUIRE(name(world.verdict("10.2.1.1:23")) == allowed);
    REQUIRE(name(world.verdict("10.1.2.3:24")) == allowed);
    REQUIRE(name(world.verdict("10.1.1.1:24")) == "port");
  } while (std::next_permutation(rules.begin(), rules.end(), less));
}

TEST_CASE("no rule from the file opens the hard tier", "[turn][P01]") {
  const Fixture world{allowing({rule("0.0.0.0/0"), rule("::/0"), rule("127.0.0.1"), rule("::1"),
                                rule("127.0.0.1", {1, 65535})})};
  for (const Range& range : hard) {
    for (const IpAddress& address : members(range))
      check_everywhere(world, address, PeerDenial::hard_range);
  }
}

TEST_CASE("without the rule that opened it a peer is denied", "[turn][P12]") {
  CHECK(name(Fixture{allowing({rule("10.0.0.0/8")})}.verdict("10.0.0.1:50000")) == allowed);
  CHECK(name(Fixture{allowing({})}.verdict("10.0.0.1:50000")) == "special_range");
}

// --- P11: this host ------------------------------------------------------------------------------

TEST_CASE("own addresses are denied on every port", "[turn][P11]") {
  PeerPolicy::Settings settings;
  settings.own_addresses = {ip("9.9.9.9"), ip("2606:4700::1"), ip("10.0.0.5")};
  const Fixture world{settings};
  for (const std::uint16_t port :
       std::initializer_list<std::uint16_t>{22, 443, 3478, 5349, 9090, 65535}) {
    CHECK(name(world.verdict({ip("9.9.9.9"), port})) == "own_address");
    CHECK(name(world.verdict({ip("2606:4700::1"), port})) == "own_address");
    CHECK(name(world.verdict({ip("10.0.0.5"), port})) == "own_address");
  }
  CHECK_FALSE(world.may_permit("9.9.9.9"));
  CHECK_FALSE(world.may_permit("2606:4700::1"));
  CHECK(name(world.verdict("9.9.9.8:50000")) == allowed);
}

TEST_CASE("only a rule for the very address opens an own address, and never a listener",
          "[turn][P11]") {
  PeerPolicy::Settings settings =
      allowing({rule("10.0.0.0/8"), rule("0.0.0.0/0"), rule("10.0.0.4/31"), rule("10.0.0.6")});
  settings.own_addresses = {ip("10.0.0.5"), ip("10.0.0.6")};
  settings.own_listeners = {endpoint("10.0.0.6:3478"), endpoint("10.0.0.7:6379")};
  const Fixture world{settings};
  CHECK(name(world.verdict("10.0.0.5:50000")) == "own_address");  // /31 is no host
  CHECK_FALSE(world.may_permit("10.0.0.5"));
  CHECK(name(world.verdict("10.0.0.6:50000")) == allowed);
  CHECK(world.may_permit("10.0.0.6"));
  CHECK(name(world.verdict("10.0.0.6:22")) == "port");
  CHECK(name(world.verdict("10.0.0.6:3478")) == "own_address");
  CHECK(name(world.verdict("10.0.0.6:3478", PeerTransport::tcp)) == "own_address");
  CHECK(name(world.verdict("10.0.0.7:6379")) == "own_address");  // our database on another host
  CHECK(name(world.verdict("10.0.0.7:6380")) == allowed);
}

TEST_CASE("a rule with ports for the very address opens those ports only", "[turn][P11]") {
  PeerPolicy::Settings settings = allowing({rule("10.0.0.5", {8000, 8001})});
  settings.own_addresses = {ip("10.0.0.5")};
  const Fixture world{settings};
  CHECK(name(world.verdict("10.0.0.5:8000")) == allowed);
  CHECK(name(world.verdict("10.0.0.5:8002")) == "own_address");
}

TEST_CASE("a wildcard listener counts for every address of this host", "[turn][P11]") {
  PeerPolicy::Settings settings = allowing({rule("10.0.0.5"), rule("2606:4700::1")});
  settings.own_addresses = {ip("10.0.0.5"), ip("2606:4700::1")};
  settings.own_listeners = {GENERATE(endpoint("0.0.0.0:8443"), endpoint("[::]:8443"))};
  const Fixture world{settings};
  CHECK(name(world.verdict("10.0.0.5:8443")) == "own_address");
  CHECK(name(world.verdict("[2606:4700::1]:8443")) == "own_address");
  CHECK(name(world.verdict("10.0.0.5:8444")) == allowed);
  CHECK(name(world.verdict("8.8.8.8:8443")) == allowed);  // not this host
}

// --- --insecure-allow-peers ----------------------------------------------------------------------

TEST_CASE("--insecure-allow-peers opens the hard tier, its ports and this host, but no listener",
          "[turn]") {
  PeerPolicy::Settings settings = allowing({}, {rule("127.0.0.2")});
  settings.insecure_allow = {cidr("127.0.0.0/8"), cidr("::1/128")};
  settings.own_addresses = {ip("127.0.0.1"), ip("::1")};
  settings.own_listeners = {endpoint("127.0.0.1:3478"), endpoint("[::]:5349")};
  const Fixture world{settings};
  CHECK(name(world.verdict("127.0.0.1:50000")) == allowed);
  CHECK(name(world.verdict("127.0.0.1:22")) == allowed);
  CHECK(name(world.verdict("127.0.0.2:50000")) == allowed);
  CHECK(name(world.verdict("[::1]:50000")) == allowed);
  CHECK(world.may_permit("127.255.255.255"));
  CHECK(name(world.verdict("127.0.0.1:3478")) == "own_address");
  CHECK(name(world.verdict("127.0.0.1:5349")) == "own_address");
  CHECK(name(world.verdict("127.8.8.8:5349")) == "own_address");  // all of 127/8 reaches a wildcard
  CHECK(name(world.verdict("[::1]:5349")) == "own_address");
  CHECK(name(world.verdict("127.8.8.8:3478")) == allowed);
  // Nothing else has changed.
  CHECK(name(world.verdict("128.0.0.0:50000")) == allowed);
  CHECK(name(world.verdict("126.255.255.255:22")) == "port");
  CHECK(name(world.verdict("[::2]:50000")) == "hard_range");
  CHECK(name(world.verdict("[::ffff:127.0.0.1]:50000")) == "hard_range");
  CHECK(name(world.verdict("10.0.0.1:50000")) == "special_range");
}

TEST_CASE("'any' as a destination does not lead to a wildcard listener", "[turn][P11]") {
  PeerPolicy::Settings settings;
  settings.insecure_allow = {cidr("0.0.0.0/0"), cidr("::/0")};
  settings.own_listeners = {GENERATE(endpoint("0.0.0.0:3478"), endpoint("[::]:3478"))};
  const Fixture world{settings};
  CHECK(name(world.verdict("0.0.0.0:3478")) == "own_address");
  CHECK(name(world.verdict("[::]:3478")) == "own_address");
  CHECK(name(world.verdict("[::ffff:127.0.0.1]:3478")) == "own_address");
  CHECK(name(world.verdict("0.0.0.0:3479")) == allowed);
}

// --- Live relays ---------------------------------------------------------------------------------

TEST_CASE("a live relay here is always allowed, and only while it lives", "[turn][P11]") {
  const auto address = GENERATE(as<std::string>{}, "192.0.2.1", "2001:db8::1", "127.0.0.1");
  PeerPolicy::Settings settings = allowing({}, {rule("192.0.2.0/24"), rule("2001:db8::/32")});
  settings.own_addresses = {ip(address)};
  Fixture world{settings};
  const Endpoint relay{ip(address), 50000};
  REQUIRE(world.verdict(relay).has_value());
  REQUIRE_FALSE(world.may_permit(address));

  world.live.insert(relay, {});
  const auto permitted = world.policy.check(relay, PeerTransport::udp);
  REQUIRE(permitted);
  CHECK(permitted->endpoint() == relay);
  CHECK(world.policy.still_permits(*permitted));
  CHECK(world.policy.scope_of(relay.address, PeerTransport::udp) ==
        PermissionScope::only_live_relays);
  // Neither its neighbours nor its TCP side.
  CHECK(world.verdict({relay.address, 50001}).has_value());
  CHECK(world.verdict(relay, PeerTransport::tcp).has_value());
  CHECK_FALSE(world.may_permit(address, PeerTransport::tcp));

  world.live.erase(relay);
  CHECK_FALSE(world.policy.still_permits(*permitted));
  CHECK(world.verdict(relay).has_value());
  CHECK_FALSE(world.may_permit(address));

  // The port's next owner is a live relay again.
  world.live.insert(relay, {});
  CHECK(world.policy.still_permits(*permitted));
}

TEST_CASE("where the rules open an address its permission is for all peers there", "[turn]") {
  PeerPolicy::Settings settings = allowing({rule("192.0.2.1")});
  settings.own_addresses = {ip("192.0.2.1")};
  Fixture world{settings};
  CHECK(world.scope(ip("192.0.2.1")) == PermissionScope::peers);
  world.live.insert(endpoint("192.0.2.1:50000"), {});
  CHECK(world.scope(ip("192.0.2.1")) == PermissionScope::peers);
}

TEST_CASE("a peer that the rules let through stays permitted", "[turn]") {
  const Fixture world;
  const auto permitted = world.policy.check(endpoint("8.8.8.8:50000"), PeerTransport::udp);
  REQUIRE(permitted);
  CHECK(permitted->endpoint() == endpoint("8.8.8.8:50000"));
  CHECK(world.policy.still_permits(*permitted));
}

// --- P13, P14 and what holds for all of it -------------------------------------------------------

TEST_CASE("only the policy makes a permitted peer of an endpoint", "[turn][P13]") {
  STATIC_REQUIRE_FALSE(std::is_constructible_v<PermittedPeer, Endpoint>);
  STATIC_REQUIRE_FALSE(std::is_constructible_v<PermittedPeer, Endpoint, bool>);
  STATIC_REQUIRE_FALSE(std::is_aggregate_v<PermittedPeer>);
  STATIC_REQUIRE_FALSE(
      std::is_assignable_v<decltype(std::declval<PermittedPeer&>().endpoint()), Endpoint>);
  CHECK(PermittedPeer{}.endpoint() == endpoint("0.0.0.0:0"));
}

TEST_CASE("the settings without any configuration are the strict ones", "[turn][P14]") {
  const PeerPolicy::Settings settings;
  CHECK(settings.allow.empty());
  CHECK(settings.insecure_allow.empty());
  CHECK(settings.peer_ports == std::vector<PortRange>{{443, 443}, {1024, 65535}});
}

TEST_CASE("where some port is allowed a permission may exist", "[turn]") {
  const std::uint64_t seed = test::seed_or(14);
  CAPTURE(seed);
  test::SeededRandom random{seed};
  const auto random_rule = [&random] {
    const auto bits = static_cast<unsigned>(28 + random.below(5));
    const auto base = static_cast<std::uint32_t>((10U << 24) + random.below(8));
    const std::uint32_t mask = ~std::uint32_t{0} << (32 - bits);
    PeerRule made{IpPrefix{IpAddress::v4(base & mask), bits}, std::nullopt, std::nullopt};
    const auto low = static_cast<std::uint16_t>(1 + random.below(3));
    if (random.below(2) == 0)
      made.ports = PortRange{low, static_cast<std::uint16_t>(low + random.below(2))};
    if (random.below(3) == 0) made.transport = PeerTransport::udp;
    return made;
  };
  for (int round = 0; round < 3000; ++round) {
    PeerPolicy::Settings settings;
    settings.peer_ports = {{2, 4}};
    for (std::uint64_t i = random.below(4); i > 0; --i) settings.allow.push_back(random_rule());
    for (std::uint64_t i = random.below(3); i > 0; --i) settings.deny.push_back(random_rule());
    if (random.below(4) == 0) settings.own_addresses = {IpAddress::v4(10U << 24)};
    const Fixture world{settings};
    const IpAddress address =
        IpAddress::v4(static_cast<std::uint32_t>((10U << 24) + random.below(8)));
    bool any = false;
    for (std::uint16_t port = 0; port < 8; ++port) any = any || !world.verdict({address, port});
    if (any) REQUIRE(world.scope(address) == PermissionScope::peers);
  }
}

}  // namespace turnpike::turn
