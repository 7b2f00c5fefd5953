// From file, environment and flags to a checked Config. Reads no environment and no clock itself:
// the caller says what there is.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "server/config.h"
#include "server/config_schema.h"

namespace turnpike::server {

/// Where the configuration is looked for when nobody names a file.
inline constexpr std::string_view default_config_path = "/etc/turnpike/turnpike.toml";

/// The text of a configuration file and the name it goes by in messages.
struct ConfigFile {
  std::string name;
  std::string text;
};

/// Everything that can say something about the configuration, least important first.
struct ConfigSources {
  std::optional<Config> quickstart;  ///< instead of the built-in defaults
  std::optional<ConfigFile> file;
  std::map<std::string, std::string> environment;             ///< only TURNPIKE__… is looked at
  std::vector<std::pair<std::string, std::string>> settings;  ///< `--set key=value`, in order
  bool require_credentials = true;  ///< refuse when nobody could ever authenticate
};

/// A configuration that holds together, and where its values come from.
struct LoadedConfig {
  Config config;
  std::map<std::string, std::string> origins;  ///< for every key: "default", "turnpike.toml:3", …
  std::vector<std::string> warnings;           ///< accepted, but worth a line in the log
  std::vector<std::string> files;              ///< that were read: its own, and those with secrets
};

using ConfigResult = Result<LoadedConfig, std::vector<ConfigError>>;

/// Reads a configuration file (at most 1 MiB).
[[nodiscard]] Result<ConfigFile, ConfigError> read_config_file(const std::string& path);

/// Puts all sources together. Precedence: setting, environment, file, quickstart, default.
///
/// Environment: TURNPIKE__SECTION__KEY, or TURNPIKE__KEY for keys without section. Lists of texts
/// are separated by commas; lists of tables are written as TOML. Keys with secrets may also come as
/// …_FILE, which names a file with the value. TURNPIKE__AUTH__SECRET (or …_FILE) is short for a
/// list `auth.secrets` of one secret with the id "env". As everywhere, the value replaces that of
/// the file.
///
/// Error: everything that is wrong, not only the first thing, in the order in which it was written.
[[nodiscard]] ConfigResult load_config(const ConfigSources& sources);

/// True when `environment` brings secrets or users, so that there is something to serve without a
/// file.
[[nodiscard]] bool has_credentials(const std::map<std::string, std::string>& environment);

/// One `key = value` of the configuration in effect.
struct ShownKey {
  std::string path;
  ConfigValue value;  ///< secrets and passwords read "(hidden)"
  std::string origin;
};

/// All keys with their values, in the order of the documentation.
[[nodiscard]] std::vector<ShownKey> shown_config(const LoadedConfig& loaded);

/// A hint when the kernel may hand out the relay's ports to other sockets of this host: the two
/// ranges overlap and the ports are not reserved (HOSTILE C05).
///
/// `local_range` and `reserved` are the texts of /proc/sys/net/ipv4/ip_local_port_range and
/// ip_local_reserved_ports.
[[nodiscard]] std::optional<std::string> local_port_hint(const PortRange& relay_ports,
                                                         std::string_view local_range,
                                                         std::string_view reserved);

}  // namespace turnpike::server
