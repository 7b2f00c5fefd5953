// coturn's SQLite database of users (turndb).
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace turnpike::cli::coturn {

/// What of the database matters. Realms may be empty: then it is for every realm.
struct Database {
  struct User {
    std::string realm;
    std::string name;
    std::string key_hex;  ///< MD5 or SHA-256 of name, realm and password
  };
  struct RealmValue {
    std::string realm;
    std::string value;
  };
  struct RealmOption {
    std::string realm;
    std::string name;  ///< "max-bps", "total-quota" or "user-quota"
    std::string value;
  };

  std::vector<User> users;
  std::vector<RealmValue> secrets;
  std::vector<RealmValue> allowed_peers;
  std::vector<RealmValue> denied_peers;
  std::vector<RealmOption> options;
  std::size_t origins = 0;  ///< rows of turn_origin_to_realm
  std::size_t oauth_keys = 0;
  std::size_t admin_users = 0;
};

/// Reads the database at `path`, and changes nothing in it. Tables that are not there are empty.
/// Error: one sentence with the file and what is wrong.
[[nodiscard]] Result<Database, std::string> read_database(const std::string& path);

}  // namespace turnpike::cli::coturn
