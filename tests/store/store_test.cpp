#include "store/store.h"

#include "catch.h"
#include "store/store_files.h"

namespace turnpike::test {

using namespace store;

TEST_CASE("a secret verifies from its beginning until just before its end", "[store]") {
  StoredSecret secret = secret_called("a", "value", noon);
  CHECK_FALSE(secret.is_valid_at(noon - seconds{1}));
  CHECK(secret.is_valid_at(noon));
  CHECK(secret.is_valid_at(noon + seconds{1'000'000'000}));
  secret.not_after = noon + seconds{10};
  CHECK(secret.is_valid_at(noon + seconds{9}));
  CHECK_FALSE(secret.is_valid_at(noon + seconds{10}));
}

TEST_CASE("the valid secret that began last signs", "[store]") {
  std::vector<StoredSecret> secrets{secret_called("old", "1", noon - seconds{100}),
                                    secret_called("new", "2", noon),
                                    secret_called("next", "3", noon + seconds{100})};
  CHECK(signing_secret(secrets, noon - seconds{101}) == nullptr);
  CHECK(signing_secret(secrets, noon - seconds{1})->id == "old");
  CHECK(signing_secret(secrets, noon)->id == "new");
  CHECK(signing_secret(secrets, noon + seconds{100})->id == "next");
  secrets[2].not_after = noon + seconds{150};
  CHECK(signing_secret(secrets, noon + seconds{150})->id == "new");
  CHECK(signing_secret({}, noon) == nullptr);
}

TEST_CASE("a revocation holds until just before its end", "[store]") {
  Revocation revocation{.kind = RevokedName::account, .name = "alice"};
  CHECK(revocation.holds_at(noon));
  revocation.until = noon;
  CHECK(revocation.holds_at(noon - seconds{1}));
  CHECK_FALSE(revocation.holds_at(noon));
  CHECK(to_string(RevokedName::account) == "account");
  CHECK(to_string(RevokedName::username) == "username");
}

}  // namespace turnpike::test
