#include "signaling/token.h"

#include "base/hex.h"
#include "catch.h"
#include "signaling/base64url.h"

namespace turnpike::signaling::test {

namespace {

constexpr WallTime now{seconds{1'800'000'000}};
constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";

// Made with another implementation (Python's hmac).
constexpr std::string_view foreign_hs256 =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0."
    "eyJzdWIiOiJ1Iiwicm9vbSI6ImRlbW8iLCJleHAiOjE4MDAwMDM2MDAsIm5hbWUiOiJNaW5hIiwicm9sZSI6InZpZXdlci"
    "IsImNhbiI6WyJtZXNzYWdlIl0sIm1heCI6NCwiaWNlIjp7InR0bCI6NjAwLCJyZWxheU9ubHkiOnRydWV9fQ."
    "1CnbksStksHIoU9BZWiwkuVhEebTn9h4bmHILxJuMtQ";

// Made with another implementation (Python's cryptography) and the key of RFC 8037 A.1.
constexpr std::string_view foreign_eddsa =
    "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImVkIn0."
    "eyJzdWIiOiJ1c2VyLTEiLCJyb29tIjoiZGVtbyIsImV4cCI6MTgwMDAwMzYwMCwibmFtZSI6Ik1pbmEiLCJyb2xlIjoib3"
    "duZXIifQ."
    "zynJCZRamsWKa3Nf0bpeC5jU3UB-QxpandU-6yPbTTIW3KFjdx_G4utfi_8IIw9fGTcp6nXTx13BpjuakuswCg";

HmacSha256Key hmac_key() { return HmacSha256Key{bytes_of(secret)}; }

Ed25519PublicKey ed25519_key() {
  const auto bytes = base64url_decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").value();
  Ed25519PublicKey key{};
  copy_bytes(bytes, key);
  return key;
}

const FixedTokenKeys& keys() {
  static const FixedTokenKeys all{{TokenKey{"k1", hmac_key()}, TokenKey{"ed", ed25519_key()}}};
  return all;
}

/// A token of this header and payload, rightly signed by k1.
std::string sign(std::string_view header, std::string_view payload) {
  std::string token =
      base64url_encode(bytes_of(header)) + "." + base64url_encode(bytes_of(payload));
  return token + "." + base64url_encode(hmac_key().mac({bytes_of(token)}));
}

constexpr std::string_view good_header = R"({"alg":"HS256","kid":"k1"})";
constexpr std::string_view good_payload = R"({"room":"demo","exp":1800003600})";

TokenError error_of(std::string_view token, const TokenKeys& with = keys()) {
  const auto result = verify_token(token, with, now);
  REQUIRE_FALSE(result);
  return result.error();
}

}  // namespace

TEST_CASE("a token from elsewhere verifies and says everything", "[signaling]") {
  const auto token = verify_token(foreign_hs256, keys(), now);
  REQUIRE(token);
  CHECK(token->key_id == "k1");
  const Claims& claims = token->claims;
  CHECK(claims.subject == "u");
  CHECK(claims.room == "demo");
  CHECK(claims.expires == now + seconds{3600});
  CHECK(claims.name == "Mina");
  CHECK(claims.role == Role::viewer);
  CHECK(claims.can == std::vector<Right>{Right::message});
  CHECK(claims.max == 4);
  CHECK(claims.ice_ttl == seconds{600});
  CHECK(claims.relay_only);
}

TEST_CASE("an Ed25519 token verifies", "[signaling]") {
  const auto token = verify_token(foreign_eddsa, keys(), now);
  REQUIRE(token);
  CHECK(token->key_id == "ed");
  CHECK(token->claims.subject == "user-1");
  CHECK(token->claims.role == Role::owner);
}

TEST_CASE("what is minted verifies and says the same", "[signaling]") {
  Claims claims;
  claims.room = "demo";
  claims.expires = now + seconds{60};
  SECTION("as little as possible") {}
  SECTION("everything") {
    claims.subject = "user \"1\"";
    claims.name = "미나";
    claims.role = Role::owner;
    claims.can = {Right::kick, Right::end};
    claims.max = 3;
    claims.ice_ttl = seconds{90};
    claims.relay_only = true;
  }
  const auto token = verify_token(mint_token(claims, "k1", hmac_key()), keys(), now);
  REQUIRE(token);
  CHECK(token->claims.subject == claims.subject);
  CHECK(token->claims.room == claims.room);
  CHECK(token->claims.expires == claims.expires);
  CHECK(token->claims.name == claims.name);
  CHECK(token->claims.role == claims.role);
  CHECK(token->claims.can == claims.can);
  CHECK(token->claims.max == claims.max);
  CHECK(token->claims.ice_ttl == claims.ice_ttl);
  CHECK(token->claims.relay_only == claims.relay_only);
}

TEST_CASE("no bit of a token can be flipped", "[signaling]") {
  const std::string good{GENERATE(foreign_hs256, foreign_eddsa)};
  std::size_t accepted = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string token = good;
      token[at] = static_cast<char>(token[at] ^ (1 << bit));
      if (verify_token(token, keys(), now)) ++accepted;
    }
  }
  CHECK(accepted == 0);
}

TEST_CASE("a token cut short or made longer is none", "[signaling]") {
  for (std::size_t size = 0; size < foreign_hs256.size(); ++size) {
    CHECK_FALSE(verify_token(foreign_hs256.substr(0, size), keys(), now));
  }
  for (const char* const more : {".", ".x", "=", "A", " ", "\n"}) {
    CHECK_FALSE(verify_token(std::string{foreign_hs256} + more, keys(), now));
  }
  CHECK(error_of(std::string(8193, 'a')) == TokenError::malformed);
}

TEST_CASE("the algorithm is the key's, whatever the header says", "[signaling]") {
  struct Row {
    std::string_view header;
    TokenError error;
  };
  const auto row = GENERATE(
      values<Row>({{R"({"alg":"none","kid":"k1"})", TokenError::wrong_algorithm},
                   {R"({"alg":"None","kid":"k1"})", TokenError::wrong_algorithm},
                   {R"({"alg":"hs256","kid":"k1"})", TokenError::wrong_algorithm},
                   {R"({"alg":"HS512","kid":"k1"})", TokenError::wrong_algorithm},
                   {R"({"alg":"EdDSA","kid":"k1"})", TokenError::wrong_algorithm},
                   {R"({"alg":"HS256","kid":"ed"})", TokenError::wrong_algorithm},
                   {R"({"alg":"HS256","kid":"k2"})", TokenError::unknown_key},
                   {R"({"alg":"HS256"})", TokenError::unknown_key},  // two keys: which is meant?
                   {R"({"kid":"k1"})", TokenError::malformed},
                   {R"({"alg":7,"kid":"k1"})", TokenError::malformed},
                   {R"({"alg":"HS256","kid":7})", TokenError::malformed},
                   {R"({"alg":"HS256","alg":"none","kid":"k1"})", TokenError::malformed},
                   {R"({"alg":"HS256","kid":"k1","crit":["exp"]})", TokenError::malformed},
                   {R"(["HS256"])", TokenError::malformed},
                   {"HS256", TokenError::malformed}}));
  CAPTURE(row.header);
  CHECK(error_of(sign(row.header, good_payload)) == row.error);
}

TEST_CASE("an unsigned token is refused", "[signaling]") {
  const std::string unsigned_token = base64url_encode(bytes_of(R"({"alg":"none"})")) + "." +
                                     base64url_encode(bytes_of(good_payload)) + ".";
  CHECK(error_of(unsigned_token) == TokenError::unknown_key);
  const FixedTokenKeys one{{TokenKey{"k1", hmac_key()}}};
  CHECK(error_of(unsigned_token, one) == TokenError::wrong_algorithm);
}

TEST_CASE("the public key of an Ed25519 pair is no HMAC secret", "[signaling]") {
  const Ed25519PublicKey key = ed25519_key();
  Claims claims;
  claims.room = "demo";
  claims.expires = now + seconds{60};
  CHECK(error_of(mint_token(claims, "ed", HmacSha256Key{key})) == TokenError::wrong_algorithm);
}

TEST_CASE("a token without kid is of the only key there is", "[signaling]") {
  const FixedTokenKeys one{{TokenKey{"k1", hmac_key()}}};
  const auto token = verify_token(sign(R"({"alg":"HS256"})", good_payload), one, now);
  REQUIRE(token);
  CHECK(token->key_id == "k1");
  CHECK(FixedTokenKeys{{}}.find("") == nullptr);
}

TEST_CASE("a token ends on the second it names", "[signaling]") {
  const auto payload = [](std::string_view exp) {
    return R"({"room":"demo","exp":)" + std::string{exp} + "}";
  };
  CHECK(verify_token(sign(good_header, payload("1800000001")), keys(), now));
  CHECK(verify_token(sign(good_header, payload("1800000001.9")), keys(), now));
  CHECK(error_of(sign(good_header, payload("1800000000"))) == TokenError::expired);
  CHECK(error_of(sign(good_header, payload("1800000000.9"))) == TokenError::expired);
  CHECK(error_of(sign(good_header, payload("0"))) == TokenError::expired);
  for (const char* const exp :
       {"null", "-1", "\"1800003600\"", "true", "1e300", "253402300800", "18446744073709551615"}) {
    CAPTURE(exp);
    CHECK(error_of(sign(good_header, payload(exp))) == TokenError::malformed);
  }
}

TEST_CASE("a token that is to come is not yet good, but for clocks that differ", "[signaling]") {
  const auto payload = [](std::string_view nbf) {
    return R"({"room":"demo","exp":1800003600,"nbf":)" + std::string{nbf} + "}";
  };
  CHECK(verify_token(sign(good_header, payload("1800000030")), keys(), now));
  CHECK(error_of(sign(good_header, payload("1800000031"))) == TokenError::not_yet_valid);
}

TEST_CASE("claims of the wrong shape make a token malformed, though it is signed", "[signaling]") {
  const auto payload = GENERATE(
      as<std::string>{}, R"({"exp":1800003600})", R"({"room":"","exp":1800003600})",
      R"({"room":7,"exp":1800003600})", R"({"room":"demo"})", R"({"room":"a\nb","exp":1800003600})",
      R"({"room":"demo","exp":1800003600,"sub":7})",
      R"({"room":"demo","exp":1800003600,"name":[]})",
      R"({"room":"demo","exp":1800003600,"role":"admin"})",
      R"({"room":"demo","exp":1800003600,"can":"kick"})",
      R"({"room":"demo","exp":1800003600,"max":0})", R"({"room":"demo","exp":1800003600,"max":-1})",
      R"({"room":"demo","exp":1800003600,"ice":7})",
      R"({"room":"demo","exp":1800003600,"ice":{"ttl":0}})",
      R"({"room":"demo","exp":1800003600,"ice":{"ttl":1e30}})",
      R"({"room":"demo","exp":1800003600,"ice":{"relayOnly":"yes"}})",
      R"({"room":"demo","room":"demo","exp":1800003600})", R"([])", R"(x)", "");
  CAPTURE(payload);
  CHECK(error_of(sign(good_header, payload)) == TokenError::malformed);
}

TEST_CASE("claims that mean nothing here are ignored", "[signaling]") {
  const auto token = verify_token(
      sign(
          good_header,
          R"({"room":"demo","exp":1800003600,"can":["fly","kick"],"iat":1,"aud":["x"],"max":999})"),
      keys(), now);
  REQUIRE(token);
  CHECK(token->claims.can == std::vector<Right>{Right::kick});
  CHECK(token->claims.max == 64);
  CHECK(token->claims.subject.empty());
}

}  // namespace turnpike::signaling::test
