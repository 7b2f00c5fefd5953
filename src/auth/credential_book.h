// All the credentials a server accepts, as one immutable value shared by its workers.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/credentials.h"
#include "auth/user_answer.h"
#include "base/secret_memory.h"
#include "stun/integrity.h"

namespace turnpike::auth {

/// A user with a fixed password.
struct StaticUser {
  std::string name;
  std::string password;

  friend bool operator==(const StaticUser&, const StaticUser&) = default;
};

/// A secret that time-limited users are derived from. `id` is for people.
struct Secret {
  std::string id;
  std::string value;

  friend bool operator==(const Secret&, const Secret&) = default;
};

/// A name that is not believed any more.
struct Revocation {
  std::string name;
  bool is_account = true;  ///< false: of this very username, and not of others of the account
  WallTime until{};        ///< when the last credential of that name will have run out anyway
};

/// What the operator configured, and what the store adds to it.
struct CredentialSettings {
  std::string realm;
  std::vector<StaticUser> users;
  std::vector<Secret> secrets;
  std::vector<Revocation> revocations{};
  std::vector<stun::PasswordAlgorithm> algorithms{stun::PasswordAlgorithm::sha256,
                                                  stun::PasswordAlgorithm::md5};
};

/// Looks up key material. Nothing here changes after construction, so threads may share it.
class CredentialBook {
 public:
  /// Normalises names, realm and passwords by OpaqueString where that succeeds, and derives the
  /// static users' keys once.
  explicit CredentialBook(const CredentialSettings& settings);

  [[nodiscard]] const std::string& realm() const { return realm_; }
  /// In the order in which they are offered.
  [[nodiscard]] const std::vector<stun::PasswordAlgorithm>& algorithms() const {
    return algorithms_;
  }
  [[nodiscard]] bool has_static_users() const { return !users_.empty(); }
  [[nodiscard]] bool has_static_user(std::string_view username) const {
    return users_.find(username) != users_.end();
  }
  [[nodiscard]] bool has_secrets() const { return !secrets_.empty(); }
  [[nodiscard]] std::size_t secret_count() const { return secrets_.size(); }

  /// The key of a static user; null when there is no such user or algorithm.
  [[nodiscard]] const stun::IntegrityKey* static_key(std::string_view username,
                                                     stun::PasswordAlgorithm algorithm) const;
  /// The key of a time-limited username under secret number `index`.
  [[nodiscard]] stun::IntegrityKey time_limited_key(std::size_t index, std::string_view username,
                                                    stun::PasswordAlgorithm algorithm) const;
  /// True when `username` or `account` is not believed any more.
  [[nodiscard]] bool is_revoked(std::string_view username, std::string_view account,
                                WallTime now) const;
  /// The static user whose USERHASH is `hash` (RFC 8489 §14.4); lives as long as the book.
  [[nodiscard]] std::optional<std::string_view> username_of(ByteView hash) const;

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };
  /// Looked up by string_view without making a string.
  template <class Value>
  using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

  std::string realm_;
  std::vector<stun::PasswordAlgorithm> algorithms_;
  /// Secrets made ready for MACs, in memory for secrets.
  std::vector<HmacSha1Key, SecretAllocator<HmacSha1Key>> secrets_;
  TextMap<UserKeys> users_;
  TextMap<WallTime> revoked_usernames_;  // until when
  TextMap<WallTime> revoked_accounts_;
  TextMap<std::string> usernames_by_hash_;
};

}  // namespace turnpike::auth
