// The server as one call: from a configuration to a running service, until it is told to stop.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/result.h"
#include "server/config.h"
#include "server/service_manager.h"

namespace turnpike::server {

/// What `turnpike serve` decides besides the configuration.
struct ServeOptions {
  /// Prefixes of the hard-denied tier that are opened all the same. Tests and benchmarks only; each
  /// is worth a warning in the log. Never from a file (DESIGN §5).
  std::vector<IpPrefix> insecure_allow_peers;
  /// For the log: the file's name, "quickstart", or "environment".
  std::string config_origin;
  /// What `read_again` reads, and the directory that the quickstart made; for the sandbox.
  std::vector<std::string> config_files{};
  std::string quickstart_directory{};
  /// Reads the configuration again, for a reload; every sentence of what is wrong with it.
  std::function<Result<Config, std::vector<std::string>>()> read_again;
  /// Who is told that the server is ready, alive and stopping.
  ServiceManagerSettings manager{};
  /// No configuration was found: print quickstart_banner() once the listeners are up.
  bool quickstart = false;
};

/// Runs the server until SIGINT or SIGTERM; SIGHUP has it read its configuration again. The result
/// is the exit code of the process (DESIGN §6). `config` has been checked by load_config().
[[nodiscard]] int run(const Config& config, const ServeOptions& options);

}  // namespace turnpike::server
