#include "server/config_load.h"

#include <unistd.h>

#include <sstream>

#include "catch.h"
#include "server/scratch_directory.h"

using namespace turnpike;
using namespace turnpike::server;
using turnpike::test::ScratchDirectory;

namespace {

const std::string good_secret = "0123456789abcdef-0123456789ABCDEF-fedcba";
const std::string some_auth = "auth.secrets = [{ id = \"a\", value = \"" + good_secret + "\" }]\n";

using Environment = std::map<std::string, std::string>;

/// Loads `text` as the file "t.toml", credentials not needed.
ConfigResult load(const std::string& text, Environment environment = {},
                  std::vector<std::pair<std::string, std::string>> settings = {}) {
  ConfigSources sources;
  sources.file = ConfigFile{"t.toml", text};
  sources.environment = std::move(environment);
  sources.settings = std::move(settings);
  sources.require_credentials = false;
  return load_config(sources);
}

Config loaded(const std::string& text, const Environment& environment = {},
              const std::vector<std::pair<std::string, std::string>>& settings = {}) {
  const auto result = load(text, environment, settings);
  if (!result) FAIL(result.error().front().to_string());
  return result->config;
}

/// The sentences of a refusal, one per line.
std::string refusal(const ConfigResult& result) {
  if (result) return "(accepted)";
  std::string text;
  for (const ConfigError& error : result.error())
    text += (text.empty() ? "" : "\n") + error.to_string();
  return text;
}

std::string refusal(const std::string& text, const Environment& environment = {}) {
  return refusal(load(text, environment));
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A certificate and a key, as far as the configuration looks at them.
struct TlsFiles {
  explicit TlsFiles(const ScratchDirectory& directory)
      : certificate(directory.write("certificate.pem", "-", 0644)),
        key(directory.write("key.pem", "-", 0600)) {}

  /// The lines that name both, for the top of a file.
  [[nodiscard]] std::string section() const {
    return "tls.certificate = \"" + certificate + "\"\ntls.key = \"" + key + "\"\n";
  }

  std::string certificate;
  std::string key;
};

TEST_CASE("bandwidths are written with a unit, and shown as they are written", "[server][config]") {
  for (const std::string_view text : {"0", "8kbit", "1500kbit", "4mbit", "1gbit", "1000gbit"}) {
    CHECK(bandwidth_text(parse_bandwidth(text).value()) == text);
  }
  CHECK(parse_bandwidth("4mbit").value() == 4'000'000);
  CHECK(bandwidth_text(parse_bandwidth("1000kbit").value()) == "1mbit");
  for (const std::string_view text :
       {"", "4", "mbit", "-4mbit", "4 mbit", "4MB", "4.5mbit", "4mbits", "0mbit", "7kbit",
        "1001gbit", "99999999999999999999gbit"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_bandwidth(text));
  }
  CHECK(refusal("[relay]\nbandwidth_total = 100\n") ==
        "t.toml:2:19: relay.bandwidth_total: the number 100 has no unit; write \"100mbit\" if "
        "megabits a second are meant");
  CHECK(
      refusal("[relay]\nbandwidth_per_user = \"4mb\"\n") ==
      "t.toml:2:22: relay.bandwidth_per_user: \"4mb\" is no bandwidth; write a whole number and a "
      "unit, for example \"4mbit\", or \"0\" for no limit");
  CHECK(contains(refusal("[relay]\nbandwidth_per_allocation = \"1kbit\"\n"), "out of range"));
}

}  // namespace

// --- Values
// ----------------------------------------------------------------------------------------

TEST_CASE("an empty file gives the documented defaults", "[server][config][H10]") {
  const Config config = loaded("");
  CHECK(config.listen.udp == std::vector{ListenAddress{std::nullopt, 3478}});
  CHECK(config.listen.tcp == std::vector{ListenAddress{std::nullopt, 3478}});
  CHECK(config.listen.tls.empty());
  CHECK(config.listen.dtls.empty());
  CHECK_FALSE(config.tls.is_configured());
  CHECK(config.relay.ports == PortRange{49152, 65535});
  CHECK(config.relay.peer_ports == std::vector{PortRange{443, 443}, PortRange{1024, 65535}});
  CHECK(config.relay.max_allocations_per_user == 12);
  CHECK(config.relay.max_allocations_per_network == 2000);
  CHECK(config.relay.max_permissions_per_allocation == 64);
  CHECK(config.relay.max_channels_per_allocation == 64);
  CHECK(config.relay.new_peers_per_second == 10);
  CHECK(config.relay.bandwidth_per_allocation == 0);
  CHECK(config.relay.bandwidth_per_user == 0);
  CHECK(config.relay.bandwidth_total == 0);
  CHECK(config.relay.max_lifetime == seconds{3600});
  CHECK_FALSE(config.relay.tcp);
  CHECK_FALSE(config.relay.mobility);
  CHECK(config.limits.challenge_rate == 50);
  CHECK(config.limits.tcp_connections_per_address == 64);
  CHECK(config.limits.handshake_rate == 200);
  CHECK(config.limits.handshake_rate_total == 240);
  CHECK(config.limits.unauthenticated_timeout == seconds{10});
  CHECK(config.auth.nonce_lifetime == seconds{600});
  CHECK(config.metrics.listen == ListenAddress{IpAddress::parse("127.0.0.1"), 9641});
  CHECK(config.public_ip.empty());
  CHECK(config.effective_realm() == "turnpike");
}

TEST_CASE("every key is read", "[server][config]") {
  const ScratchDirectory directory;
  const TlsFiles tls{directory};
  const Config config = loaded(tls.section() + R"(
domain = "turn.example.com"
realm = "example.com"
public_ip = ["203.0.113.11", "2001:db8::1"]
workers = 4
[listen]
udp = [":3478", "192.0.2.1:3479", "[::1]:3480"]
tcp = [":3478"]
tls = ["192.0.2.1:443", "[::1]:5349"]
dtls = [":3478", "[::1]:5349"]
[nat_discovery]
addresses = ["192.0.2.1", "10.0.0.6/203.0.113.11", "2001:db8::1", "2001:db8::2"]
ports = [3478, 3479]
[relay]
addresses = ["192.0.2.1"]
ports = "50000-50999"
allow_peers = ["10.1.2.0/24:5000-6000/udp", "[fd00:1234::/32]:1000-2000/tcp", "192.168.7.7"]
deny_peers = ["198.51.100.0/24", "2001:db8::/32"]
peer_ports = "443, 1024-65535"
address_family = "follow-client"
max_allocations = 1000
max_allocations_per_user = 3
max_allocations_per_network = 500
max_permissions_per_allocation = 100
max_channels_per_allocation = 200
new_peers_per_second = 20
bandwidth_per_allocation = "4mbit"
bandwidth_per_user = "1500kbit"
bandwidth_total = "2gbit"
max_lifetime = "90m"
alternate_servers = ["203.0.113.5:3478", "[2001:db8::5]:3478"]
alternate_tls_servers = ["203.0.113.5:5349"]
alternate_domain = "turn2.example.com"
tcp = true
mobility = true
[limits]
challenge_rate = 0
tcp_connections_per_address = 0
handshake_rate = 7
handshake_rate_total = 8
unauthenticated_timeout = "5m"
[auth]
credential_ttl = "12h"
strict_expiry = true
users = [{ name = "alice", password = "wonderland" }]
algorithms = ["sha256"]
nonce_lifetime = "60s"
[[auth.secrets]]
id = "2026-11"
value = "0123456789abcdef-0123456789ABCDEF-fedcba"
[log]
level = "debug"
format = "json"
)");
  CHECK(config.domain == "turn.example.com");
  CHECK(config.effective_realm() == "example.com");
  CHECK(config.public_ip ==
        std::vector{*IpAddress::parse("203.0.113.11"), *IpAddress::parse("2001:db8::1")});
  CHECK(config.workers == 4);
  CHECK(config.listen.udp == std::vector{ListenAddress{std::nullopt, 3478},
                                         ListenAddress{IpAddress::parse("192.0.2.1"), 3479},
                                         ListenAddress{IpAddress::parse("::1"), 3480}});
  CHECK(config.listen.tcp == std::vector{ListenAddress{std::nullopt, 3478}});
  CHECK(config.listen.tls == std::vector{ListenAddress{IpAddress::parse("192.0.2.1"), 443},
                                         ListenAddress{IpAddress::parse("::1"), 5349}});
  CHECK(config.listen.dtls == std::vector{ListenAddress{std::nullopt, 3478},
                                          ListenAddress{IpAddress::parse("::1"), 5349}});
  CHECK(config.limits.handshake_rate == 7);
  CHECK(config.limits.handshake_rate_total == 8);
  CHECK(config.tls.certificate == tls.certificate);
  CHECK(config.tls.key == tls.key);
  const auto same = [](const char* text) {
    return DiscoveryAddress{*IpAddress::parse(text), *IpAddress::parse(text)};
  };
  CHECK(config.nat_discovery.addresses ==
        std::vector{
            same("192.0.2.1"),
            DiscoveryAddress{*IpAddress::parse("10.0.0.6"), *IpAddress::parse("203.0.113.11")},
            same("2001:db8::1"), same("2001:db8::2")});
  CHECK(config.nat_discovery.ports == std::vector<std::uint16_t>{3478, 3479});
  CHECK(config.relay.addresses == std::vector{*IpAddress::parse("192.0.2.1")});
  CHECK(config.relay.ports == PortRange{50000, 50999});
  REQUIRE(config.relay.allow_peers.size() == 3);
  CHECK(config.relay.allow_peers[0] == turn::PeerRule{*IpPrefix::parse("10.1.2.0/24"),
                                                      PortRange{5000, 6000},
                                                      turn::PeerTransport::udp});
  CHECK(config.relay.allow_peers[1] == turn::PeerRule{*IpPrefix::parse("fd00:1234::/32"),
                                                      PortRange{1000, 2000},
                                                      turn::PeerTransport::tcp});
  CHECK(config.relay.allow_peers[2] ==
        turn::PeerRule{*IpPrefix::parse("192.168.7.7"), std::nullopt, std::nullopt});
  CHECK(config.relay.deny_peers[1] ==
        turn::PeerRule{*IpPrefix::parse("2001:db8::/32"), std::nullopt, std::nullopt});
  CHECK(config.relay.address_family == AddressFamilyPolicy::follow_client);
  CHECK(config.relay.max_allocations == 1000);
  CHECK(config.relay.max_allocations_per_user == 3);
  CHECK(config.relay.max_allocations_per_network == 500);
  CHECK(config.relay.max_permissions_per_allocation == 100);
  CHECK(config.relay.max_channels_per_allocation == 200);
  CHECK(config.relay.new_peers_per_second == 20);
  CHECK(config.relay.bandwidth_per_allocation == 4'000'000);
  CHECK(config.relay.bandwidth_per_user == 1'500'000);
  CHECK(config.relay.bandwidth_total == 2'000'000'000);
  CHECK(config.relay.max_lifetime == seconds{5400});
  CHECK(config.relay.alternate_servers ==
        std::vector{*Endpoint::parse("203.0.113.5:3478"), *Endpoint::parse("[2001:db8::5]:3478")});
  CHECK(config.relay.alternate_tls_servers == std::vector{*Endpoint::parse("203.0.113.5:5349")});
  CHECK(config.relay.alternate_domain == "turn2.example.com");
  CHECK(config.relay.tcp);
  CHECK(config.relay.mobility);
  CHECK(config.limits.challenge_rate == 0);
  CHECK(config.limits.tcp_connections_per_address == 0);
  CHECK(config.limits.unauthenticated_timeout == seconds{300});
  CHECK(config.auth.credential_ttl == seconds{43200});
  CHECK(config.auth.strict_expiry);
  REQUIRE(config.auth.users.size() == 1);
  CHECK(config.auth.users[0].name == "alice");
  CHECK(config.auth.users[0].password == "wonderland");
  CHECK(config.auth.algorithms == std::vector{stun::PasswordAlgorithm::sha256});
  CHECK(config.auth.nonce_lifetime == seconds{60});
  REQUIRE(config.auth.secrets.size() == 1);
  CHECK(config.auth.secrets[0].id == "2026-11");
  CHECK(config.auth.secrets[0].value == good_secret);
  CHECK(config.log.level == LogLevel::debug);
  CHECK(config.log.format == LogFormat::json);
}

TEST_CASE("the realm is the domain when none is set, and never empty", "[server][config][C06]") {
  CHECK(loaded("domain = \"turn.example.com\"").effective_realm() == "turn.example.com");
  CHECK(loaded("realm = \"\"").effective_realm() == "turnpike");
}

TEST_CASE("durations have units, larger ones first", "[server][config]") {
  CHECK(parse_duration("600s") == seconds{600});
  CHECK(parse_duration("90m") == seconds{5400});
  CHECK(parse_duration("1h30m") == seconds{5400});
  for (const char* text :
       {"", "1", "h", "1x", "-1s", "1m1h", "0s", " 1s", "1.5h", "99999999999999999999s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
  }
  CHECK(duration_text(seconds{5400}) == "90m");
  CHECK(duration_text(seconds{7200}) == "2h");
  CHECK(duration_text(seconds{61}) == "61s");
}

TEST_CASE("what is shown of a value can be read again", "[server][config]") {
  for (const char* rule :
       {"10.1.2.0/24", "10.1.2.3", "10.1.2.3:80", "10.0.0.0/8:1000-2000/udp", "10.0.0.0/8/tcp",
        "2001:db8::/32", "[2001:db8::/32]:443/tcp", "[2001:db8::1]:1-65535"}) {
    CAPTURE(rule);
    REQUIRE(parse_peer_rule(rule));
    CHECK(peer_rule_text(*parse_peer_rule(rule)) == rule);
  }
  for (const char* address : {":3478", "192.0.2.1:3478", "[2001:db8::1]:3478"}) {
    CAPTURE(address);
    REQUIRE(parse_listen_address(address));
    CHECK(parse_listen_address(address)->to_string() == address);
  }
}

TEST_CASE("NAT discovery is off by default, and can be set from the environment",
          "[server][config][rfc5780-6]") {
  CHECK_FALSE(loaded("").nat_discovery.is_configured());
  const Config config =
      loaded("", {{"TURNPIKE__NAT_DISCOVERY__ADDRESSES", "10.0.0.5/203.0.113.10, 203.0.113.11"},
                  {"TURNPIKE__NAT_DISCOVERY__PORTS", "3478, 3479"}});
  REQUIRE(config.nat_discovery.addresses.size() == 2);
  CHECK(config.nat_discovery.addresses[0].to_string() == "10.0.0.5/203.0.113.10");
  CHECK(config.nat_discovery.addresses[1].to_string() == "203.0.113.11");
  CHECK(config.nat_discovery.ports == std::vector<std::uint16_t>{3478, 3479});
}

// --- Refusals: each names place, key, mistake and remedy
// ---------------------------------------------

TEST_CASE("an unknown key is refused with its position and the nearest key",
          "[server][config][C01]") {
  CHECK(refusal("\n[relay]\nport = \"50000-51000\"\n") ==
        "t.toml:3:1: relay.port: turnpike 0.1.0 knows no such key; did you mean relay.ports?");
  CHECK(refusal("max_lifetime = \"1h\"\n") ==
        "t.toml:1:1: max_lifetime: turnpike 0.1.0 knows no such key; did you mean "
        "relay.max_lifetime?");
  CHECK(refusal("[auth]\nuesrs = []\n") ==
        "t.toml:2:1: auth.uesrs: turnpike 0.1.0 knows no such key; did you mean auth.users?");
  CHECK(refusal("flavour = 1\n") ==
        "t.toml:1:1: flavour: turnpike 0.1.0 knows no such key; remove it; `turnpike config "
        "show` lists what there is");
}

TEST_CASE("an unknown section is refused once, not once per key", "[server][config][C01]") {
  CHECK(refusal("[rellay]\nports = \"1-2\"\nx = 1\n") ==
        "t.toml:1:2: rellay: turnpike 0.1.0 knows no such section; did you mean relay?");
  CHECK(refusal("relay = 5\n") ==
        "t.toml:1:9: relay: the number 5 was given where a section is expected; write [relay] on a "
        "line of its own, "
        "and its keys below");
}

TEST_CASE("sections that other versions know are refused like any unknown one",
          "[server][config]") {
  for (const char* section : {"cluster", "oauth"}) {
    CAPTURE(section);
    CHECK(contains(refusal("[" + std::string{section} + "]\nx = 1\n"), "knows no such section"));
  }
}

TEST_CASE("a wrong type is refused and an example given", "[server][config][C01]") {
  CHECK(refusal("workers = \"four\"\n") ==
        "t.toml:1:11: workers: the text \"four\" was given where a whole number is expected; write "
        "for example 4");
  CHECK(refusal("[relay]\nports = 5000\n") ==
        "t.toml:2:9: relay.ports: the number 5000 was given where text is expected; write for "
        "example \"49152-65535\"");
  CHECK(refusal("[listen]\nudp = \":3478\"\n") ==
        "t.toml:2:7: listen.udp: the text \":3478\" was given where a list is expected; write for "
        "example [\":3478\"]");
  CHECK(refusal("[listen]\nudp = [\n  \":3478\",\n  3479 ]\n") ==
        "t.toml:4:3: listen.udp: the number 3479 was given where text is expected; write for "
        "example [\":3478\"]");
  CHECK(refusal("[auth]\nstrict_expiry = 1.5\n") ==
        "t.toml:2:17: auth.strict_expiry: a decimal number was given where true or false is "
        "expected; write for "
        "example false");
  CHECK(refusal("public_ip = \"203.0.113.10\"\n") ==
        "t.toml:1:13: public_ip: the text \"203.0.113.10\" was given where \"auto\" or a list is "
        "expected; write "
        "[\"203.0.113.10\"]");
}

TEST_CASE("a duplicate key and broken TOML are refused with their position",
          "[server][config][C01]") {
  CHECK(contains(refusal("workers = 1\nworkers = 2\n"), "t.toml:2:"));
  CHECK(contains(refusal("workers = 1\nworkers = 2\n"), "this is no TOML: "));
  CHECK(contains(refusal("[relay\n"), "t.toml:1:"));
  CHECK(contains(refusal("realm = example.com\n"), "text needs quotation marks"));
}

TEST_CASE("a prefix with host bits is refused with the corrected prefix", "[server][config][C02]") {
  CHECK(refusal("[relay]\ndeny_peers = [\"10.1.2.3/8\"]\n") ==
        "t.toml:2:15: relay.deny_peers: \"10.1.2.3/8\" has bits set after the first 8; write "
        "\"10.0.0.0/8\", or the "
        "address without \"/8\" for one host");
  CHECK(contains(refusal("[relay]\nallow_peers = [\"[fd00::1/32]:80\"]\n"), "write \"fd00::/32\""));
}

TEST_CASE("malformed peer rules are refused", "[server][config][C02]") {
  for (const char* rule :
       {"", "10.0.0.0/33", "10.0.0/8", "10.0.0.0/8:", "10.0.0.0/8:0", "10.0.0.0/8:65536",
        "10.0.0.0/8:2000-1000", "10.0.0.0/8/sctp", "[10.0.0.0/8", "[2001:db8::/32]80",
        "2001:db8::/129", "example.com", "10.0.0.0/8:abc", "10.0.0.0/-1"}) {
    CAPTURE(rule);
    CHECK_FALSE(parse_peer_rule(rule));
    CHECK(contains(refusal("[relay]\ndeny_peers = [\"" + std::string{rule} + "\"]\n"),
                   "t.toml:2:15: relay.deny_peers: "));
  }
}

TEST_CASE("an allow rule for half the Internet is refused", "[server][config]") {
  CHECK(refusal("[relay]\nallow_peers = [\"0.0.0.0/0\"]\n") ==
        "t.toml:2:16: relay.allow_peers: \"0.0.0.0/0\" is too wide to be allowed; use a prefix of "
        "/8 or longer");
  CHECK(contains(refusal("[relay]\nallow_peers = [\"fc00::/7\"]\n"),
                 "use a prefix of /32 or longer"));
  CHECK(loaded("[relay]\nallow_peers = [\"10.0.0.0/8\"]\ndeny_peers = [\"0.0.0.0/0\"]")
            .relay.allow_peers.size() == 1);
}

TEST_CASE("ports that are none are refused", "[server][config][C02]") {
  CHECK(refusal("[relay]\nports = \"65535-49152\"\n") ==
        "t.toml:2:9: relay.ports: \"65535-49152\" is reversed; write \"49152-65535\"");
  CHECK(refusal("[relay]\nports = \"49152-65536\"\n") ==
        "t.toml:2:9: relay.ports: \"65536\" is no port; use a number from 1 to 65535");
  CHECK(refusal("[relay]\npeer_ports = \"0-1023\"\n") ==
        "t.toml:2:14: relay.peer_ports: \"0\" is no port; use a number from 1 to 65535");
  for (const char* ports : {"", "abc", "443,", ",443", "443-", "-443", "1-2-3", "+443"}) {
    CAPTURE(ports);
    CHECK_FALSE(parse_port_list(ports));
  }
}

TEST_CASE("NAT discovery without two addresses and two ports is refused in a sentence",
          "[server][config][rfc5780-6]") {
  const auto of = [](const std::string& addresses, const std::string& ports) {
    return refusal("[nat_discovery]\naddresses = " + addresses + "\nports = " + ports + "\n");
  };
  const std::string two = R"(["203.0.113.10", "203.0.113.11"])";
  CHECK(of(two, "[3478, 3479]") == "(accepted)");
  CHECK(of(R"(["203.0.113.10"])", "[3478, 3479]") ==
        "t.toml:2:13: nat_discovery.addresses: 1 IPv4 addresses are given, and RFC 5780 works with "
        "two; write two of each family that is to be served");
  CHECK(contains(of(R"(["203.0.113.10", "2001:db8::1", "2001:db8::2"])", "[3478, 3479]"),
                 "1 IPv4 addresses are given"));
  CHECK(contains(of(R"(["203.0.113.10", "203.0.113.10"])", "[3478, 3479]"),
                 "\"203.0.113.10\" is listed twice"));
  CHECK(of(R"(["10.0.0.5/203.0.113.10", "10.0.0.6/203.0.113.10"])", "[3478, 3479]") ==
        "t.toml:2:13: nat_discovery.addresses: \"10.0.0.5/203.0.113.10\" and "
        "\"10.0.0.6/203.0.113.10\" have an address in common; write two that differ, here and as "
        "clients see them");
  CHECK(contains(of(R"(["10.0.0.5/24", "10.0.0.6/24"])", "[3478, 3479]"),
                 "\"10.0.0.5/24\" does not say what clients see of the address; write"));
  CHECK(contains(of(R"(["10.0.0.5/2001:db8::1", "10.0.0.6"])", "[3478, 3479]"),
                 "does not say what clients see"));
  CHECK(contains(of(R"(["0.0.0.0", "10.0.0.6"])", "[3478, 3479]"), "not the address of one host"));
  CHECK(contains(of(R"(["10.0.0.5/224.0.0.1", "10.0.0.6"])", "[3478, 3479]"),
                 "not the address of one host"));
  for (const char* ports : {"[3478]", "[3478, 3478]", "[3478, 3479, 3480]"}) {
    CAPTURE(ports);
    CHECK(of(two, ports) ==
          "t.toml:3:9: nat_discovery.ports: RFC 5780 works with two different ports; write for "
          "example [3478, 3479]");
  }
  CHECK(contains(of(two, "[3478, 0]"), "t.toml:3:16: nat_discovery.ports: 0 is no port"));
  CHECK(contains(of(two, "[3478, 65536]"), "65536 is no port"));
  CHECK(contains(of(two, R"([3478, ":3479"])"), "where a whole number is expected"));
  CHECK(contains(of(two, "3478"), "where a list is expected"));
  CHECK(of(two, "[]") ==
        "t.toml:2:13: nat_discovery.addresses: nat_discovery has addresses or ports, and not the "
        "other; set both nat_discovery.addresses and nat_discovery.ports, or neither");
  CHECK(
      contains(refusal("nat_discovery.ports = [3478, 3479]"), "t.toml:1:23: nat_discovery.ports"));
  CHECK(of(two, "[3478, 50000]") ==
        "t.toml:3:9: nat_discovery.ports: the relay ports \"49152-65535\" contain the discovery "
        "port 50000; keep the two apart, for example relay.ports = \"49152-65535\"");
}

TEST_CASE("NAT discovery behind NAT says what clients see of its addresses",
          "[server][config][rfc5780-6.1]") {
  const std::string rest = "nat_discovery.ports = [3478, 3479]\npublic_ip = [\"203.0.113.10\"]\n";
  CHECK(
      refusal("nat_discovery.addresses = [\"10.0.0.5\", \"10.0.0.6\"]\n" + rest) ==
      "t.toml:1:27: nat_discovery.addresses: public_ip says that this host is behind NAT, and "
      "\"10.0.0.5\" does not say what clients see of it; write it as \"10.0.0.5/public address\"");
  for (const char* good :
       {R"(["10.0.0.5/203.0.113.10", "10.0.0.6/203.0.113.11"])",
        R"(["203.0.113.10", "203.0.113.11"])", R"(["2001:db8::1", "2001:db8::2"])"}) {
    CAPTURE(good);
    CHECK(refusal("nat_discovery.addresses = " + std::string{good} + "\n" + rest) == "(accepted)");
  }
}

TEST_CASE("alternate servers that no client could be sent to are refused",
          "[server][config][rfc8489-10][C08]") {
  CHECK(
      refusal("relay.alternate_servers = [\"turn2.example.com:3478\"]") ==
      "t.toml:1:28: relay.alternate_servers: \"turn2.example.com:3478\" is no address and port of "
      "a server; write for example \"203.0.113.5:3478\" or \"[2001:db8::5]:3478\"; names are not "
      "resolved");
  for (const char* text : {"203.0.113.5", "203.0.113.5:0", ":3478", "0.0.0.0:3478", "[::]:3478",
                           "224.0.0.1:3478", "[::ffff:203.0.113.5]:3478"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_server_endpoint(text));
  }
  for (const char* key : {"alternate_servers", "alternate_tls_servers"}) {
    for (const char* server : {"127.0.0.1:3478", "127.8.8.8:3478", "[::1]:3478"}) {
      const std::string line = "relay." + std::string{key} + " = [\"" + server + "\"]\n";
      CAPTURE(line);
      CHECK(contains(refusal(line), "would send clients to their own host"));
      const std::string here = "[\"127.0.0.1:3478\"]\n";
      CHECK(refusal(line + "listen.udp = " + here + "listen.tcp = " + here) == "(accepted)");
    }
  }
  CHECK(refusal("relay.alternate_servers = [\"10.0.0.5:3478\"]") == "(accepted)");
  CHECK(refusal("relay.alternate_domain = \"turn2.example.com\"") ==
        "t.toml:1:26: relay.alternate_domain: there is no alternate server that it would name; set "
        "relay.alternate_tls_servers as well, or remove it");
  const std::string tls = "relay.alternate_tls_servers = [\"203.0.113.5:5349\"]\n";
  CHECK(refusal(tls + "relay.alternate_domain = \"turn2.example.com\"") == "(accepted)");
  CHECK(contains(refusal(tls + "relay.alternate_domain = \"203.0.113.5\""), "is an address"));
  CHECK(contains(refusal(tls + "relay.alternate_domain = \"https://a\""), "is no host name"));
}

TEST_CASE("listening addresses that are none are refused", "[server][config][C02]") {
  CHECK(refusal("[listen]\nudp = [\"3478\"]\n") ==
        "t.toml:2:8: listen.udp: \"3478\" is no listening address; write \":3478\"");
  CHECK(refusal("[listen]\nudp = [\"2001:db8::1\"]\n") ==
        "t.toml:2:8: listen.udp: \"2001:db8::1\" is no listening address; add a port: "
        "\"[2001:db8::1]:3478\"");
  CHECK(refusal("[listen]\nudp = [\":0\"]\n") ==
        "t.toml:2:8: listen.udp: \"0\" is no port; use a number from 1 to 65535");
  CHECK(contains(refusal("[listen]\nudp = [\"*:3478\"]\n"), "write \":3478\" for every address"));
  CHECK(contains(refusal("[listen]\nudp = [\"localhost:3478\"]\n"), "names are not resolved"));
  for (const std::string key : {"udp", "tcp", "tls"}) {
    CAPTURE(key);
    CHECK(contains(refusal("[listen]\n" + key + " = [\":0\"]\n"),
                   "t.toml:2:8: listen." + key + ": \"0\" is no port"));
    CHECK(contains(refusal("[listen]\n" + key + " = [\":3478\", \":3478\"]\n"),
                   "t.toml:2:17: listen." + key + ": \":3478\" is listed twice"));
    CHECK(contains(refusal("[listen]\n" + key + " = \":3478\"\n"),
                   "t.toml:2:7: listen." + key + ": the text \":3478\" was given where a list"));
  }
}

TEST_CASE("a link-local listener says on which interface", "[server][config][rfc4007]") {
  const Config config = loaded("[listen]\nudp = [\"[fe80::1%eth0]:3478\", \"[fe80::1%2]:3478\"]\n");
  const ListenAddress first{IpAddress::parse("fe80::1"), 3478, "eth0"};
  CHECK(config.listen.udp ==
        std::vector{first, ListenAddress{IpAddress::parse("fe80::1"), 3478, "2"}});
  CHECK(first.to_string() == "[fe80::1%eth0]:3478");

  const auto refused = [](const std::string& listen) {
    return refusal("[listen]\nudp = [\"" + listen + "\"]\n");
  };
  CHECK(refused("[fe80::1]:3478") ==
        "t.toml:2:8: listen.udp: \"[fe80::1]:3478\" is link-local and does not say on which "
        "interface; write for example \"[fe80::1%eth0]:3478\"");
  CHECK(refused("[2001:db8::1%eth0]:3478") ==
        "t.toml:2:8: listen.udp: \"[2001:db8::1%eth0]:3478\" names an interface, which only "
        "link-local addresses need; write \"[2001:db8::1]:3478\"");
  for (const std::string listen :
       {"[fe80::1%]:3478", "fe80::1%eth0:3478", "[%eth0]:3478", "192.0.2.1%eth0:3478", "%:3478",
        "[fe80::1%sixteen-letters-]:3478", "[fe80::1%\\u0001]:3478", "]%[:3478"}) {
    CAPTURE(listen);
    CHECK(contains(refused(listen), "is no listening address; write for example"));
  }
  CHECK(contains(refusal("relay.addresses = [\"fe80::1\"]\n"), "\"fe80::1\" is link-local"));
}

TEST_CASE("IPv4-mapped IPv6 addresses are refused wherever they would do nothing",
          "[server][config][P05][P08]") {
  CHECK(contains(refusal("[listen]\nudp = [\"[::ffff:192.0.2.1]:3478\"]\n"),
                 "is an IPv4-mapped IPv6 address; write \"192.0.2.1:3478\""));
  for (const std::string key : {"relay.deny_peers", "relay.allow_peers"}) {
    CHECK(contains(refusal(key + " = [\"::ffff:10.0.0.0/104\"]\n"),
                   "\"::ffff:10.0.0.0/104\" is an IPv4-mapped IPv6 address; write \"10.0.0.0/8\""));
    CHECK(contains(refusal(key + " = [\"[::ffff:10.0.0.1]:80/udp\"]\n"), "write \"10.0.0.1/32\""));
  }
}

TEST_CASE("listeners behind balancers are named by transport and address", "[server][config]") {
  const Config config = loaded(
      "[listen]\nudp = [\":3478\", \"[2001:db8::1]:3479\"]\n"
      "proxy_protocol = [\"udp:[2001:db8::1]:3479\", \"tcp::3478\"]\n"
      "proxy_trusted = [\"10.0.0.0/8\", \"2001:db8::/32\", \"192.0.2.7\"]\n");
  const ListenerName v6{Transport::udp, {IpAddress::parse("2001:db8::1"), 3479}};
  CHECK(config.listen.proxy_protocol ==
        std::vector{v6, ListenerName{Transport::tcp, {std::nullopt, 3478}}});
  CHECK(config.expects_proxy(v6));
  CHECK(config.expects_proxy({Transport::tcp, {std::nullopt, 3478}}));
  CHECK_FALSE(config.expects_proxy({Transport::udp, {std::nullopt, 3478}}));
  CHECK(config.listen.proxy_trusted.size() == 3);
  CHECK(v6.to_string() == "udp:[2001:db8::1]:3479");
  CHECK(config.listener_names().size() == 3);
}

TEST_CASE("a balancer's listener that does not exist is refused, with what was meant",
          "[server][config]") {
  const auto refused = [](const std::string& name) {
    return refusal("[listen]\nproxy_trusted = [\"10.0.0.0/8\"]\nproxy_protocol = [\"" + name +
                   "\"]\n");
  };
  CHECK(refused("tcp::3479") ==
        "t.toml:3:18: listen.proxy_protocol: no listener is called \"tcp::3479\"; did you mean "
        "\"tcp::3478\"?");
  CHECK(
      contains(refused("tls:[2001:db8::1]:443"), "the listeners are \"udp::3478\", \"tcp::3478\""));
  CHECK(contains(refused("tcp:0.0.0.0:3478"), "no listener is called \"tcp:0.0.0.0:3478\""));
  CHECK(contains(refused(":3478"), "\":3478\" is no name of a listener; write transport, colon"));
  CHECK(contains(refused("sctp::3478"), "\"sctp::3478\" is no name of a listener"));
  CHECK(contains(refused("tcp"), "\"tcp\" is no name of a listener"));
  CHECK(contains(refused("tcp:3478"), "\"3478\" is no listening address; write \":3478\""));
}

TEST_CASE("NAT behaviour is not discovered through a balancer", "[server][config]") {
  const std::string discovery =
      "[nat_discovery]\naddresses = [\"203.0.113.10\", \"203.0.113.11\"]\nports = [3478, 3479]\n";
  const std::string listen = "[listen]\nproxy_trusted = [\"10.0.0.0/8\"]\nproxy_protocol = ";
  CHECK(contains(refusal(listen + "[\"udp::3478\"]\n" + discovery),
                 "UDP port 3478 is one of nat_discovery.ports"));
  CHECK(refusal(listen + "[\"tcp::3478\"]\n" + discovery) == "(accepted)");
  CHECK(refusal(listen + "[\"udp::3478\"]\n") == "(accepted)");
}

TEST_CASE("balancers whom everybody could play are refused", "[server][config]") {
  CHECK(refusal("[listen]\nproxy_protocol = [\"tcp::3478\"]\n") ==
        "t.toml:2:18: listen.proxy_protocol: nobody is trusted to say who the clients are: "
        "listen.proxy_trusted is empty; name your balancers, for example listen.proxy_trusted = "
        "[\"10.0.0.0/8\"]");
  CHECK(contains(refusal("listen.proxy_trusted = [\"0.0.0.0/0\"]\n"), "is everybody"));
  CHECK(contains(refusal("listen.proxy_trusted = [\"::/0\"]\n"), "is everybody"));
  CHECK(contains(refusal("listen.proxy_trusted = [\"::ffff:10.0.0.0/104\"]\n"),
                 "is an IPv4-mapped IPv6 address; write \"10.0.0.0/8\""));
  CHECK(contains(refusal("listen.proxy_trusted = [\"10.0.0.1/8\"]\n"), "write \"10.0.0.0/8\""));
}

TEST_CASE("a server that would listen nowhere is refused", "[server][config]") {
  CHECK(refusal("[listen]\ntcp = []\nudp = []\n") ==
        "t.toml:3:7: listen.udp: all lists are empty: the server would listen nowhere; write for "
        "example listen.udp = [\":3478\"]");
  CHECK(loaded("[listen]\nudp = []\n").listen.udp.empty());
  CHECK(loaded("[listen]\ntcp = []\n").listen.tcp.empty());
  // What was refused is reported, not that the list is empty without it.
  CHECK(refusal("[listen]\ntcp = []\nudp = [\":0\"]\n") ==
        "t.toml:3:8: listen.udp: \"0\" is no port; use a number from 1 to 65535");
}

// --- TLS
// ---------------------------------------------------------------------------------------------

TEST_CASE("with a certificate and a key there are TLS listeners unless told otherwise",
          "[server][config]") {
  const ScratchDirectory directory;
  const TlsFiles tls{directory};
  const std::vector usual{ListenAddress{std::nullopt, 5349}, ListenAddress{std::nullopt, 443}};
  const auto result = load(tls.section());
  REQUIRE(result);
  CHECK(result->config.tls.is_configured());
  CHECK(result->config.listen.tls == usual);
  CHECK(result->origins.at("listen.tls") == "default");
  CHECK(loaded(tls.section() + "listen.tls = [\":8443\"]\n").listen.tls ==
        std::vector{ListenAddress{std::nullopt, 8443}});
  CHECK(loaded(tls.section() + "listen.tls = []\n").listen.tls.empty());
  CHECK(
      loaded("", {{"TURNPIKE__TLS__CERTIFICATE", tls.certificate}, {"TURNPIKE__TLS__KEY", tls.key}})
          .listen.tls == usual);
}

TEST_CASE("the quickstart gets no TLS listeners on every address", "[server][config]") {
  const ScratchDirectory directory;
  const TlsFiles tls{directory};
  ConfigSources sources;
  sources.quickstart = Config{};
  sources.require_credentials = false;
  sources.environment = {{"TURNPIKE__TLS__CERTIFICATE", tls.certificate},
                         {"TURNPIKE__TLS__KEY", tls.key}};
  const auto result = load_config(sources);
  REQUIRE(result);
  CHECK(result->config.listen.tls.empty());
}

TEST_CASE("TLS listeners without a certificate are refused", "[server][config]") {
  CHECK(refusal("[listen]\ntls = [\":5349\"]\n") ==
        "t.toml:2:7: listen.tls: TLS listeners need a certificate and its key; set "
        "tls.certificate and tls.key, or remove listen.tls");
  CHECK(refusal("tls.certificate = \"\"\ntls.key = \"\"\nlisten.tls = []\n") == "(accepted)");
}

TEST_CASE("a certificate without its key is refused, and a key without its certificate",
          "[server][config]") {
  const ScratchDirectory directory;
  const TlsFiles tls{directory};
  CHECK(refusal("[tls]\ncertificate = \"" + tls.certificate + "\"\n") ==
        "t.toml:2:15: tls.certificate: there is a certificate without its key; set tls.key as "
        "well");
  CHECK(refusal("[tls]\nkey = \"" + tls.key + "\"\n[listen]\ntls = [\":5349\"]\n") ==
        "t.toml:2:7: tls.key: there is a key without its certificate; set tls.certificate as well");
}

TEST_CASE("TLS files that cannot be used are refused, each in one sentence",
          "[server][config][L11]") {
  const ScratchDirectory directory;
  const TlsFiles tls{directory};
  const std::string missing = directory.path() + "/none.pem";
  const auto refused = [&](const std::string& certificate, const std::string& key) {
    return refusal("[tls]\ncertificate = \"" + certificate + "\"\nkey = \"" + key +
                   "\"\n[listen]\ntls = [\":5349\"]\n");
  };
  CHECK(refused(tls.certificate, tls.key) == "(accepted)");
  CHECK(refused(missing, tls.key) ==
        "t.toml:2:15: tls.certificate: the file \"" + missing +
            "\" cannot be read: No such file or directory; check its name, and that the user of "
            "the server may read it");
  CHECK(contains(refused(tls.certificate, missing), "t.toml:3:7: tls.key: the file \"" + missing));
  CHECK(refused(directory.path(), tls.key) ==
        "t.toml:2:15: tls.certificate: \"" + directory.path() + "\" is no file; name a PEM file");
  for (const mode_t mode : {mode_t{0644}, mode_t{0660}, mode_t{0604}}) {
    CAPTURE(mode);
    const std::string open = directory.write("open.pem", "-", mode);
    const std::string text = refused(tls.certificate, open);
    CHECK(contains(text, "t.toml:3:7: tls.key: the file \"" + open + "\" has mode 06"));
    CHECK(contains(text, "run `chmod 640 " + open + "`"));
    CHECK_FALSE(contains(text, "\n"));
  }
  CHECK(refused(tls.certificate, directory.write("group.pem", "-", 0640)) == "(accepted)");
  if (geteuid() != 0) {  // root may read anything
    CHECK(contains(refused(directory.write("unreadable.pem", "-", 0200), tls.key),
                   "cannot be read: Permission denied"));
  }
}

TEST_CASE("relative TLS files stand beside the configuration", "[server][config]") {
  const ScratchDirectory directory;
  const TlsFiles tls{directory};
  ConfigSources sources;
  sources.file = ConfigFile{directory.path() + "/t.toml",
                            "[tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n"};
  sources.require_credentials = false;
  const auto result = load_config(sources);
  REQUIRE(result);
  CHECK(result->config.tls.certificate == tls.certificate);
  CHECK(result->config.tls.key == tls.key);
}

TEST_CASE("DTLS listeners without a certificate are refused", "[server][config]") {
  CHECK(refusal("[listen]\ndtls = [\":5349\"]\n") ==
        "t.toml:2:8: listen.dtls: DTLS listeners need a certificate and its key; set "
        "tls.certificate and tls.key, or remove listen.dtls");
}

TEST_CASE("one UDP port can be for STUN and DTLS when both lists spell it alike",
          "[server][config]") {
  const ScratchDirectory directory;
  const TlsFiles tls{directory};
  const auto refused = [&](const std::string& udp, const std::string& dtls) {
    return refusal(tls.section() + "listen.udp = [\"" + udp + "\"]\nlisten.dtls = [\"" + dtls +
                   "\"]\n");
  };
  CHECK(refused(":3478", ":3478") == "(accepted)");
  CHECK(refused(":3478", ":5349") == "(accepted)");
  CHECK(refused("192.0.2.1:3478", "192.0.2.2:3478") == "(accepted)");
  CHECK(refused(":3478", "192.0.2.1:3478") ==
        "t.toml:4:15: listen.dtls: \"192.0.2.1:3478\" in listen.dtls and \":3478\" in listen.udp "
        "overlap; write the same in both lists for one port that serves both, or take another "
        "port");
  CHECK(contains(refused("192.0.2.1:3478", "0.0.0.0:3478"), "overlap"));
  CHECK(contains(refusal(tls.section() + "listen.udp = []\nlisten.dtls = [\":50000\"]\n"),
                 "contain the port of the listener \":50000\""));
}

TEST_CASE("one TCP port cannot be both for TCP and for TLS", "[server][config]") {
  const ScratchDirectory directory;
  const TlsFiles tls{directory};
  const auto refused = [&](const std::string& tcp, const std::string& tls_listeners) {
    return refusal(tls.section() + "listen.tcp = [\"" + tcp + "\"]\nlisten.tls = [\"" +
                   tls_listeners + "\"]\n");
  };
  CHECK(refused(":443", ":443") ==
        "t.toml:4:14: listen.tls: \":443\" in listen.tls and \":443\" in listen.tcp want the same "
        "TCP port; keep the two apart, for example listen.tcp = [\":3478\"], listen.tls = "
        "[\":5349\"]");
  const std::vector<std::pair<std::string, std::string>> collisions{
      {":443", "192.0.2.1:443"},          {"[::1]:443", ":443"},
      {"192.0.2.1:443", "192.0.2.1:443"}, {"0.0.0.0:443", "192.0.2.1:443"},
      {"[::1]:443", "[::]:443"},
  };
  for (const auto& [tcp, tls_listener] : collisions) {
    CAPTURE(tcp, tls_listener);
    CHECK(contains(refused(tcp, tls_listener), "want the same TCP port"));
  }
  CHECK(refused("192.0.2.1:443", "192.0.2.2:443") == "(accepted)");
  CHECK(refused("0.0.0.0:443", "[2001:db8::1]:443") == "(accepted)");
  // The TLS listeners nobody asked for are in the way as well.
  CHECK(contains(refusal(tls.section() + "listen.tcp = [\":443\"]\n"),
                 "t.toml:3:14: listen.tcp: \":443\" in listen.tls"));
}

TEST_CASE("a weak secret is refused and never repeated", "[server][config][C03]") {
  const auto refused = [](const std::string& value) {
    return refusal("[auth]\nsecrets = [{ id = \"a\", value = \"" + value + "\" }]\n");
  };
  CHECK(
      refused("short") ==
      "t.toml:2:32: auth.secrets: the secret has 5 bytes, fewer than 32; generate one, for example "
      "with `openssl rand -hex 32`");
  CHECK(contains(refused(""), "the secret is empty"));
  CHECK(contains(refused("changeme"), "placeholder"));
  CHECK(contains(refused("Change-Me-0123456789abcdef0123456789"), "placeholder"));
  CHECK(contains(refused(std::string(64, 'x')), "repeats the same few characters"));
  CHECK(
      contains(refused("hunter2hunter2hunter2hunter2hunter2"), "repeats the same few characters"));
  CHECK_FALSE(contains(refused("hunter2hunter2hunter2hunter2hunter2"), "hunter2"));
  CHECK(refused(good_secret) == "(accepted)");
}

TEST_CASE("malformed entries of auth.secrets are refused", "[server][config]") {
  const auto refused = [](const std::string& tables) {
    return refusal("[auth]\nsecrets = " + tables + "\n");
  };
  CHECK(contains(refused("[{ value = \"" + good_secret + "\" }]"),
                 "t.toml:2:12: auth.secrets: a secret has no id"));
  CHECK(contains(refused("[{ id = \"a\" }]"), "has neither value nor file"));
  CHECK(contains(refused("[{ id = \"a\", value = \"x\", file = \"y\" }]"),
                 "has both value and file"));
  CHECK(contains(refused("[{ id = \"a\", valeu = \"" + good_secret + "\" }]"),
                 "t.toml:2:24: auth.secrets: the table has an unknown key \"valeu\"; did you mean "
                 "\"value\"?"));
  CHECK(contains(refused("[{ id = 1, value = \"" + good_secret + "\" }]"),
                 "\"id\" is a whole number where text is expected"));
  CHECK(contains(refused("[{ id = \"a\", value = \"" + good_secret +
                         "\" }, { id = \"a\", value = \"" + good_secret + "\" }]"),
                 "two secrets have the id \"a\""));
  CHECK(contains(refused("\"" + good_secret + "\""),
                 "text was given where a list of tables is expected"));
  CHECK_FALSE(contains(refused("\"" + good_secret + "\""), good_secret));
  CHECK_FALSE(contains(refused("[\"" + good_secret + "\"]"), good_secret));
}

TEST_CASE("API keys are read, from the file itself or from one of their own", "[server][config]") {
  const ScratchDirectory directory;
  const std::string file = directory.write("web.key", good_secret + "\n", 0640);
  const Config config = loaded(some_auth + "auth.api_keys = [{ id = \"web\", file = \"" + file +
                               "\" }, { id = \"bot\", value = \"" + good_secret + "=\" }]\n");
  REQUIRE(config.auth.api_keys.size() == 2);
  CHECK(config.auth.api_keys[0].id == "web");
  CHECK(config.auth.api_keys[0].value == good_secret);
  CHECK(config.auth.api_keys[1].value == good_secret + "=");
  CHECK(loaded(some_auth).auth.api_keys.empty());
}

TEST_CASE("malformed API keys are refused and never repeated", "[server][config]") {
  const auto refused = [](const std::string& tables) {
    return refusal("[auth]\napi_keys = " + tables + "\n");
  };
  const auto key = [](const std::string& id, const std::string& value) {
    return "{ id = \"" + id + "\", value = \"" + value + "\" }";
  };
  CHECK(contains(refused("[{ value = \"" + good_secret + "\" }]"),
                 "t.toml:2:13: auth.api_keys: an API key has no id"));
  CHECK(contains(refused("[{ id = \"a\" }]"), "the API key \"a\" has neither value nor file"));
  CHECK(contains(refused("[" + key("a", "short") + "]"), "the secret has 5 bytes, fewer than 32"));
  CHECK(contains(refused("[" + key("a", good_secret) + ", " + key("a", good_secret + "1") + "]"),
                 "two API keys have the id \"a\""));
  CHECK(contains(refused("[" + key("a", good_secret) + ", " + key("b", good_secret) + "]"),
                 "the API keys \"a\" and \"b\" are the same; give each program its own"));
  CHECK(contains(refused("[" + key(std::string(129, 'x'), good_secret) + "]"),
                 "the id of an API key has 129 bytes; use at most 128"));
  const std::string spaced = refused("[" + key("a", good_secret + " canary") + "]");
  CHECK(contains(spaced, "the API key \"a\" has characters that cannot stand in an HTTP header"));
  CHECK_FALSE(contains(spaced, "canary"));
}

TEST_CASE("malformed entries of auth.users are refused without their passwords",
          "[server][config]") {
  const auto refused = [](const std::string& tables) {
    return refusal("[auth]\nusers = " + tables + "\n");
  };
  CHECK(contains(refused("[{ name = \"al:ice\", password = \"canary\" }]"), "has a colon"));
  CHECK(contains(refused("[{ name = \"\", password = \"canary\" }]"), "the name is empty"));
  CHECK(contains(refused("[{ name = \"a\\u0007\", password = \"canary\" }]"),
                 "\"a\\u0007\" has a control character"));
  CHECK(contains(refused("[{ name = \"" + std::string(509, 'a') + "\", password = \"canary\" }]"),
                 "509 bytes"));
  CHECK(contains(refused("[{ name = \"a\", password = \"\" }]"), "the password of \"a\" is empty"));
  CHECK(contains(refused("[{ name = \"a\" }]"), "a user has no password"));
  CHECK(
      contains(refused("[{ name = \"a\", password = \"x\" }, { name = \"a\", password = \"y\" }]"),
               "two users are called \"a\""));
  CHECK_FALSE(contains(refused("[{ name = \"al:ice\", password = \"canary\" }]"), "canary"));
}

TEST_CASE("without any credentials the start is refused with the remedy", "[server][config][C04]") {
  ConfigSources sources;
  sources.file = ConfigFile{"t.toml", "realm = \"x\"\n"};
  const std::string text = refusal(load_config(sources));
  CHECK(text ==
        "t.toml: auth: there are neither secrets nor users, so nobody could use the relay; write "
        "the output of `openssl "
        "rand -hex 32` to a file of mode 0640 and name it under [auth]: secrets = [{ id = "
        "\"2026-11\", file = "
        "\"/etc/turnpike/secret\" }]");

  sources.file->text = "[auth]\nusers = [{ name = \"a\", password = \"b\" }]\n";
  CHECK(load_config(sources));
  sources.file->text = some_auth;
  CHECK(load_config(sources));
}

TEST_CASE("relay ports below 1024 or around a listener are refused", "[server][config][C05]") {
  CHECK(contains(refusal("[relay]\nports = \"1000-2000\"\n"),
                 "t.toml:2:9: relay.ports: \"1000-2000\" reaches below port 1024"));
  CHECK(refusal("[relay]\nports = \"3000-4000\"\n") ==
        "t.toml:2:9: relay.ports: the relay ports \"3000-4000\" contain the port of the listener "
        "\":3478\"; keep the two "
        "apart, for example relay.ports = \"49152-65535\"");
  CHECK(contains(refusal("[listen]\nudp = [\":50000\"]\n"),
                 "t.toml:2:7: listen.udp: the relay ports"));
  // Relays are UDP: a TCP listener may have the same number.
  CHECK(refusal("[listen]\ntcp = [\":50000\"]\n") == "(accepted)");
}

TEST_CASE("an overlap with the kernel's own port range is worth a hint", "[server][config][C05]") {
  const PortRange relay{49152, 65535};
  const auto hint = local_port_hint(relay, "32768\t60999\n", "\n");
  REQUIRE(hint);
  CHECK(contains(*hint, "ports 49152-60999"));
  CHECK(contains(*hint, "ip_local_reserved_ports=49152-65535"));
  CHECK_FALSE(local_port_hint(relay, "32768\t60999\n", "49152-65535\n"));
  CHECK_FALSE(local_port_hint(relay, "32768\t49151\n", ""));
  CHECK_FALSE(local_port_hint(relay, "", ""));
}

TEST_CASE("numbers and durations out of range are refused", "[server][config][C06]") {
  CHECK(
      refusal("[relay]\nmax_lifetime = \"599s\"\n") ==
      "t.toml:2:16: relay.max_lifetime: \"599s\" is out of range; use a duration from 10m to 24h");
  CHECK(refusal("[relay]\nmax_lifetime = 3600\n") ==
        "t.toml:2:16: relay.max_lifetime: the number 3600 has no unit; write \"3600s\" if seconds "
        "are meant");
  CHECK(contains(refusal("[relay]\nmax_lifetime = \"25h\"\n"), "out of range"));
  CHECK(contains(refusal("[auth]\ncredential_ttl = \"25h\"\n"), "out of range"));
  CHECK(contains(refusal("[auth]\nnonce_lifetime = \"59s\"\n"), "use a duration from 1m to 1h"));
  CHECK(contains(refusal("[limits]\ntcp_connections_per_address = -1\n"), "is out of range"));
  CHECK(refusal("[relay]\nmax_channels_per_allocation = 0\n") ==
        "t.toml:2:31: relay.max_channels_per_allocation: 0 is out of range; use a number from 1 to "
        "4096");
  CHECK(contains(refusal("[relay]\nmax_permissions_per_allocation = 4097\n"), "out of range"));
  CHECK(refusal("[limits]\nunauthenticated_timeout = \"6m\"\n") ==
        "t.toml:2:27: limits.unauthenticated_timeout: \"6m\" is out of range; use a duration from "
        "1s to 5m");
  CHECK(contains(refusal("[limits]\nunauthenticated_timeout = 10\n"),
                 "write \"10s\" if seconds are meant"));
  CHECK(refusal("workers = 257\n") ==
        "t.toml:1:11: workers: 257 is out of range; use a number from 0 to 255");
  CHECK(contains(refusal("workers = -1\n"), "out of range"));
}

TEST_CASE("other values that cannot be meant are refused", "[server][config][C06]") {
  CHECK(contains(refusal("realm = \" \"\n"), "the realm is blank"));
  CHECK(contains(refusal("realm = \"" + std::string(128, 'r') + "\"\n"),
                 "the realm has 128 characters; use at most 127"));
  CHECK(contains(refusal("realm = 'the \"best\"'\n"), "has a quotation mark"));
  CHECK(contains(refusal("domain = \"" + std::string(128, 'd') + "\"\n"),
                 "the domain has 128 characters; use at most 127"));
  CHECK(contains(refusal("domain = \"https://turn.example.com\"\n"), "without scheme or port"));
  CHECK(contains(refusal("public_ip = [\"203.0.113.10\", \"203.0.113.11\"]\n"),
                 "2 IPv4 addresses are given"));
  CHECK(contains(refusal("public_ip = [\"0.0.0.0\"]\n"), "is not the address of one host"));
  CHECK(contains(refusal("public_ip = [\"::ffff:203.0.113.10\"]\n"), "write \"203.0.113.10\""));
  CHECK(contains(refusal("public_ip = []\n"), "the list is empty"));
  CHECK(contains(refusal("[relay]\naddresses = [\"192.0.2.300\"]\n"), "is no IP address"));
  CHECK(refusal("[relay]\naddress_family = \"both\"\n") ==
        "t.toml:2:18: relay.address_family: \"both\" is not known; use \"strict\" or "
        "\"follow-client\"");
  CHECK(contains(refusal("[auth]\nalgorithms = [\"sha1\"]\n"), "use \"md5\" or \"sha256\""));
  CHECK(contains(refusal("[auth]\nalgorithms = [\"md5\", \"md5\"]\n"), "is listed twice"));
  CHECK(contains(refusal("[auth]\nalgorithms = []\n"), "the list is empty"));
  CHECK(contains(refusal("[log]\nlevel = \"loud\"\n"),
                 "use \"trace\", \"debug\", \"info\", \"warn\" or \"error\""));
}

TEST_CASE("who may join depends on who can connect, unless it is said", "[server][config]") {
  using signaling::JoinAuth;
  Config config;
  CHECK(config.effective_join_auth() == JoinAuth::token);
  config.listen.udp = config.listen.tcp = {ListenAddress{IpAddress::parse("127.0.0.1"), 3478}};
  CHECK(config.effective_join_auth() == JoinAuth::open);
  config.listen.http = {ListenAddress{IpAddress::parse("192.0.2.1"), 8080}};
  CHECK(config.effective_join_auth() == JoinAuth::token);
  config.signaling.auth = JoinAuth::open;
  CHECK(config.effective_join_auth() == JoinAuth::open);
}

TEST_CASE("signaling that cannot be meant is refused", "[server][config]") {
  CHECK(refusal("signaling.auth = \"closed\"\n") ==
        "t.toml:1:18: signaling.auth: \"closed\" is not known; use \"open\", \"token\" or "
        "\"webhook\"");
  CHECK(refusal("signaling.auth = \"webhook\"\n") ==
        "t.toml:1:18: signaling.auth: there is no webhook that could be asked; set "
        "signaling.webhook = \"https://…\", or use \"token\"");
  CHECK(refusal("signaling.allowed_origins = [\"app.example\"]\n") ==
        "t.toml:1:30: signaling.allowed_origins: \"app.example\" is no origin; write scheme and "
        "host, as in \"https://app.example.com\", or \"*\"");
  CHECK(refusal("signaling.max_peers = 1\n") ==
        "t.toml:1:23: signaling.max_peers: 1 is out of range; use a number from 2 to 64");
  CHECK(refusal("signaling.socketio_profiles = [\"chat\"]\n") ==
        "t.toml:1:32: signaling.socketio_profiles: \"chat\" is not known; use \"zoom\", "
        "\"codelab\" or \"echo\"");
  CHECK(refusal("signaling.socketio_ping_timeout = \"1h\"\n") ==
        "t.toml:1:35: signaling.socketio_ping_timeout: \"1h\" is out of range; use a duration "
        "from 1s to 5m");
  CHECK(refusal("signaling.doors = [\"ftp\"]\n") ==
        "t.toml:1:20: signaling.doors: \"ftp\" is not known; use \"native\", \"socketio\", "
        "\"relay\" or \"openvidu\"");
  CHECK(refusal("signaling.webhook = \"app.example\"\n") ==
        "t.toml:1:21: signaling.webhook: \"app.example\" is no HTTP address; write for example "
        "\"https://app.example.com/turnpike\"");
  CHECK(contains(refusal("signaling.webhook_secret = \"short\"\n"), "fewer than 32"));
  CHECK(refusal("web.root = \"/nowhere\"\n") ==
        "t.toml:1:12: web.root: \"/nowhere\" is no directory; name a directory that is there and "
        "may be read");
  CHECK(refusal("listen.http = [\":8080\"]\nsignaling.enabled = false\n") ==
        "t.toml:1:15: listen.http: HTTP serves the signaling, which is off; remove listen.http, or "
        "set signaling.enabled = true");
  CHECK(refusal("listen.http = [\"127.0.0.1:3478\"]\n") ==
        "t.toml:1:15: listen.http: \"127.0.0.1:3478\" wants the same TCP port as \":3478\" in "
        "listen.tcp or listen.tls; leave it out: those ports serve HTTP too; or take another port");
}

TEST_CASE("the store is a file beside the configuration unless its path is absolute",
          "[server][config]") {
  const Config::Store otherwise = loaded("").store;
  CHECK(otherwise.path == "/var/lib/turnpike/turnpike.db");
  CHECK(otherwise.is_default);
  const Config::Store store =
      loaded("[store]\nurl = \"sqlite:///srv/t.db\"\nkey_file = \"/etc/t.key\"\n").store;
  CHECK(store.path == "/srv/t.db");
  CHECK(store.key_file == "/etc/t.key");
  CHECK_FALSE(store.is_default);
  const ScratchDirectory directory;
  ConfigSources sources;
  sources.file = ConfigFile{directory.path() + "/t.toml", "store.url = \"sqlite:t.db\"\n"};
  const auto relative = load_config(sources);
  REQUIRE(relative);  // without credentials: there may be some in the store
  CHECK(relative->config.store.path == directory.path() + "/t.db");
  sources.file->text = "store.url = \"\"\n";
  CHECK_FALSE(load_config(sources));
  CHECK(loaded("store.url = \"\"\n").store.path.empty());
  for (const char* const url : {"mysql://host/db", "/var/lib/t.db", "sqlite:"}) {
    CHECK(refusal(std::string{"store.url = \""} + url + "\"\n") ==
          std::string{"t.toml:1:13: store.url: \""} + url +
              "\" is no store; write for example \"sqlite:/var/lib/turnpike/turnpike.db\"");
  }
}

TEST_CASE("everything that is wrong is reported at once, in the order of the file",
          "[server][config]") {
  const auto result =
      load("[log]\nlevel = \"loud\"\n[auth]\nnonce_lifetime = \"1s\"\n[relay]\nports = \"x\"\n",
           {{"TURNPIKE__WORKERS", "many"}});
  REQUIRE_FALSE(result);
  std::vector<std::string> keys;
  for (const ConfigError& error : result.error()) keys.push_back(error.key);
  CHECK(keys ==
        std::vector<std::string>{"log.level", "auth.nonce_lifetime", "relay.ports", "workers"});
}

// --- Secrets in files
// --------------------------------------------------------------------------------

TEST_CASE("a secret comes from a file, without its line break", "[server][config]") {
  const ScratchDirectory directory;
  const std::string file = directory.write("secret", good_secret + "\n", 0640);
  const Config config = loaded("[auth]\nsecrets = [{ id = \"a\", file = \"" + file + "\" }]\n");
  REQUIRE(config.auth.secrets.size() == 1);
  CHECK(config.auth.secrets[0].value == good_secret);
}

TEST_CASE("a relative secret file stands beside the configuration", "[server][config]") {
  const ScratchDirectory directory;
  (void)directory.write("secret", good_secret + "\n");
  ConfigSources sources;
  sources.file = ConfigFile{directory.path() + "/t.toml",
                            "[auth]\nsecrets = [{ id = \"a\", file = \"secret\" }]\n"};
  const auto result = load_config(sources);
  REQUIRE(result);
  CHECK(result->config.auth.secrets[0].value == good_secret);
}

TEST_CASE("a secret file that others can read or change is refused", "[server][config][C03]") {
  const ScratchDirectory directory;
  for (const mode_t mode : {mode_t{0644}, mode_t{0660}, mode_t{0602}, mode_t{0641}}) {
    CAPTURE(mode);
    const std::string file = directory.write("secret", good_secret, mode);
    const std::string text =
        refusal("[auth]\nsecrets = [{ id = \"a\", file = \"" + file + "\" }]\n");
    CHECK(contains(text, "t.toml:2:31: auth.secrets: the file \"" + file + "\" has mode 06"));
    CHECK(contains(text, "run `chmod 640 " + file + "`"));
  }
  for (const mode_t mode : {mode_t{0400}, mode_t{0600}, mode_t{0440}, mode_t{0640}}) {
    CAPTURE(mode);
    CHECK(read_secret_file(directory.write("secret" + std::to_string(mode), good_secret, mode)) ==
          good_secret);
  }
}

TEST_CASE("a missing, weak or huge secret file is refused by name", "[server][config][C03]") {
  const ScratchDirectory directory;
  const auto refused = [](const std::string& file) {
    return refusal("[auth]\nsecrets = [{ id = \"a\", file = \"" + file + "\" }]\n");
  };
  CHECK(contains(refused(directory.path() + "/none"), "/none\" cannot be read: No such file"));
  const std::string weak = directory.write("weak", "short\n");
  CHECK(contains(refused(weak), "the secret has 5 bytes, fewer than 32 (in \"" + weak + "\")"));
  CHECK(contains(refused(directory.write("huge", std::string(70'000, 'h'))),
                 "larger than 65536 bytes"));
  CHECK(contains(refused(directory.path()), "cannot be read"));
}

// --- Environment, settings, precedence
// -----------------------------------------------------------------

TEST_CASE("a refusal stays on one line, whatever the name of what is refused", "[server][config]") {
  const std::string sentences[] = {refusal("\"a\\nb\" = 1\n"),
                                   refusal("", {{"TURNPIKE__A\nB", "1"}}),
                                   refusal(load("", {}, {{"a\nb", "1"}}))};
  for (const std::string& sentence : sentences) {
    CAPTURE(sentence);
    CHECK(contains(sentence, "\\u000A"));
    CHECK_FALSE(contains(sentence, "\n"));
  }
}

TEST_CASE("a refusal of broken TOML quotes it without its control characters", "[server][config]") {
  const std::string sentences[] = {refusal("workers = t\x12\n"),
                                   refusal("", {{"TURNPIKE__AUTH__USERS", "t\x12:"}})};
  for (const std::string& sentence : sentences) {
    CAPTURE(sentence);
    CHECK(contains(sentence, "this is no TOML"));
    CHECK_FALSE(contains(sentence, "\x12"));
  }
}

TEST_CASE("the environment and flags must be UTF-8, as the file must", "[server][config]") {
  CHECK(refusal("", {{"TURNPIKE__REALM", "\xff\xfe"}}) ==
        "environment variable TURNPIKE__REALM: realm: this is not UTF-8; write it in UTF-8");
  CHECK(contains(refusal(load("", {}, {{"realm", "caf\xe9"}})), "this is not UTF-8"));
  CHECK(loaded("", {{"TURNPIKE__REALM", "caf\xc3\xa9"}}).realm == "caf\xc3\xa9");
}

TEST_CASE("the environment overrides the file", "[server][config]") {
  const Environment environment{
      {"TURNPIKE__REALM", "from-environment"},
      {"TURNPIKE__LISTEN__UDP", ":3478,[::1]:3479"},
      {"TURNPIKE__WORKERS", "3"},
      {"TURNPIKE__PUBLIC_IP", "203.0.113.10, 2001:db8::10"},
      {"TURNPIKE__AUTH__STRICT_EXPIRY", "true"},
      {"TURNPIKE__RELAY__ALLOW_PEERS", ""},
      {"TURNPIKE__AUTH__USERS", "[{ name = \"bob\", password = \"builder\" }]"},
      {"TURNPIKE_SEED", "7"},
      {"PATH", "/bin"}};
  const Config config =
      loaded("realm = \"from-file\"\n[relay]\nallow_peers = [\"10.0.0.0/8\"]\n", environment);
  CHECK(config.realm == "from-environment");
  CHECK(config.listen.udp.size() == 2);
  CHECK(config.workers == 3);
  CHECK(config.public_ip.size() == 2);
  CHECK(config.auth.strict_expiry);
  CHECK(config.relay.allow_peers.empty());
  REQUIRE(config.auth.users.size() == 1);
  CHECK(config.auth.users[0].name == "bob");
}

TEST_CASE("a setting overrides the environment, which overrides the file", "[server][config]") {
  const auto result =
      load("realm = \"file\"\ndomain = \"file.example\"\nworkers = 1\n",
           {{"TURNPIKE__REALM", "environment"}, {"TURNPIKE__DOMAIN", "environment.example"}},
           {{"realm", "first"}, {"realm", "flag"}, {"relay.deny_peers", "10.0.0.0/8,192.0.2.1"}});
  REQUIRE(result);
  CHECK(result->config.realm == "flag");
  CHECK(result->config.domain == "environment.example");
  CHECK(result->config.relay.deny_peers.size() == 2);
  CHECK(result->origins.at("realm") == "--set realm");
  CHECK(result->origins.at("domain") == "env TURNPIKE__DOMAIN");
  CHECK(result->origins.at("workers") == "t.toml:3");
  CHECK(result->origins.at("relay.ports") == "default");
}

TEST_CASE("unknown or wrong variables are refused by name", "[server][config][C01]") {
  CHECK(
      refusal("", {{"TURNPIKE__RELAY__PORT", "1"}}) ==
      "environment variable TURNPIKE__RELAY__PORT: turnpike 0.1.0 knows no such key; did you mean "
      "TURNPIKE__RELAY__PORTS?");
  CHECK(contains(refusal("", {{"TURNPIKE__realm", "x"}}), "did you mean TURNPIKE__REALM?"));
  CHECK(contains(refusal("", {{"TURNPIKE__REALM_FILE", "x"}}), "knows no such key"));
  CHECK(refusal("", {{"TURNPIKE__WORKERS", "four"}}) ==
        "environment variable TURNPIKE__WORKERS: workers: the text \"four\" was given where a "
        "whole number is expected; "
        "write for example 4");
  CHECK(contains(refusal("", {{"TURNPIKE__AUTH__STRICT_EXPIRY", "yes"}}),
                 "where true or false is expected"));
  CHECK(contains(refusal("", {{"TURNPIKE__AUTH__USERS", "bob:canary"}}), "this is no TOML value"));
}

TEST_CASE("one secret may come from the environment, as a value or a file", "[server][config]") {
  const ScratchDirectory directory;
  const std::string file = directory.write("secret", good_secret + "\n");
  for (const auto& [name, value] : Environment{{"TURNPIKE__AUTH__SECRET", good_secret},
                                               {"TURNPIKE__AUTH__SECRET_FILE", file}}) {
    CAPTURE(name);
    const Config config =
        loaded("[auth]\nsecrets = [{ id = \"file\", value = \"" + good_secret + "!\" }]\n",
               {{name, value}});
    REQUIRE(config.auth.secrets.size() == 1);
    CHECK(config.auth.secrets[0].id == "env");
    CHECK(config.auth.secrets[0].value == good_secret);
  }
  CHECK(contains(
      refusal("", {{"TURNPIKE__AUTH__SECRET", good_secret}, {"TURNPIKE__AUTH__SECRET_FILE", file}}),
      "TURNPIKE__AUTH__SECRET sets the same; unset one of the two"));
  CHECK(contains(
      refusal("", {{"TURNPIKE__AUTH__SECRET", "short"}}),
      "environment variable TURNPIKE__AUTH__SECRET: auth.secrets: the secret has 5 bytes"));
  const std::string users =
      directory.write("users", "[{ name = \"bob\", password = \"builder\" }]\n");
  CHECK(loaded("", {{"TURNPIKE__AUTH__USERS_FILE", users}}).auth.users.size() == 1);
}

TEST_CASE("secrets are not taken from the command line", "[server][config]") {
  const std::string text = refusal(
      load("", {}, {{"auth.secrets", "[{ id = \"a\", value = \"" + good_secret + "\" }]"}}));
  CHECK(contains(text, "--set auth.secrets: secrets are not taken from the command line"));
  CHECK_FALSE(contains(text, good_secret));
  CHECK(contains(refusal(load("", {}, {{"relay.port", "1"}})), "did you mean relay.ports?"));
}

TEST_CASE("the quickstart's values are a layer of their own", "[server][config]") {
  Config quickstart;
  quickstart.listen.udp = {ListenAddress{IpAddress::parse("127.0.0.1"), 3478}};
  quickstart.auth.secrets = {{"quickstart", good_secret}};
  ConfigSources sources;
  sources.quickstart = quickstart;
  sources.environment = {{"TURNPIKE__LOG__LEVEL", "debug"}};
  const auto result = load_config(sources);
  REQUIRE(result);
  CHECK(result->config.listen.udp == quickstart.listen.udp);
  CHECK(result->config.log.level == LogLevel::debug);
  CHECK(result->origins.at("listen.udp") == "quickstart");
  CHECK(result->origins.at("log.level") == "env TURNPIKE__LOG__LEVEL");
  CHECK(result->origins.at("log.format") == "default");
}

// --- Showing
// -------------------------------------------------------------------------------------------

TEST_CASE("what is shown of the configuration has no secrets", "[server][config][I08]") {
  const auto result =
      load(some_auth + "auth.users = [{ name = \"alice\", password = \"canary-password\" }]\n" +
           "auth.api_keys = [{ id = \"web\", value = \"" + good_secret + "\" }]\n");
  REQUIRE(result);
  std::string everything;
  for (const ShownKey& key : shown_config(*result)) {
    everything += key.path + " = " + to_toml(key.value) + " # " + key.origin + "\n";
  }
  CHECK(contains(everything, "auth.secrets = [{ id = \"a\", value = \"(hidden)\" }] # t.toml:1\n"));
  CHECK(contains(everything,
                 "auth.users = [{ name = \"alice\", password = \"(hidden)\" }] # t.toml:2\n"));
  CHECK(contains(everything,
                 "auth.api_keys = [{ id = \"web\", value = \"(hidden)\" }] # t.toml:3\n"));
  CHECK_FALSE(contains(everything, "canary-password"));
  CHECK_FALSE(contains(everything, good_secret));
}

TEST_CASE("every key's default and example are accepted by the key itself", "[server][config]") {
  for (const ConfigKey& key : config_keys()) {
    CAPTURE(std::string{key.path});
    const std::string line = std::string{key.path} + " = ";
    CHECK(refusal(line + to_toml(key.show(Config{})) + "\n") == "(accepted)");
    // Not those that name files or need some, or that come in pairs.
    if (key.path != "auth.secrets" && key.path != "auth.api_keys" && key.path != "listen.tls" &&
        key.path != "listen.dtls" && key.path != "listen.proxy_protocol" &&
        !key.path.starts_with("tls.") && !key.path.starts_with("nat_discovery.") &&
        key.path != "relay.alternate_domain") {
      CHECK(refusal(line + std::string{key.example} + "\n") == "(accepted)");
    }
    CHECK_FALSE(key.meaning.empty());
  }
}

TEST_CASE("a configuration with secrets that anyone may read is worth a warning",
          "[server][config]") {
  const ScratchDirectory directory;
  const auto warnings_of = [&](const std::string& text, mode_t mode) {
    ConfigSources sources;
    auto file = read_config_file(directory.write("t.toml", text, mode));
    REQUIRE(file);
    sources.file = std::move(*file);
    sources.require_credentials = false;
    const auto result = load_config(sources);
    REQUIRE(result);
    return result->warnings;
  };
  CHECK(warnings_of(some_auth, 0644).size() == 1);
  CHECK(warnings_of(some_auth, 0640).empty());
  CHECK(warnings_of("workers = 1\n", 0644).empty());
}

TEST_CASE("a configuration file that cannot be read is refused by name", "[server][config]") {
  const ScratchDirectory directory;
  const auto missing = read_config_file(directory.path() + "/none.toml");
  REQUIRE_FALSE(missing);
  CHECK(contains(missing.error().to_string(),
                 "/none.toml: cannot be read: No such file or directory"));
  REQUIRE_FALSE(read_config_file(directory.path()));
  REQUIRE_FALSE(read_config_file(directory.write("big", std::string(1'100'000, '#'))));
}
