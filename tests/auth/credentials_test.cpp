#include "auth/credentials.h"

#include "auth/opaque_string.h"
#include "base/hex.h"
#include "catch.h"
#include "stun/integrity.h"
#include "stun/samples.h"

namespace turnpike::auth {

using stun::PasswordAlgorithm;
using test::to_hex;
using namespace std::string_literals;

// --- Keys ----------------------------------------------------------------------------------------

TEST_CASE("the long-term key with MD5 is that of RFC 8489", "[auth][rfc8489-9.2.2][c21]") {
  CHECK(to_hex(long_term_key(PasswordAlgorithm::md5, "user", "realm", "pass")) ==
        "8493fbc53ba582fb4c044c456bdc40eb");
}

TEST_CASE("the long-term key with SHA-256 hashes the same text", "[auth][rfc8489-18.5.1.2][c21]") {
  CHECK(to_hex(long_term_key(PasswordAlgorithm::sha256, "user", "realm", "pass")) ==
        to_hex(sha256(bytes_of("user:realm:pass"))));
  CHECK(long_term_key(PasswordAlgorithm::sha256, "user", "realm", "pass").size() == 32);
}

TEST_CASE("a key made ready for MACs is the same key", "[auth][rfc8489-9.2.2]") {
  const auto algorithm = GENERATE(PasswordAlgorithm::md5, PasswordAlgorithm::sha256);
  const stun::IntegrityKey made{long_term_key(algorithm, "user", "realm", "pass")};
  const stun::IntegrityKey key = integrity_key(algorithm, "user", "realm", "pass");
  const ByteView text = bytes_of("text");
  CHECK(key.sha1.mac({text}) == made.sha1.mac({text}));
  CHECK(key.sha256.mac({text}) == made.sha256.mac({text}));
}

TEST_CASE("the key of the sample request verifies it", "[auth][rfc5769-2.4][c26]") {
  const stun::Bytes bytes = stun::from_hex(stun::rfc5769_2_4_long_term_request);
  // U+00AD, which stands in the RFC's password, goes away in SASLprep, and OpaqueString refuses it.
  const stun::IntegrityKey key{long_term_key(PasswordAlgorithm::md5, stun::matrix_user,
                                             stun::matrix_realm, stun::matrix_password)};
  CHECK(stun::verify_message_integrity(stun::parsed(bytes), key.sha1));
}

TEST_CASE("names and passwords may have colons in them, at the price of ambiguity",
          "[auth][rfc8489-9.2.2]") {
  CHECK(long_term_key(PasswordAlgorithm::md5, "a:b", "c", "d") ==
        long_term_key(PasswordAlgorithm::md5, "a", "b:c", "d"));
}

TEST_CASE("the username is hashed as it stands, not normalised", "[auth][rfc8489-9.2.2][c21]") {
  const auto composed = "\xc3\xa9"s;     // é
  const auto decomposed = "e\xcc\x81"s;  // e and an accent
  CHECK(long_term_key(PasswordAlgorithm::md5, composed, "r", "p") !=
        long_term_key(PasswordAlgorithm::md5, decomposed, "r", "p"));
}

TEST_CASE("USERHASH is that of RFC 8489", "[auth][rfc8489-14.4][rfc8489-B.1][c21]") {
  CHECK(to_hex(userhash(stun::matrix_user, stun::matrix_realm)) ==
        "4a3cf38fef6992bda952c6780417da0f24819415569e60b205c46e41407f1704");
}

// --- Time-limited users --------------------------------------------------------------------------

TEST_CASE("a time-limited username is a time and an account", "[auth][c78]") {
  const auto user = parse_time_limited_username("1795219200:alice");
  REQUIRE(user);
  CHECK(user->expires == WallTime{seconds{1795219200}});
  CHECK(user->account == "alice");
  CHECK(parse_time_limited_username("1795219200:a:b:c")->account == "a:b:c");
  CHECK(parse_time_limited_username("1795219200")->account == "1795219200");
  CHECK(parse_time_limited_username("1795219200")->expires == WallTime{seconds{1795219200}});
  CHECK(parse_time_limited_username("1:x")->expires == WallTime{seconds{1}});
  CHECK(parse_time_limited_username("253402300799:x"));  // the end of the year 9999
}

TEST_CASE("a room member's account is known by the id that rooms give", "[auth]") {
  CHECK(is_room_member(room_member_account("p_7Qk2-_9z", "demo")));
  CHECK(is_room_member("p_7Qk2-_9z@a@b"));
  const auto other = GENERATE(as<std::string>{}, "", "alice", "alice@example.com", "p_7Qk2@demo",
                              "p_7Qk2-_9z", "p_7Qk2-_9z@", "q_7Qk2-_9z@demo", "p_7Qk2-.9z@demo",
                              "p_7Qk2-_9zz@demo", "p_smith@example.com");
  CHECK_FALSE(is_room_member(other));
}

TEST_CASE("what is no time-limited username is refused", "[auth][c78][A10]") {
  const auto username = GENERATE(
      as<std::string>{}, "", ":", "alice", "alice:1795219200", ":alice", "0:alice", "0",
      "01795219200:alice", "00:alice", "-1795219200:alice", "-1", "+1795219200:alice",
      " 1795219200:alice", "1795219200 :alice", "1795219200:", "1795219200.5:alice", "1.8e9:alice",
      "0x6b00c080:alice", "1795219200a:alice", "253402300800:alice", "9223372036854775807:alice",
      "9223372036854775808:alice", "18446744073709551616:alice", "99999999999999999999999999:alice",
      "\xd9\xa1\xd9\xa7:alice" /* Arabic-Indic digits */);
  CAPTURE(username);
  CHECK_FALSE(parse_time_limited_username(username));
  CHECK_FALSE(parse_time_limited_username("1795219200\0:alice"s));
}

TEST_CASE("what is minted can be read", "[auth][c78]") {
  const WallTime expiry{seconds{1795219200}};
  CHECK(time_limited_username(expiry, "alice") == "1795219200:alice");
  CHECK(time_limited_username(expiry, "") == "1795219200");
  CHECK(parse_time_limited_username(time_limited_username(expiry, "alice"))->account == "alice");
}

TEST_CASE("the password of a time-limited user is a MAC of its name", "[auth][c78]") {
  // printf 1795219200:alice | openssl dgst -sha1 -hmac north -binary | base64
  CHECK(time_limited_password("north", "1795219200:alice") == "cD1kbo8xgULBlms1gjYUrJDOAl8=");
  CHECK(time_limited_password("south", "1795219200:alice") !=
        time_limited_password("north", "1795219200:alice"));
  CHECK(time_limited_password("north", "1795219201:alice") !=
        time_limited_password("north", "1795219200:alice"));
}

}  // namespace turnpike::auth
