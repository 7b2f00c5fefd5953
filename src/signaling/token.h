// Room tokens: JSON Web Tokens (RFC 7519) in compact form, with the algorithm pinned to the key.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "base/time.h"
#include "signaling/rights.h"

namespace turnpike::signaling {

/// What verifies tokens under one API key. The type of `material` is the algorithm: HS256 or EdDSA
/// (Ed25519, RFC 8037). A header that names another one is refused, and so "none" always is.
struct TokenKey {
  std::string id;  ///< the `kid` of its tokens
  std::variant<HmacSha256Key, Ed25519PublicKey> material;
};

/// Finds keys. Those of API keys come and go while the server runs.
class TokenKeys {
 public:
  virtual ~TokenKeys() = default;
  /// The key that `id` names; nullptr when there is none. An empty `id` is a token without `kid`:
  /// the one key when there is exactly one. Valid until the next change of the keys.
  [[nodiscard]] virtual const TokenKey* find(std::string_view id) const = 0;

 protected:
  TokenKeys() = default;
  TokenKeys(const TokenKeys&) = default;
  TokenKeys& operator=(const TokenKeys&) = default;
};

/// A list of keys that does not change.
class FixedTokenKeys final : public TokenKeys {
 public:
  explicit FixedTokenKeys(std::vector<TokenKey> keys) : keys_(std::move(keys)) {}
  [[nodiscard]] const TokenKey* find(std::string_view id) const override;

 private:
  std::vector<TokenKey> keys_;
};

/// What a token says.
struct Claims {
  std::string subject;  ///< `sub`; empty: anyone who holds the token, as often as they like
  std::string room;     ///< `room`, required
  WallTime expires{};   ///< `exp`, required
  std::string name;
  Role role = Role::member;
  std::vector<Right> can;            ///< beyond what the role may; unknown names are ignored
  std::optional<std::uint32_t> max;  ///< peers in the room
  std::optional<seconds> ice_ttl;    ///< ice.ttl
  bool relay_only = false;           ///< ice.relayOnly
};

enum class TokenError : std::uint8_t {
  malformed,        ///< not three parts of base64url, not JSON, a claim of the wrong type
  unknown_key,      ///< `kid` names no key
  wrong_algorithm,  ///< `alg` is not the key's
  wrong_signature,
  expired,
  not_yet_valid,  ///< `nbf` is to come
};

/// A token that verifies, and the key that did it.
struct VerifiedToken {
  Claims claims;
  std::string key_id;
};

/// Verifies and reads `token`. Nothing of the claims is looked at before the signature is right.
/// Expired at `exp` sharp (RFC 7519 §4.1.4); `nbf` may be 30 seconds ahead, for clocks that differ.
[[nodiscard]] Result<VerifiedToken, TokenError> verify_token(std::string_view token,
                                                             const TokenKeys& keys, WallTime now);

/// Makes a token that verifies with `key` (HS256), which `key_id` names; no `kid` when that is
/// empty.
[[nodiscard]] std::string mint_token(const Claims& claims, std::string_view key_id,
                                     const HmacSha256Key& key);

}  // namespace turnpike::signaling
