// What a source outside the configuration, such as a store or the operator's hook, says of a user.
#pragma once

#include <optional>

#include "auth/user_limits.h"
#include "base/time.h"
#include "stun/integrity.h"
#include "stun/registry.h"

namespace turnpike::auth {

/// The keys of one user, ready to compute with.
struct UserKeys {
  std::optional<stun::IntegrityKey> md5{};
  std::optional<stun::IntegrityKey> sha256{};

  /// Null when there is none for `algorithm`.
  [[nodiscard]] const stun::IntegrityKey* of(stun::PasswordAlgorithm algorithm) const {
    const auto& key = algorithm == stun::PasswordAlgorithm::md5 ? md5 : sha256;
    return key ? &*key : nullptr;
  }
  /// Returns the key as it is kept.
  const stun::IntegrityKey& set(stun::PasswordAlgorithm algorithm, const stun::IntegrityKey& key) {
    auto& place = algorithm == stun::PasswordAlgorithm::md5 ? md5 : sha256;
    return place.emplace(key);
  }
};

struct UserAnswer {
  std::optional<UserKeys> keys{};  ///< nothing: there is no such user
  UserLimits limits{};
  Instant valid_until{};  ///< then the source is asked again
};

}  // namespace turnpike::auth
