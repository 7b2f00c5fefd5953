// Who the process is, and what it may do besides what that account may.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "server/config.h"

namespace turnpike::server {

/// An account of this host.
struct Account {
  std::string name;
  uid_t user;
  gid_t group;
};

/// The account that a server becomes which root has started: `server.user`, else "turnpike" where
/// there is one. Nothing: it stays root, for there is none or "root" is asked for. Throws
/// StartError when the account asked for is not there.
[[nodiscard]] std::optional<Account> account_to_become(const Config::Server& config);

/// Becomes `account`, with its groups, for good. Only the right to bind ports below 1024 is kept.
/// There must be no threads. Throws StartError.
void become(const Account& account);

/// Gives what is root's in `directory`, and the directory, to `account`: the quickstart made it
/// before it was known who the server would be.
void hand_over(const std::string& directory, const Account& account);

/// No memory of this process goes to a core dump, and no process of the same user may look into it:
/// keys and secrets are there, and what a crash writes lies about (HOSTILE.md I08).
void forbid_core_dumps();

/// Gives up every capability of this thread for good, but with `low_ports` the right to bind ports
/// below 1024, if it is there. False when that is not permitted, as under a filter of systemd's;
/// what is left is then what the service manager granted.
[[nodiscard]] bool drop_capabilities(bool low_ports);

}  // namespace turnpike::server
