#include "auth/nonce.h"

#include <set>

#include "base/hex.h"
#include "catch.h"

namespace turnpike::auth {

using namespace std::chrono_literals;

namespace {

constexpr NonceIssuer::Key key{1, 2, 3};
constexpr SecurityFeatures both{.password_algorithms = true, .username_anonymity = true};
constexpr SecurityFeatures algorithms_only{.password_algorithms = true,
                                           .username_anonymity = false};
const Endpoint alice = Endpoint::parse("198.51.100.7:4000").value();
constexpr Instant start = Instant{} + 1'000'000s;

}  // namespace

TEST_CASE("the feature bits suit both readings of RFC 8489", "[auth][rfc8489-18.1][c15]") {
  CHECK(feature_bits({.password_algorithms = false, .username_anonymity = false}) == 0x000000);
  CHECK(feature_bits(algorithms_only) == 0x800001);
  CHECK(feature_bits({.password_algorithms = false, .username_anonymity = true}) == 0x400002);
  CHECK(feature_bits(both) == 0xc00003);
}

TEST_CASE("a nonce begins with the cookie of its features", "[auth][rfc8489-9.2][c15]") {
  const NonceIssuer plain{key, 600s, algorithms_only};
  const NonceIssuer anonymous{key, 600s, both};
  CHECK(plain.issue(alice, start).text().starts_with("obMatJos2gAAB"));
  CHECK(anonymous.issue(alice, start).text().starts_with("obMatJos2wAAD"));
  CHECK(plain.has_own_cookie("obMatJos2gAAB"));
  CHECK_FALSE(plain.has_own_cookie("obMatJos2wAAD"));
  CHECK_FALSE(plain.has_own_cookie("obMatJos2gAA"));
}

TEST_CASE("a nonce is short text that can stand in quotes", "[auth][rfc8489-14.10][c22]") {
  const NonceIssuer issuer{key, 600s, both};
  for (int i = 0; i < 300; ++i) {
    const Nonce nonce = issuer.issue(alice, start + seconds{i});
    CHECK(nonce.text().size() == 29);
    CHECK(nonce.text().find_first_of("\"\\ \r\n") == std::string_view::npos);
    CHECK(nonce.text().find('=') == std::string_view::npos);  // no character is padding
  }
}

TEST_CASE("a nonce lasts its lifetime, to the second", "[auth][rfc8489-9.2][c30][A03]") {
  const NonceIssuer issuer{key, 600s, both};
  const Nonce nonce = issuer.issue(alice, start);
  CHECK(issuer.is_valid(nonce.text(), alice, start));
  CHECK(issuer.is_valid(nonce.text(), alice, start + 600s));
  CHECK(issuer.is_valid(nonce.text(), alice, start + 600s + 999ms));
  CHECK_FALSE(issuer.is_valid(nonce.text(), alice, start + 601s));
  CHECK_FALSE(issuer.is_valid(nonce.text(), alice, start - 1s));  // not from the future
}

TEST_CASE("a nonce does not come back to life when its 16 bits of time wrap", "[auth][c30][A03]") {
  const auto lifetime = GENERATE(seconds{600}, seconds{65535});
  const NonceIssuer issuer{key, lifetime, both};
  const Nonce nonce = issuer.issue(alice, start);
  CHECK(issuer.is_valid(nonce.text(), alice, start + lifetime));
  for (const seconds wrap : {65536s, 65537s, 65536s + 600s, 2 * 65536s, 65536s * 65536}) {
    CHECK_FALSE(issuer.is_valid(nonce.text(), alice, start + wrap));
  }
}

TEST_CASE("a nonce is good for one address and port", "[auth][rfc8489-9.2.4][c13][A03]") {
  const NonceIssuer issuer{key, 600s, both};
  const Nonce nonce = issuer.issue(alice, start);
  const auto other = GENERATE(as<std::string>{}, "198.51.100.7:4001", "198.51.100.8:4000",
                              "198.51.100.7:0", "[::ffff:198.51.100.7]:4000", "[c633:6407::]:4000");
  const Endpoint thief = Endpoint::parse(other).value();
  CHECK(issuer.issue(thief, start).text() != nonce.text());
  CHECK_FALSE(issuer.is_valid(nonce.text(), thief, start));
}

TEST_CASE("no two sources share a nonce", "[auth][rfc8489-9.2.4][c13][A14]") {
  const NonceIssuer issuer{key, 600s, both};
  std::set<std::string> seen;
  for (std::uint32_t i = 0; i < 5000; ++i) {
    const Endpoint client{IpAddress::v4(0xc6336400 + i / 100),
                          static_cast<std::uint16_t>(1024 + i % 100)};
    seen.insert(std::string{issuer.issue(client, start).text()});
  }
  CHECK(seen.size() == 5000);
}

TEST_CASE("any altered character makes a nonce invalid", "[auth][rfc8489-9.2.4][c19][A03][A05]") {
  const NonceIssuer issuer{key, 600s, both};
  const std::string nonce{issuer.issue(alice, start).text()};
  for (std::size_t i = 0; i < nonce.size(); ++i) {
    for (const char other :
         {'A', 'B', '/', '+', '=', '\0', '\xff', static_cast<char>(nonce[i] ^ 1)}) {
      if (other == nonce[i]) continue;
      std::string altered = nonce;
      altered[i] = other;
      CAPTURE(i, altered);
      CHECK_FALSE(issuer.is_valid(altered, alice, start));
    }
  }
  for (std::size_t size = 0; size < nonce.size(); ++size) {
    CHECK_FALSE(issuer.is_valid(nonce.substr(0, size), alice, start));
  }
  CHECK_FALSE(issuer.is_valid(nonce + "A", alice, start));
  CHECK_FALSE(issuer.is_valid(std::string(763, 'x'), alice, start));
}

TEST_CASE("another key or other features: not our nonce", "[auth][c16][A04]") {
  const NonceIssuer issuer{key, 600s, both};
  CHECK(NonceIssuer{key, 600s, both}.is_valid(issuer.issue(alice, start).text(), alice, start));
  CHECK_FALSE(
      NonceIssuer{{9}, 600s, both}.is_valid(issuer.issue(alice, start).text(), alice, start));
  CHECK_FALSE(NonceIssuer{key, 600s, algorithms_only}.is_valid(issuer.issue(alice, start).text(),
                                                               alice, start));
}

TEST_CASE("just after the clock began nothing old is valid", "[auth][A03]") {
  const NonceIssuer issuer{key, 65535s, both};
  const Nonce later = issuer.issue(alice, Instant{} + 10s);
  CHECK_FALSE(issuer.is_valid(later.text(), alice, Instant{} + 5s));
  CHECK(issuer.is_valid(issuer.issue(alice, Instant{}).text(), alice, Instant{} + 5s));
}

}  // namespace turnpike::auth
