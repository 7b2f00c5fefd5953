// Every way to a peer against every range that is denied: CreatePermission, ChannelBind, Send,
// ChannelData and Connect, and what was let through before a reload.
#include <array>
#include <vector>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

constexpr std::array ranges{
    // opened by nothing but --insecure-allow-peers
    "0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4", "::/96",
    "::ffff:0:0/96", "::ffff:0:0:0/96", "2001::/32", "2002::/16", "fe80::/10", "ff00::/8",
    // opened by relay.allow_peers
    "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
    "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "168.63.129.16/32", "64:ff9b::/96",
    "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "5f00::/16", "fc00::/7", "fec0::/10",
    "4000::/3", "2001::/23", "2001:db8::/32", "3fff::/20", "2620:4f:8000::/48",
    // the metadata services of the large clouds
    "169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "192.0.0.192", "100.100.100.200"};

/// Denied IPv4 addresses as they hide in IPv6: mapped, compatible, translated, NAT64, local NAT64,
/// 6to4, Teredo (inverted), ISATAP.
constexpr std::array embedded{"::ffff:10.0.0.1",
                              "::127.0.0.1",
                              "::ffff:0:169.254.169.254",
                              "64:ff9b::a00:1",
                              "64:ff9b:1::c0a8:101",
                              "2002:7f00:1::",
                              "2001:0:0808:0808::f5ff:fffe",
                              "2606:4700::5efe:a00:1",
                              "2606:4700::200:5efe:7f00:1"};

/// An address in `prefix`: the bits that it leaves open are those of `filling`.
IpAddress inside(const IpPrefix& prefix, const std::array<std::uint8_t, 16>& filling) {
  std::array<std::uint8_t, 16> bytes{};
  const ByteView first = prefix.address().bytes();
  for (unsigned i = 0; i < first.size() * 8; ++i) {
    const auto bit = static_cast<std::uint8_t>(0x80 >> (i % 8));
    const std::uint8_t source = i < prefix.length() ? first[i / 8] : filling[i / 8];
    bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (source & bit));
  }
  return IpAddress::from_bytes(prefix.address().family(), ByteView{bytes}.first(first.size()));
}

/// The first and the last address of every range, one within, and the embedded ones.
std::vector<IpAddress> denied_peers() {
  std::array<std::uint8_t, 16> none{};
  std::array<std::uint8_t, 16> all{};
  std::array<std::uint8_t, 16> some{};
  all.fill(0xff);
  SeededRandom random{seed_or(1)};
  std::vector<IpAddress> peers;
  for (const char* range : ranges) {
    const IpPrefix prefix = IpPrefix::parse(range).value();
    do {
      random.fill(some);
    } while (inside(prefix, some) == address("192.0.2.1"));  // where this server's relays are
    for (const auto* filling : {&none, &some, &all}) peers.push_back(inside(prefix, *filling));
  }
  for (const char* text : embedded) peers.push_back(address(text));
  return peers;
}

WorldSettings for_everything() {
  WorldSettings settings;
  settings.tcp_relays = true;
  settings.limits.max_permissions = 1000;
  settings.limits.max_channels = 1000;
  return settings;
}

/// A client for each kind of relay.
struct Clients {
  explicit Clients(World& world)
      : udp(world.client("198.51.100.7:4000")),
        tcp_v4(world.client("198.51.100.7:4001", Transport::tcp)),
        tcp_v6(world.client("198.51.100.7:4002", Transport::tcp)) {
    REQUIRE(udp.allocate(with_additional(Family::ipv6)).code() == ok);
    REQUIRE(tcp_v4.allocate_tcp().code() == ok);
    REQUIRE(tcp_v6.allocate_tcp(with_family(Family::ipv6)).code() == ok);
  }
  /// Whoever could connect to `peer`.
  Client& tcp(const IpAddress& peer) { return peer.family() == Family::ipv4 ? tcp_v4 : tcp_v6; }

  Client udp;
  Client tcp_v4;
  Client tcp_v6;
};

}  // namespace

TEST_CASE("every denied range is refused on every path, from its first to its last address",
          "[turn][rfc8656-10.2][c45][c57][P01][P02][P03][P04][P05][P06][P09]") {
  World world{for_everything()};
  Clients clients{world};
  const Balance before = world.balance();
  for (const IpAddress& peer : denied_peers()) {
    const std::string at = Endpoint{peer, 5000}.to_string();
    CAPTURE(at);
    CHECK(clients.udp.permit(peer.to_string()).code() == 403);
    CHECK(clients.udp.bind_channel(0x4000, at).code() == 403);
    CHECK(clients.udp.send(at, "hi") == Reason::dropped_no_permission);
    CHECK(clients.udp.send_channel(0x4000, "hi") == Reason::dropped_unbound_channel);
    CHECK(clients.tcp(peer).permit(peer.to_string()).code() == 403);
    CHECK(clients.tcp(peer).connect(at).code() == 403);
    CHECK(world.peer_sends(at, clients.udp, "hi") == Reason::dropped_no_permission);
  }
  CHECK(world.connecting().empty());
  CHECK(world.balance() == before);
}

TEST_CASE("every denied range that was open is closed on every path by a reload",
          "[turn][c57][P01][P02][P03][P04][P05][P06][P12]") {
  WorldSettings settings = for_everything();
  settings.policy.insecure_allow = {IpPrefix::parse("0.0.0.0/0").value(),
                                    IpPrefix::parse("::/0").value()};
  World world{settings};
  Clients clients{world};
  std::uint16_t channel = 0x4000;
  const auto peers = denied_peers();
  for (const IpAddress& peer : peers) {
    const std::string at = Endpoint{peer, 5000}.to_string();
    CAPTURE(at);
    REQUIRE(clients.udp.permit(peer.to_string()).code() == ok);
    const int bound = clients.udp.bind_channel(channel, at).code();
    if (bound == ok) ++channel;  // the same address may be in two ranges
    REQUIRE(clients.udp.send(at, "hi") == Reason::relayed_to_peer);
    REQUIRE(world.peer_sends(at, clients.udp, "hi") == Reason::relayed_to_client);
  }
  clients.tcp_v4.connect("10.0.0.1:5000");
  REQUIRE(world.answer_connect(turn::ConnectOutcome::connected) == Reason::answered_connected);
  REQUIRE(clients.tcp_v4.receive()->code() == ok);
  REQUIRE(world.balance().peers == 1);

  world.use_policy(WorldSettings::default_policy());
  for (const IpAddress& peer : peers) {
    const std::string at = Endpoint{peer, 5000}.to_string();
    CAPTURE(at);
    CHECK(clients.udp.send(at, "hi") == Reason::dropped_no_permission);
    CHECK(world.peer_sends(at, clients.udp, "hi") == Reason::dropped_no_permission);
    CHECK(clients.udp.permit(peer.to_string()).code() == 403);
    CHECK(clients.tcp(peer).connect(at).code() == 403);
  }
  for (std::uint16_t number = 0x4000; number < channel; ++number) {
    CHECK(clients.udp.send_channel(number, "hi") == Reason::dropped_unbound_channel);
  }
  CHECK(world.balance().peers == 0);
}

TEST_CASE("a host with IPv6 alone and nothing configured denies the same", "[turn][P14]") {
  WorldSettings settings;
  settings.policy = {};
  settings.relays = {{address("2001:db8::1"), address("2001:db8::1")}};
  World world{settings};
  auto alice = world.client("[2606:4700::7]:4000");
  REQUIRE(alice.allocate(with_family(Family::ipv6)).code() == ok);
  for (const IpAddress& peer : denied_peers()) {
    const std::string at = Endpoint{peer, 5000}.to_string();
    CAPTURE(at);
    // RFC 8656 §10.2: a peer of a family without a relay is 443, denied or not.
    const int expected = peer.family() == Family::ipv4 ? 443 : 403;
    CHECK(alice.permit(peer.to_string()).code() == expected);
    CHECK(alice.bind_channel(0x4000, at).code() == expected);
    CHECK(alice.send(at, "hi") == (peer.family() == Family::ipv4 ? Reason::dropped_peer_family
                                                                 : Reason::dropped_no_permission));
  }
  CHECK(alice.permit("2606:4700::8").code() == ok);
}

}  // namespace turnpike::test
