#include "auth/credential_book.h"

#include "base/hex.h"
#include "catch.h"

namespace turnpike::auth {

using stun::IntegrityKey;
using stun::PasswordAlgorithm;
using test::to_hex;
using namespace std::string_literals;

namespace {

std::string mark(const IntegrityKey& key) { return to_hex(key.sha256.mac({})); }

std::string mark_of(PasswordAlgorithm algorithm, std::string_view user, std::string_view realm,
                    std::string_view password) {
  return mark(IntegrityKey{long_term_key(algorithm, user, realm, password)});
}

CredentialSettings settings() {
  CredentialSettings made;
  made.realm = "example.org";
  made.users = {{"alice", "wonderland"}};
  return made;
}

}  // namespace

TEST_CASE("a static user has one key for each algorithm", "[auth][rfc8489-9.2.2][c21]") {
  const CredentialBook book{settings()};
  for (const auto algorithm : {PasswordAlgorithm::md5, PasswordAlgorithm::sha256}) {
    REQUIRE(book.static_key("alice", algorithm) != nullptr);
    CHECK(mark(*book.static_key("alice", algorithm)) ==
          mark_of(algorithm, "alice", "example.org", "wonderland"));
  }
  CHECK(book.static_key("Alice", PasswordAlgorithm::md5) == nullptr);
  CHECK(book.static_key("", PasswordAlgorithm::md5) == nullptr);
  CHECK(book.static_key("alice\0"s, PasswordAlgorithm::md5) == nullptr);
}

TEST_CASE("keys are made for the offered algorithms only", "[auth][c20][A06]") {
  auto made = settings();
  made.algorithms = {PasswordAlgorithm::sha256};
  const CredentialBook book{made};
  CHECK(book.static_key("alice", PasswordAlgorithm::sha256) != nullptr);
  CHECK(book.static_key("alice", PasswordAlgorithm::md5) == nullptr);
  CHECK(book.algorithms() == made.algorithms);
}

TEST_CASE("names, realm and passwords are normalised", "[auth][rfc8265-4][c21]") {
  CredentialSettings made;
  made.realm = "cafe\xcc\x81.example";                        // e and an accent
  made.users = {{"rene\xcc\x81", "open\xe3\x80\x80sesame"}};  // an ideographic space
  const CredentialBook book{made};
  CHECK(book.realm() == "caf\xc3\xa9.example");
  const auto* const key = book.static_key("ren\xc3\xa9", PasswordAlgorithm::md5);
  REQUIRE(key != nullptr);
  CHECK(mark(*key) == mark_of(PasswordAlgorithm::md5, "ren\xc3\xa9", book.realm(), "open sesame"));
}

TEST_CASE("what OpaqueString refuses is taken as it stands", "[auth][c21]") {
  auto made = settings();
  made.users = {{"tab\tbed", "pass\xff"}};
  const CredentialBook book{made};
  const auto* const key = book.static_key("tab\tbed", PasswordAlgorithm::md5);
  REQUIRE(key != nullptr);
  CHECK(mark(*key) == mark_of(PasswordAlgorithm::md5, "tab\tbed", "example.org", "pass\xff"));
}

TEST_CASE("a USERHASH leads to the static user", "[auth][rfc8489-14.4][c21][A07]") {
  const CredentialBook book{settings()};
  const auto hash = userhash("alice", "example.org");
  CHECK(book.username_of(hash) == "alice");
  CHECK_FALSE(book.username_of(userhash("alice", "example.com")));
  CHECK_FALSE(book.username_of(ByteView{hash}.first(31)));
  CHECK_FALSE(book.username_of({}));
}

TEST_CASE("a time-limited user's key follows from the secret", "[auth][c78]") {
  auto made = settings();
  made.secrets = {{"new", "north"}, {"old", "south"}};
  const CredentialBook book{made};
  CHECK(book.has_secrets());
  CHECK(book.secret_count() == 2);
  const std::string name = "1795219200:carol";
  const std::array<std::string, 2> secrets{"north", "south"};
  for (std::size_t i = 0; i < 2; ++i) {
    for (const auto algorithm : {PasswordAlgorithm::md5, PasswordAlgorithm::sha256}) {
      CHECK(mark(book.time_limited_key(i, name, algorithm)) ==
            mark_of(algorithm, name, "example.org", time_limited_password(secrets[i], name)));
    }
  }
}

TEST_CASE("a book tells what it has", "[auth]") {
  const CredentialBook empty{CredentialSettings{}};
  CHECK_FALSE(empty.has_static_users());
  CHECK_FALSE(empty.has_secrets());
  const CredentialBook book{settings()};
  CHECK(book.has_static_users());
  CHECK_FALSE(book.has_secrets());
  CHECK(book.algorithms() == std::vector{PasswordAlgorithm::sha256, PasswordAlgorithm::md5});
}

}  // namespace turnpike::auth
