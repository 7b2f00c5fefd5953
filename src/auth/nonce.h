// Nonces that need no memory: each carries its own time and a MAC that binds it to one client.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/crypto.h"
#include "base/endpoint.h"
#include "base/time.h"

namespace turnpike::auth {

/// What the nonce cookie promises (RFC 8489 §9.2, §18.1).
struct SecurityFeatures {
  bool password_algorithms = true;
  bool username_anonymity = false;

  friend bool operator==(const SecurityFeatures&, const SecurityFeatures&) = default;
};

/// The 24 feature bits as both readings of RFC 8489 want them: bit 0 counted from the left, as the
/// text says, and from the right, as an erratum and several clients do (docs/adr/0005).
[[nodiscard]] std::uint32_t feature_bits(SecurityFeatures features);

/// "obMatJos2" and four base64 characters.
inline constexpr std::size_t nonce_cookie_bytes = 13;
inline constexpr std::size_t nonce_bytes = nonce_cookie_bytes + 16;

/// A nonce in place; text() lives as long as the object.
struct Nonce {
  std::array<char, nonce_bytes> characters;
  [[nodiscard]] std::string_view text() const { return {characters.data(), characters.size()}; }
};

/// Issues and checks nonces. Stateless: any worker with the same key accepts what another issued.
///
/// cookie | base64(low 16 bits of the second it was issued | 80 bits of
/// HMAC-SHA256(key, cookie, all 64 bits of that second, client address, client port))
class NonceIssuer {
 public:
  using Key = std::array<std::uint8_t, 32>;

  NonceIssuer(const Key& key, seconds lifetime, SecurityFeatures features);

  /// The nonce for `client` in this second; two sources never share one (RFC 8489 §9.2.4).
  [[nodiscard]] Nonce issue(const Endpoint& client, Instant now) const;
  /// True when issue() made `nonce` for this very client no longer than the lifetime ago.
  [[nodiscard]] bool is_valid(std::string_view nonce, const Endpoint& client, Instant now) const;
  /// True when `nonce` begins with the cookie that this server sends.
  [[nodiscard]] bool has_own_cookie(std::string_view nonce) const;

 private:
  [[nodiscard]] Nonce make(const Endpoint& client, std::uint64_t issued_s) const;

  HmacSha256Key key_;
  std::uint64_t lifetime_s_;
  std::array<char, nonce_cookie_bytes> cookie_{};
};

}  // namespace turnpike::auth
