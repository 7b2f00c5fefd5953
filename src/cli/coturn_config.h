// What coturn's turnserver.conf says, as Turnpike's configuration, and what becomes of each line.
// Reads no file itself but those the configuration names (certificates), by the rules of the key
// table.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/coturn_database.h"
#include "cli/coturn_options.h"
#include "server/config_value.h"
#include "store/store.h"

namespace turnpike::cli::coturn {

/// One line of the report. Holds no secret.
struct Remark {
  unsigned line = 0;   ///< 0: what coturn does unless told otherwise, or from its database
  std::string option;  ///< as in turnserver.conf
  Fate fate = Fate::mapped;
  std::string key;   ///< of turnpike.toml; may be empty
  std::string text;  ///< why, and what to do
};

/// `key = value` of the new configuration.
struct Setting {
  std::string key;
  server::ConfigValue value;
  std::string origin;  ///< "min-port, max-port"
};

/// Everything there is to import.
struct Source {
  std::vector<Option> options;
  std::string directory{};  ///< of the file: relative paths start here
  std::optional<Database> database{};
  std::string fresh_secret{};  ///< for a configuration that lets nobody in, or everybody
  std::string store{};         ///< path of the database that users with keys go to; empty: to none
};

struct Import {
  std::vector<Setting> settings;  ///< in the order of the key table
  std::vector<Remark> remarks;    ///< by line; every option has one
  /// Those of whom only the key is known: no configuration holds such. Empty without a store.
  std::vector<store::StoredUser> users;
};

/// Never a weaker policy: what cannot be said in Turnpike's configuration is left denied.
[[nodiscard]] Import convert(const Source& source);

/// `settings` as a configuration file; `name` is that of the file they come from.
[[nodiscard]] std::string to_toml(const std::vector<Setting>& settings, std::string_view name);

}  // namespace turnpike::cli::coturn
