#include "server/store_location.h"

#include "catch.h"
#include "server/scratch_directory.h"

namespace turnpike::test {

using server::store_location;

TEST_CASE("the store's key is the configured one, systemd's, or beside the store", "[server]") {
  const ScratchDirectory credentials;
  server::Config::Store store{.path = "/var/lib/t.db", .key_file = "", .is_default = false};
  const std::map<std::string, std::string> environment{
      {"CREDENTIALS_DIRECTORY", credentials.path()}};
  CHECK(store_location(store, {}).path == "/var/lib/t.db");
  CHECK(store_location(store, {}).key_file == "/var/lib/t.db.key");
  CHECK(store_location(store, environment).key_file == "/var/lib/t.db.key");
  const std::string credential = credentials.write("turnpike-store-key", "");
  CHECK(store_location(store, environment).key_file == credential);
  store.key_file = "/etc/turnpike/store.key";
  CHECK(store_location(store, environment).key_file == "/etc/turnpike/store.key");
}

}  // namespace turnpike::test
