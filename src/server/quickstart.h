// What `turnpike serve` does when there is no configuration at all: a safe server on loopback, with
// a secret of its own, and the lines that make it usable at once.
#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "server/config.h"

namespace turnpike::server {

/// Where state is kept: $STATE_DIRECTORY (systemd), else /var/lib/turnpike for root, else
/// $XDG_STATE_HOME/turnpike, else ~/.local/state/turnpike. Empty when none of them is known.
[[nodiscard]] std::string state_directory(const std::map<std::string, std::string>& environment,
                                          bool is_root);

/// True when this host has ::1.
[[nodiscard]] bool has_ipv6_loopback();

/// Loopback listeners on port 3478, without credentials yet.
[[nodiscard]] Config quickstart_listeners(bool with_ipv6);

/// The secret in `<state_dir>/quickstart.secret`, made on the first call (mode 0600, in a directory
/// that only the owner may enter) and the same ever after.
/// Error: one sentence that names the file and the remedy.
[[nodiscard]] Result<std::string, std::string> quickstart_secret(const std::string& state_dir);

/// Where the secret is that quickstart_secret() makes.
[[nodiscard]] std::string quickstart_secret_file(const std::string& state_dir);

/// Where the control socket of a quickstart server is.
[[nodiscard]] std::string quickstart_socket(const std::string& state_dir);

/// Listeners, secret and control socket together.
[[nodiscard]] Result<Config, std::string> quickstart_config(const std::string& state_dir);

/// What the quickstart prints: the listeners, a RTCPeerConnection snippet with credentials for 24
/// hours from `now`, lines to test the server with, and how to stop it. `config` has a secret.
[[nodiscard]] std::string quickstart_banner(const Config& config, WallTime now);

}  // namespace turnpike::server
