// Where the store and the key that it is sealed with are.
#pragma once

#include <map>
#include <string>

#include "server/config.h"
#include "store/sqlite.h"

namespace turnpike::server {

/// The key: `store.key_file`, else the systemd credential "turnpike-store-key" when there is one
/// ($CREDENTIALS_DIRECTORY), else the database's path with ".key" behind it.
/// Precondition: `store.path` is not empty.
[[nodiscard]] store::Location store_location(const Config::Store& store,
                                             const std::map<std::string, std::string>& environment);

}  // namespace turnpike::server
