// Long-term credentials: how keys come from names and passwords (RFC 8489 §9.2.2), and the
// time-limited users of the "TURN REST" convention (draft-uberti-behave-turn-rest).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/time.h"
#include "stun/integrity.h"
#include "stun/registry.h"

namespace turnpike::auth {

/// The key material of a user: 16 bytes for MD5, 32 for SHA-256. Password-equivalent.
using LongTermKey = std::vector<std::uint8_t>;

/// hash(username ":" realm ":" password), RFC 8489 §9.2.2 and §18.5.1.
///
/// `username` is taken as it stands on the wire; `realm` and `password` must have gone through
/// opaque_string() already.
[[nodiscard]] LongTermKey long_term_key(stun::PasswordAlgorithm algorithm,
                                        std::string_view username, std::string_view realm,
                                        std::string_view password);

/// The same key made ready for MACs.
[[nodiscard]] stun::IntegrityKey integrity_key(stun::PasswordAlgorithm algorithm,
                                               std::string_view username, std::string_view realm,
                                               std::string_view password);

/// USERHASH = SHA-256(username ":" realm), RFC 8489 §14.4. Both normalised by opaque_string().
[[nodiscard]] Sha256Digest userhash(std::string_view username, std::string_view realm);

/// A username "expiry[:account]" taken apart; `account` points into the username.
struct TimeLimitedUser {
  WallTime expires;
  std::string_view
      account;  ///< what quotas count; the whole username when nothing follows the time
};

/// Reads "1795219200:alice" or "1795219200". Nothing for any other shape: signs, leading zeros,
/// an empty account, or a time beyond the year 9999.
[[nodiscard]] std::optional<TimeLimitedUser> parse_time_limited_username(std::string_view username);

/// "expiry:user", or only "expiry" when `user` is empty.
[[nodiscard]] std::string time_limited_username(WallTime expiry, std::string_view user);

/// "peer@room": whom the server's own rooms make time-limited credentials for.
[[nodiscard]] std::string room_member_account(std::string_view peer, std::string_view room);
/// True for what room_member_account() makes of a peer's id ("p_", then 8 letters of base64url).
/// Only a proved holder of the secret can have made such a name, so that it can be believed.
[[nodiscard]] bool is_room_member(std::string_view account);

/// base64(HMAC-SHA1(secret, username)): the password that goes with a time-limited username.
[[nodiscard]] std::string time_limited_password(std::string_view secret, std::string_view username);
inline constexpr std::size_t time_limited_password_size = 28;
/// The same into `out`, without the heap, of a secret made ready for MACs.
void put_time_limited_password(const HmacSha1Key& secret, std::string_view username,
                               std::span<char, time_limited_password_size> out);

}  // namespace turnpike::auth
