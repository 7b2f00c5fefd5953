// Whether a username and a password would be accepted, and if not, why: what a server answers with
// 401 alone.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "server/config.h"
#include "store/store.h"

namespace turnpike::cli {

/// What there is to check against.
struct CredentialSources {
  const server::Config& config;
  std::optional<store::StoredUser> stored_user{};  ///< the one of that name
  std::vector<store::StoredSecret> secrets{};      ///< of the store
  std::vector<store::Revocation> revocations{};    ///< that hold
};

struct Verdict {
  bool is_accepted = false;
  std::string by;      ///< "user of the configuration", "secret 2026-11 of the store"; or empty
  std::string reason;  ///< why not; empty when accepted
};

/// The rules of the server: users of the configuration, then of the store, then time-limited
/// usernames under any secret that is valid at `now`.
[[nodiscard]] Verdict check_credential(const std::string& username, const std::string& password,
                                       const CredentialSources& sources, WallTime now);

}  // namespace turnpike::cli
