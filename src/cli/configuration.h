// How commands come by the configuration: which file, what else, and what to say when it is
// refused.
#pragma once

#include <string>
#include <vector>

#include "cli/app.h"
#include "server/config_load.h"

namespace CLI {
class App;
}  // namespace CLI

namespace turnpike::cli {

/// `--config FILE` and `--set KEY=VALUE`.
struct ConfigOptions {
  std::string file;                   ///< empty: the default path, if there is such a file
  std::vector<std::string> settings;  ///< "relay.ports=50000-60000"
  bool require_credentials = true;    ///< false: also one by which nobody could authenticate
};

/// Adds both options to `command`; `options` outlives the tree.
void add_config_options(CLI::App& command, ConfigOptions& options);

/// Whether the quickstart's secret is wanted when there is nothing else.
enum class QuickstartSecret : std::uint8_t { make, leave_out };

/// A configuration and how it was found.
struct FoundConfig {
  server::LoadedConfig loaded;
  std::string origin;  ///< the file's path, "environment" or "quickstart"
  bool quickstart = false;
};

/// Why a configuration was refused.
using ConfigErrors = std::vector<server::ConfigError>;

/// Finds and checks the configuration: the named file, else the default one, else the environment
/// when it brings credentials, else the quickstart.
/// Throws CommandFailure for a malformed --set or a quickstart that cannot keep its secret.
[[nodiscard]] Result<FoundConfig, ConfigErrors> find_config(const ConfigOptions& options,
                                                            QuickstartSecret secret, const Io& io);

/// As find_config(); refusals are printed to `io.err`, one line each, and end the command with 78.
[[nodiscard]] FoundConfig require_config(const ConfigOptions& options, QuickstartSecret secret,
                                         const Io& io);

/// Prints the refusals as require_config() does.
void print_errors(const ConfigErrors& errors, const Io& io);

}  // namespace turnpike::cli
