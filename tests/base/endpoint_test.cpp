#include "base/endpoint.h"

#include <set>
#include <string>
#include <unordered_set>

#include "base/aborts.h"
#include "base/hex.h"
#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::test {

namespace {

IpAddress address(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

IpPrefix prefix(std::string_view text) {
  const auto parsed = IpPrefix::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

Endpoint endpoint(std::string_view text) {
  const auto parsed = Endpoint::parse(text);
  REQUIRE(parsed);
  return *parsed;
}

IpAddress random_address(SeededRandom& random) {
  const Family family = random.below(2) == 0 ? Family::ipv4 : Family::ipv6;
  return IpAddress::from_bytes(family, random.bytes(address_bytes(family)));
}

}  // namespace

// --- IpAddress -----------------------------------------------------------------------------------

TEST_CASE("addresses are read and printed in their usual spelling", "[base]") {
  auto [text, family, bytes,
        printed] = GENERATE(table<std::string, Family, std::string, std::string>({
      {"0.0.0.0", Family::ipv4, "00000000", "0.0.0.0"},
      {"192.0.2.1", Family::ipv4, "c0000201", "192.0.2.1"},
      {"255.255.255.255", Family::ipv4, "ffffffff", "255.255.255.255"},
      {"::", Family::ipv6, "00000000000000000000000000000000", "::"},
      {"::1", Family::ipv6, "00000000000000000000000000000001", "::1"},
      {"2001:db8::1", Family::ipv6, "20010db8000000000000000000000001", "2001:db8::1"},
      {"2001:DB8:0:0:0:0:0:1", Family::ipv6, "20010db8000000000000000000000001", "2001:db8::1"},
      {"2001:db8:1234:5678:11:2233:4455:6677", Family::ipv6, "20010db8123456780011223344556677",
       "2001:db8:1234:5678:11:2233:4455:6677"},
      {"::ffff:192.0.2.1", Family::ipv6, "00000000000000000000ffffc0000201", "::ffff:192.0.2.1"},
      {"::ffff:c000:201", Family::ipv6, "00000000000000000000ffffc0000201", "::ffff:192.0.2.1"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", Family::ipv6,
       "ffffffffffffffffffffffffffffffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
  }));
  CAPTURE(text);
  const auto parsed = IpAddress::parse(text);
  REQUIRE(parsed);
  CHECK(parsed->family() == family);
  CHECK(to_hex(parsed->bytes()) == bytes);
  CHECK(parsed->to_string() == printed);
}

TEST_CASE("what is no address is refused", "[base]") {
  const std::string text = GENERATE(values<std::string>({
      "",
      " ",
      "1",
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.",
      ".1.2.3",
      "1..2.3",
      "256.0.0.1",
      "1.2.3.-4",
      "01.2.3.4",
      "1.2.3.04",
      "0x7f.0.0.1",
      "0177.0.0.1",
      "127.1",
      "2130706433",
      "1.2.3.4 ",
      " 1.2.3.4",
      "1.2.3.4\n",
      "1,2,3,4",
      "localhost",
      "1.2.3.4:80",
      "1.2.3.4/32",
      "[1.2.3.4]",
      ":",
      ":::",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "::1::",
      "12345::",
      "g::",
      "::1%lo",
      "fe80::1%1",
      "[::1]",
      "::1/128",
      "::1.2.3",
      "::256.1.1.1",
      "1:2:3:4:5:6:7:1.2.3.4",
      "::ffff:1.2.3.4.5",
      "::-1",
  }));
  CAPTURE(text);
  CHECK_FALSE(IpAddress::parse(text));
}

TEST_CASE("an address followed by a NUL is no address", "[base]") {
  CHECK_FALSE(IpAddress::parse(std::string_view{"127.0.0.1\0", 10}));
  CHECK_FALSE(IpAddress::parse(std::string_view{"8.8.8.8\0.evil.example", 21}));
  CHECK_FALSE(IpAddress::parse(std::string_view{"::1\0", 4}));
  CHECK_FALSE(IpAddress::parse(std::string_view{"\0", 1}));
}

TEST_CASE("a very long text is no address", "[base]") {
  CHECK_FALSE(IpAddress::parse(std::string(100'000, '1')));
  CHECK_FALSE(IpAddress::parse(std::string(100'000, ':')));
}

TEST_CASE("a default address is 0.0.0.0", "[base]") {
  CHECK(IpAddress{} == address("0.0.0.0"));
  CHECK(IpAddress{}.is_any());
  CHECK(IpAddress::any(Family::ipv4) == address("0.0.0.0"));
  CHECK(IpAddress::any(Family::ipv6) == address("::"));
  CHECK(IpAddress::any(Family::ipv4) != IpAddress::any(Family::ipv6));
}

TEST_CASE("an IPv4 address can be made from a number", "[base]") {
  CHECK(IpAddress::v4(0xc0000201) == address("192.0.2.1"));
  STATIC_REQUIRE(IpAddress::v4(1).family() == Family::ipv4);
}

TEST_CASE("addresses made from bytes need as many as their family has", "[base]") {
  CHECK(IpAddress::from_bytes(Family::ipv4, from_hex("c0000201")) == address("192.0.2.1"));
  CHECK(aborts([] { (void)IpAddress::from_bytes(Family::ipv4, Bytes(16, 0)); }));
  CHECK(aborts([] { (void)IpAddress::from_bytes(Family::ipv6, Bytes(4, 0)); }));
  CHECK(aborts([] { (void)IpAddress::from_bytes(Family::ipv6, Bytes(0, 0)); }));
}

TEST_CASE("special addresses are told apart", "[base]") {
  auto [text, any, loopback, link_local] = GENERATE(table<std::string, bool, bool, bool>({
      {"0.0.0.0", true, false, false},
      {"0.0.0.1", false, false, false},
      {"126.255.255.255", false, false, false},
      {"127.0.0.0", false, true, false},
      {"127.255.255.255", false, true, false},
      {"128.0.0.0", false, false, false},
      {"169.253.255.255", false, false, false},
      {"169.254.0.0", false, false, true},
      {"169.254.255.255", false, false, true},
      {"169.255.0.0", false, false, false},
      {"::", true, false, false},
      {"::1", false, true, false},
      {"::2", false, false, false},
      {"7f00::", false, false, false},
      {"1::1", false, false, false},
      {"a9fe::", false, false, false},
      {"fe7f:ffff::", false, false, false},
      {"fe80::", false, false, true},
      {"febf:ffff::1", false, false, true},
      {"fec0::", false, false, false},
  }));
  CAPTURE(text);
  CHECK(address(text).is_any() == any);
  CHECK(address(text).is_loopback() == loopback);
  CHECK(address(text).is_link_local() == link_local);
}

TEST_CASE("every address survives printing and reading", "[base]") {
  const std::uint64_t seed = seed_or(5);
  CAPTURE(seed);
  SeededRandom random{seed};
  for (int i = 0; i < 3000; ++i) {
    IpAddress original = random_address(random);
    if (random.below(2) == 0) {  // runs of zeros, where the spelling of IPv6 is intricate
      Bytes bytes = copy_of(original.bytes());
      for (std::uint8_t& byte : bytes) {
        if (random.below(4) != 0) byte = 0;
      }
      original = IpAddress::from_bytes(original.family(), bytes);
    }
    CAPTURE(original.to_string());
    CHECK(IpAddress::parse(original.to_string()) == original);
  }
}

TEST_CASE("addresses are ordered by family, then by bytes", "[base]") {
  CHECK(address("9.255.255.255") < address("10.0.0.0"));
  CHECK(address("255.255.255.255") < address("::"));
  CHECK(address("2001:db8::ff") < address("2001:db8::100"));
  CHECK(address("2001:db8:0:1::") > address("2001:db8::ffff"));
}

// --- unmapped ------------------------------------------------------------------------------------

TEST_CASE("IPv4-mapped IPv6 addresses become the IPv4 address they stand for", "[base][P05]") {
  auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"::ffff:192.0.2.1", "192.0.2.1"},
      {"::ffff:0:0", "0.0.0.0"},
      {"::ffff:255.255.255.255", "255.255.255.255"},
      // All others stay as they are: neighbours of the mapped block and the other embeddings.
      {"192.0.2.1", "192.0.2.1"},
      {"::", "::"},
      {"::192.0.2.1", "::192.0.2.1"},
      {"::fffe:c000:201", "::fffe:c000:201"},
      {"::1:ffff:c000:201", "::1:ffff:c000:201"},
      {"::ffff:0:c000:201", "::ffff:0:c000:201"},
      {"1::ffff:c000:201", "1::ffff:c000:201"},
      {"64:ff9b::c000:201", "64:ff9b::c000:201"},
      {"2002:c000:201::", "2002:c000:201::"},
  }));
  CAPTURE(text);
  CHECK(unmapped(address(text)) == address(expected));
}

// --- subscriber_of -------------------------------------------------------------------------------

TEST_CASE("one IPv4 address or one IPv6 /64 is one subscriber", "[base]") {
  auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"192.0.2.1", "192.0.2.1"},
      {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
      {"2001:db8:1:2::", "2001:db8:1:2::"},
      {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::"},
      {"::1", "::"},
  }));
  CAPTURE(text);
  CHECK(subscriber_of(address(text)) == address(expected));
}

// --- IpPrefix ------------------------------------------------------------------------------------

TEST_CASE("prefixes are read and printed in CIDR notation", "[base]") {
  auto [text, printed, length, host] = GENERATE(table<std::string, std::string, unsigned, bool>({
      {"10.0.0.0/8", "10.0.0.0/8", 8, false},
      {"0.0.0.0/0", "0.0.0.0/0", 0, false},
      {"128.0.0.0/1", "128.0.0.0/1", 1, false},
      {"172.16.0.0/12", "172.16.0.0/12", 12, false},
      {"192.0.2.2/31", "192.0.2.2/31", 31, false},
      {"192.0.2.1/32", "192.0.2.1/32", 32, true},
      {"192.0.2.1", "192.0.2.1/32", 32, true},
      {"::/0", "::/0", 0, false},
      {"2001:db8::/32", "2001:db8::/32", 32, false},
      {"2001:db8::/33", "2001:db8::/33", 33, false},
      {"fe80::/10", "fe80::/10", 10, false},
      {"2001:db8::2/127", "2001:db8::2/127", 127, false},
      {"2001:db8::1/128", "2001:db8::1/128", 128, true},
      {"::1", "::1/128", 128, true},
  }));
  CAPTURE(text);
  const auto parsed = IpPrefix::parse(text);
  REQUIRE(parsed);
  CHECK(parsed->to_string() == printed);
  CHECK(parsed->length() == length);
  CHECK(parsed->is_host() == host);
  CHECK(IpPrefix::parse(printed) == parsed);
}

TEST_CASE("what is no prefix is refused", "[base][C02]") {
  const std::string text = GENERATE(values<std::string>({
      "",
      "/",
      "/8",
      "10.0.0.0/",
      "10.0.0.0/33",
      "10.0.0.0/-1",
      "10.0.0.0/+8",
      "10.0.0.0/ 8",
      "10.0.0.0/8 ",
      "10.0.0.0 /8",
      "10.0.0.0/8/8",
      "10.0.0.0//8",
      "10.0.0.0/a",
      "10.0.0.0/8a",
      "10.0.0.0/0x8",
      "10.0/8",
      "10.0.0.0/4294967304",
      "10.0.0.0/18446744073709551624",
      "::/129",
      "2001:db8::/",
      "2001:db8/32",
      "[2001:db8::]/32",
      "10.0.0.0-10.255.255.255",
      "10.0.0.0/255.0.0.0",
      "example.com/8",
      "*",
      // host bits are set
      "10.0.0.1/8",
      "10.1.0.0/8",
      "10.0.0.0/4",
      "0.0.0.1/0",
      "128.0.0.0/0",
      "192.0.2.1/31",
      "2001:db8::1/32",
      "2001:db8:8000::/32",
      "2001:db8::1/127",
      "::1/0",
      "fec0::/9",
  }));
  CAPTURE(text);
  CHECK_FALSE(IpPrefix::parse(text));
}

TEST_CASE("a prefix with a NUL in it is refused", "[base][C02]") {
  CHECK_FALSE(IpPrefix::parse(std::string_view{"10.0.0.0/8\0", 11}));
  CHECK_FALSE(IpPrefix::parse(std::string_view{"10.0.0.0\0/8", 11}));
}

TEST_CASE("a prefix contains exactly its block", "[base][P15]") {
  auto [block, first, last, before, after] =
      GENERATE(table<std::string, std::string, std::string, std::string, std::string>({
          {"10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
          {"172.16.0.0/12", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
          {"100.64.0.0/10", "100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"},
          {"192.0.2.1/32", "192.0.2.1", "192.0.2.1", "192.0.2.0", "192.0.2.2"},
          {"192.0.2.2/31", "192.0.2.2", "192.0.2.3", "192.0.2.1", "192.0.2.4"},
          {"fe80::/10", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
           "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fec0::"},
          {"2001::/23", "2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
           "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
          {"2001:db8::1/128", "2001:db8::1", "2001:db8::1", "2001:db8::", "2001:db8::2"},
      }));
  CAPTURE(block);
  CHECK(prefix(block).contains(address(first)));
  CHECK(prefix(block).contains(address(last)));
  CHECK_FALSE(prefix(block).contains(address(before)));
  CHECK_FALSE(prefix(block).contains(address(after)));
}

TEST_CASE("a prefix of length zero contains its whole family and nothing of the other", "[base]") {
  CHECK(prefix("0.0.0.0/0").contains(address("255.255.255.255")));
  CHECK_FALSE(prefix("0.0.0.0/0").contains(address("::")));
  CHECK(prefix("::/0").contains(address("ffff::1")));
  CHECK_FALSE(prefix("::/0").contains(address("0.0.0.0")));
  CHECK_FALSE(prefix("::/0").contains(address("192.0.2.1")));
}

TEST_CASE("containment is equality of the first bits, bit by bit", "[base][P15]") {
  const std::uint64_t seed = seed_or(23);
  CAPTURE(seed);
  SeededRandom random{seed};
  const auto bit = [](const IpAddress& a, unsigned i) {
    return (a.bytes()[i / 8] >> (7 - i % 8)) & 1;
  };
  for (int round = 0; round < 3000; ++round) {
    const IpAddress base = random_address(random);
    const auto bits = static_cast<unsigned>(base.bytes().size() * 8);
    const auto length = static_cast<unsigned>(random.below(bits + 1));
    Bytes network = copy_of(base.bytes());
    for (unsigned i = length; i < bits; ++i) {
      network[i / 8] = static_cast<std::uint8_t>(network[i / 8] & ~(0x80U >> (i % 8)));
    }
    const IpPrefix block{IpAddress::from_bytes(base.family(), network), length};
    Bytes other_bytes = copy_of(base.bytes());
    const auto flipped = static_cast<unsigned>(random.below(bits));
    other_bytes[flipped / 8] =
        static_cast<std::uint8_t>(other_bytes[flipped / 8] ^ (0x80U >> (flipped % 8)));
    const IpAddress other = IpAddress::from_bytes(base.family(), other_bytes);

    CAPTURE(block.to_string(), base.to_string(), other.to_string());
    bool naive = true;
    for (unsigned i = 0; i < length; ++i) naive = naive && bit(other, i) == bit(block.address(), i);
    CHECK(block.contains(base));
    CHECK(block.contains(other) == naive);
    CHECK(IpPrefix::parse(block.to_string()) == block);
  }
}

TEST_CASE("a prefix with host bits or too great a length cannot be made", "[base]") {
  CHECK(aborts([] { IpPrefix{IpAddress::v4(0x0a000001), 8}; }));
  CHECK(aborts([] { IpPrefix{IpAddress::v4(0), 33}; }));
  CHECK_FALSE(aborts([] { IpPrefix{IpAddress::any(Family::ipv6), 33}; }));
  CHECK(IpPrefix::host(IpAddress::v4(0x0a000001)).to_string() == "10.0.0.1/32");
}

// --- Endpoint ------------------------------------------------------------------------------------

TEST_CASE("endpoints are read and printed, IPv6 in brackets", "[base]") {
  auto [text, host, port] = GENERATE(table<std::string, std::string, std::uint16_t>({
      {"192.0.2.1:3478", "192.0.2.1", std::uint16_t{3478}},
      {"0.0.0.0:0", "0.0.0.0", std::uint16_t{0}},
      {"255.255.255.255:65535", "255.255.255.255", std::uint16_t{65535}},
      {"[2001:db8::1]:3478", "2001:db8::1", std::uint16_t{3478}},
      {"[::]:1", "::", std::uint16_t{1}},
      {"[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1", std::uint16_t{80}},
  }));
  CAPTURE(text);
  const auto parsed = Endpoint::parse(text);
  REQUIRE(parsed);
  CHECK(parsed->address == address(host));
  CHECK(parsed->port == port);
  CHECK(parsed->family() == parsed->address.family());
  CHECK(parsed->to_string() == text);
}

TEST_CASE("what is no endpoint is refused", "[base]") {
  const std::string text = GENERATE(values<std::string>({
      "",
      ":",
      ":80",
      "192.0.2.1",
      "192.0.2.1:",
      "192.0.2.1:65536",
      "192.0.2.1:-1",
      "192.0.2.1:+1",
      "192.0.2.1: 1",
      "192.0.2.1:1 ",
      " 192.0.2.1:1",
      "192.0.2.1:1a",
      "192.0.2.1:0x50",
      "192.0.2.1:80:80",
      "192.0.2.1:4294967376",
      "192.0.2.1:18446744073709551696",
      "192.0.2.1 :80",
      "[192.0.2.1]:80",
      "[]:80",
      "[:80",
      "]:80",
      "2001:db8::1:3478",
      "::1",
      "[::1]",
      "[::1]:",
      "[::1]:65536",
      "[::1:80",
      "::1]:80",
      "[[::1]]:80",
      "[::1] :80",
      "[::1]80",
      "[::1]:80:",
      "[::1%lo]:80",
      "[::1%2]:80",
      "[2001:db8::1%2]:80",
      "[fe80::1%lo]:80",
      "[fe80::1%0]:80",
      "[fe80::1%-1]:80",
      "[fe80::1%4294967296]:80",
      "[fe80::1%]:80",
      "[fe80::1%2%3]:80",
      "[%2]:80",
      "169.254.0.1%2:80",
      "example.com:80",
      "192.0.2.1/32:80",
  }));
  CAPTURE(text);
  CHECK_FALSE(Endpoint::parse(text));
}

TEST_CASE("a link-local endpoint is another one on another link", "[base][rfc4007]") {
  const Endpoint one = endpoint("[fe80::1%2]:3478");
  CHECK(one.scope == 2);
  CHECK(one.to_string() == "[fe80::1%2]:3478");
  const Endpoint other = endpoint("[fe80::1%4294967295]:3478");
  CHECK(other.to_string() == "[fe80::1%4294967295]:3478");
  const Endpoint nowhere = endpoint("[fe80::1]:3478");
  CHECK(nowhere.scope == 0);
  for (const Endpoint& another : {other, nowhere}) {
    CHECK_FALSE((one == another));
    CHECK(hash_of(one, HashSeed{7}) != hash_of(another, HashSeed{7}));
    const FiveTuple tuple{one, endpoint("[::1]:3478"), Transport::udp};
    FiveTuple moved = tuple;
    moved.client = another;
    CHECK_FALSE((tuple == moved));
    CHECK(hash_of(tuple, HashSeed{7}) != hash_of(moved, HashSeed{7}));
  }
  CHECK(one.address.needs_scope());
  CHECK_FALSE(IpAddress::parse("169.254.0.1")->needs_scope());
  CHECK_FALSE(IpAddress::parse("2001:db8::1")->needs_scope());
}

TEST_CASE("an endpoint with a NUL in it is refused", "[base]") {
  CHECK_FALSE(Endpoint::parse(std::string_view{"192.0.2.1\0:80", 13}));
  CHECK_FALSE(Endpoint::parse(std::string_view{"192.0.2.1:80\0", 13}));
  CHECK_FALSE(Endpoint::parse(std::string_view{"[::1\0]:80", 9}));
}

TEST_CASE("every endpoint survives printing and reading", "[base]") {
  const std::uint64_t seed = seed_or(7);
  CAPTURE(seed);
  SeededRandom random{seed};
  for (int i = 0; i < 2000; ++i) {
    const Endpoint original{random_address(random), static_cast<std::uint16_t>(random.next())};
    CAPTURE(original.to_string());
    CHECK(Endpoint::parse(original.to_string()) == original);
  }
}

TEST_CASE("endpoints are equal in address and port, five-tuples in all they have",
          "[base][rfc8656-3]") {
  const Endpoint a = endpoint("192.0.2.1:1");
  const Endpoint b = endpoint("192.0.2.1:2");
  const Endpoint c = endpoint("192.0.2.2:1");
  CHECK(a == endpoint("192.0.2.1:1"));
  CHECK(a != b);
  CHECK(a != c);
  CHECK(a < b);
  CHECK(b < c);
  CHECK(endpoint("192.0.2.1:1") != endpoint("[::ffff:192.0.2.1]:1"));

  const FiveTuple tuple{a, b, Transport::udp};
  CHECK(tuple == FiveTuple{a, b, Transport::udp});
  CHECK(tuple != FiveTuple{b, a, Transport::udp});
  CHECK(tuple != FiveTuple{a, c, Transport::udp});
  CHECK(tuple != FiveTuple{c, b, Transport::udp});
  CHECK(tuple != FiveTuple{a, b, Transport::tcp});
}

TEST_CASE("transports have names", "[base]") {
  CHECK(to_string(Transport::udp) == "udp");
  CHECK(to_string(Transport::tcp) == "tcp");
  CHECK(to_string(Transport::tls) == "tls");
  CHECK(to_string(Transport::dtls) == "dtls");
}

// --- Hashes of addresses -------------------------------------------------------------------------

TEST_CASE("equal keys have equal hashes under one seed and other hashes under another", "[base]") {
  const FiveTuple tuple{endpoint("192.0.2.1:1"), endpoint("[2001:db8::1]:3478"), Transport::udp};
  const FiveTuple same{endpoint("192.0.2.1:1"), endpoint("[2001:db8::1]:3478"), Transport::udp};
  CHECK(hash_of(tuple, HashSeed{1}) == hash_of(same, HashSeed{1}));
  CHECK(hash_of(tuple, HashSeed{1}) != hash_of(tuple, HashSeed{2}));
  CHECK(hash_of(tuple.client, HashSeed{1}) != hash_of(tuple.client, HashSeed{2}));
  CHECK(hash_of(tuple.server.address, HashSeed{1}) != hash_of(tuple.server.address, HashSeed{2}));
}

TEST_CASE("each part of a key changes its hash", "[base]") {
  const HashSeed seed{0x1234};
  const FiveTuple tuple{endpoint("192.0.2.1:1"), endpoint("192.0.2.2:2"), Transport::udp};
  std::set<std::uint64_t> hashes{hash_of(tuple, seed)};
  hashes.insert(hash_of(FiveTuple{tuple.server, tuple.client, Transport::udp}, seed));
  hashes.insert(hash_of(FiveTuple{tuple.client, tuple.server, Transport::tcp}, seed));
  hashes.insert(hash_of(FiveTuple{tuple.client, tuple.server, Transport::tls}, seed));
  hashes.insert(hash_of(FiveTuple{tuple.client, tuple.server, Transport::dtls}, seed));
  hashes.insert(hash_of(FiveTuple{endpoint("192.0.2.1:3"), tuple.server, Transport::udp}, seed));
  hashes.insert(hash_of(FiveTuple{endpoint("192.0.2.3:1"), tuple.server, Transport::udp}, seed));
  hashes.insert(hash_of(FiveTuple{tuple.client, endpoint("192.0.2.2:3"), Transport::udp}, seed));
  hashes.insert(hash_of(FiveTuple{tuple.client, endpoint("192.0.2.3:2"), Transport::udp}, seed));
  CHECK(hashes.size() == 9);
  CHECK(hash_of(address("0.0.0.0"), seed) != hash_of(address("::"), seed));
}

TEST_CASE("ports cannot undo differences between addresses", "[base]") {
  // Whoever owns a /16, or an IPv6 /48, chooses both parts freely: equal sums, differences or XORs
  // of the two must not share a hash, whatever the seed.
  const std::string host_pattern =
      GENERATE(values<std::string>({"c0a80000", "20010db8000100000000000000000000"}));
  const std::size_t varied =
      host_pattern.size() == 8 ? 2 : 6;  // the 16 bits that the owner chooses
  CAPTURE(host_pattern);
  Bytes host = from_hex(host_pattern);
  const Family family = host.size() == 4 ? Family::ipv4 : Family::ipv6;
  const HashSeed seed{0x9876543210};
  std::unordered_set<std::uint64_t> xors;
  std::unordered_set<std::uint64_t> sums;
  constexpr unsigned count = 4096;
  for (unsigned i = 0; i < count; ++i) {
    store_be16(MutableByteView{host}.subspan(varied), static_cast<std::uint16_t>(i));
    const IpAddress from = IpAddress::from_bytes(family, host);
    xors.insert(hash_of(Endpoint{from, static_cast<std::uint16_t>(i ^ 0x5555)}, seed));
    sums.insert(hash_of(Endpoint{from, static_cast<std::uint16_t>(50000 - i)}, seed));
  }
  CHECK(xors.size() == count);
  CHECK(sums.size() == count);
}

TEST_CASE("neighbouring endpoints spread over all buckets of a table", "[base]") {
  constexpr std::size_t buckets = 256;
  std::vector<unsigned> low(buckets);
  std::vector<unsigned> high(buckets);
  for (std::uint32_t host = 0; host < 256; ++host) {
    for (std::uint16_t port = 0; port < 256; ++port) {
      const std::uint64_t hash =
          hash_of(Endpoint{IpAddress::v4(0x0a000000 + host), port}, HashSeed{42});
      ++low[hash % buckets];
      ++high[hash >> 56];
    }
  }
  // 256 expected in each; a fair throw strays by 128 (8 standard deviations) never.
  const auto [low_min, low_max] = std::minmax_element(low.begin(), low.end());
  const auto [high_min, high_max] = std::minmax_element(high.begin(), high.end());
  CHECK(*low_min > 128);
  CHECK(*low_max < 384);
  CHECK(*high_min > 128);
  CHECK(*high_max < 384);
}

}  // namespace turnpike::test
