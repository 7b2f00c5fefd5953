// The users of live allocations, each kept once.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bandwidth.h"

namespace turnpike::turn {

enum class UserId : std::uint32_t {};

/// The bandwidth of one user.
struct UserBandwidth {
  std::optional<BandwidthLimit> own{};    ///< instead of the limit for all users
  SharedBandwidthMeter* meter = nullptr;  ///< of the account, for all workers; the ledger's
};

/// Interns users by reference count. A name may stand for two accounts at a time: the configuration
/// has changed, and what was a static user's is a time-limited one now, or the other way about.
class UserTable {
 public:
  /// Adds a reference to the user `username`, whose quota is kept under `account`.
  [[nodiscard]] UserId acquire(std::string_view username, std::string_view account);
  /// Drops a reference; the last one forgets the user.
  void release(UserId id);

  /// The user of that name and account; nothing when it has no references.
  [[nodiscard]] std::optional<UserId> find(std::string_view username,
                                           std::string_view account) const;

  /// Valid while the user has references.
  [[nodiscard]] std::string_view username(UserId id) const { return at(id).username; }
  [[nodiscard]] std::string_view account(UserId id) const { return at(id).account; }
  /// What the user's allocations may relay, and have.
  [[nodiscard]] UserBandwidth& bandwidth(UserId id) {
    return users_.at(static_cast<std::uint32_t>(id)).bandwidth;
  }
  [[nodiscard]] const UserBandwidth& bandwidth(UserId id) const { return at(id).bandwidth; }
  [[nodiscard]] std::size_t size() const { return ids_.size(); }

 private:
  struct User {
    std::string username;
    std::string account;
    std::uint32_t references = 0;
    UserBandwidth bandwidth;
  };

  [[nodiscard]] const User& at(UserId id) const {
    return users_.at(static_cast<std::uint32_t>(id));
  }

  std::vector<User> users_;
  std::vector<std::uint32_t> free_;
  std::multimap<std::string, std::uint32_t, std::less<>> ids_;  // by name
};

}  // namespace turnpike::turn
