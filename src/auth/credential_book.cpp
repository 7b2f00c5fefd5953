#include "auth/credential_book.h"

#include <algorithm>
#include <array>

#include "auth/opaque_string.h"

namespace turnpike::auth {
namespace {

/// OpaqueString where it applies, else the text itself: a password that the profile rejects still
/// works for clients that send it as it is, as most do.
std::string normalised(const std::string& text) { return opaque_string(text).value_or(text); }

}  // namespace

CredentialBook::CredentialBook(const CredentialSettings& settings)
    : realm_(normalised(settings.realm)), algorithms_(settings.algorithms) {
  secrets_.reserve(settings.secrets.size());
  for (const Secret& secret : settings.secrets) secrets_.emplace_back(bytes_of(secret.value));
  for (const StaticUser& user : settings.users) {
    const std::string name = normalised(user.name);
    const std::string password = normalised(user.password);
    UserKeys keys;
    for (const stun::PasswordAlgorithm algorithm : algorithms_) {
      auto& key = algorithm == stun::PasswordAlgorithm::md5 ? keys.md5 : keys.sha256;
      key.emplace(integrity_key(algorithm, name, realm_, password));
    }
    const Sha256Digest hash = userhash(name, realm_);
    usernames_by_hash_.emplace(text_of(hash), name);
    users_.emplace(name, keys);
  }
  for (const Revocation& revocation : settings.revocations) {
    auto& names = revocation.is_account ? revoked_accounts_ : revoked_usernames_;
    WallTime& until = names[normalised(revocation.name)];
    until = std::max(until, revocation.until);
  }
}

const stun::IntegrityKey* CredentialBook::static_key(std::string_view username,
                                                     stun::PasswordAlgorithm algorithm) const {
  const auto found = users_.find(username);
  return found == users_.end() ? nullptr : found->second.of(algorithm);
}

bool CredentialBook::is_revoked(std::string_view username, std::string_view account,
                                WallTime now) const {
  const auto holds = [now](const TextMap<WallTime>& names, std::string_view name) {
    const auto found = names.find(name);
    return found != names.end() && now < found->second;
  };
  return holds(revoked_usernames_, username) || holds(revoked_accounts_, account);
}

stun::IntegrityKey CredentialBook::time_limited_key(std::size_t index, std::string_view username,
                                                    stun::PasswordAlgorithm algorithm) const {
  std::array<char, time_limited_password_size> password{};  // no heap: strangers name the user
  put_time_limited_password(secrets_.at(index), username, password);
  const stun::IntegrityKey key =
      integrity_key(algorithm, username, realm_, {password.data(), password.size()});
  wipe({reinterpret_cast<std::uint8_t*>(password.data()), password.size()});
  return key;
}

std::optional<std::string_view> CredentialBook::username_of(ByteView hash) const {
  const auto found = usernames_by_hash_.find(text_of(hash));
  if (found == usernames_by_hash_.end()) return std::nullopt;
  return found->second;
}

}  // namespace turnpike::auth
