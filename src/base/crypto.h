// The few cryptographic functions the protocol needs, over libcrypto. The only place that
// includes OpenSSL besides net/tls and net/dtls_endpoint.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace turnpike {

using Md5Digest = std::array<std::uint8_t, 16>;
using Sha1Digest = std::array<std::uint8_t, 20>;
using Sha256Digest = std::array<std::uint8_t, 32>;

[[nodiscard]] Md5Digest md5(ByteView input);
/// Of `parts` as if they stood one after another.
[[nodiscard]] Md5Digest md5(std::initializer_list<ByteView> parts);
/// Only where a protocol fixes it (RFC 6455 §4.2.2): SHA-1 resists no collisions.
[[nodiscard]] Sha1Digest sha1(ByteView input);
[[nodiscard]] Sha256Digest sha256(ByteView input);
[[nodiscard]] Sha256Digest sha256(std::initializer_list<ByteView> parts);

/// CRC-32 as FINGERPRINT uses it (ITU V.42, RFC 8489 §14.7), before the XOR.
[[nodiscard]] std::uint32_t crc32(ByteView first, ByteView second = {});
/// CRC-32C (Castagnoli, RFC 9260 Appendix A) of `parts` one after another, as the PROXY protocol
/// uses it.
[[nodiscard]] std::uint32_t crc32c(std::initializer_list<ByteView> parts);

/// True when both are the same; the time taken depends on the sizes only.
[[nodiscard]] bool equal_in_constant_time(ByteView a, ByteView b);

/// Overwrites `secret` so that the compiler cannot leave it out.
void wipe(MutableByteView secret);

/// Standard base64 with padding (RFC 4648 §4).
[[nodiscard]] std::string base64_encode(ByteView input);
/// The same into `out`. Precondition: `out` holds exactly the characters that `input` makes.
void base64_encode_into(ByteView input, std::span<char> out);
/// Nothing when `text` is not canonical padded base64.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> base64_decode(std::string_view text);
/// Decodes base64 without padding into `out`, which the text fills exactly. False, and nothing of
/// use in `out`, when it does not. Forgives what base64_decode() does not: not for texts that must
/// have one spelling. Precondition: the size of `out` is a multiple of three.
[[nodiscard]] bool base64_decode_into(std::string_view text, MutableByteView out);

/// An HMAC-SHA1 key with both pads already hashed: a MAC costs no key schedule. A copy is a copy of
/// its bytes, which are wiped when it goes.
class HmacSha1Key {
 public:
  explicit HmacSha1Key(ByteView key);
  HmacSha1Key(const HmacSha1Key&) = default;
  HmacSha1Key& operator=(const HmacSha1Key&) = default;
  ~HmacSha1Key() {
    wipe(inner_);
    wipe(outer_);
  }
  /// The MAC over `parts` as if they stood one after another.
  [[nodiscard]] Sha1Digest mac(std::initializer_list<ByteView> parts) const;

 private:
  static constexpr std::size_t state_bytes = 96;
  alignas(8) std::array<std::uint8_t, state_bytes> inner_;
  alignas(8) std::array<std::uint8_t, state_bytes> outer_;
};

/// The same for HMAC-SHA256.
class HmacSha256Key {
 public:
  explicit HmacSha256Key(ByteView key);
  HmacSha256Key(const HmacSha256Key&) = default;
  HmacSha256Key& operator=(const HmacSha256Key&) = default;
  ~HmacSha256Key() {
    wipe(inner_);
    wipe(outer_);
  }
  [[nodiscard]] Sha256Digest mac(std::initializer_list<ByteView> parts) const;

 private:
  static constexpr std::size_t state_bytes = 112;
  alignas(8) std::array<std::uint8_t, state_bytes> inner_;
  alignas(8) std::array<std::uint8_t, state_bytes> outer_;
};

/// A key of AES-256-SIV.
using SealKey = std::array<std::uint8_t, 64>;
/// How much longer what is sealed is.
inline constexpr std::size_t seal_bytes = 16;

/// Encrypts and authenticates `plain` with AES-256-SIV (RFC 5297), which needs no nonce: the same
/// bytes give the same result, others tell nothing. Precondition: `out` has room for `seal_bytes`
/// more than `plain`, which is not empty.
void seal_into(const SealKey& key, ByteView plain, MutableByteView out);
/// The inverse. False, and nothing of use in `out`, when seal_into() did not make `sealed` with
/// this key. Precondition: `out` holds `seal_bytes` fewer than `sealed`, and one at least.
[[nodiscard]] bool open_into(const SealKey& key, ByteView sealed, MutableByteView out);

/// The public half of an Ed25519 key pair, as RFC 8032 §5.1.5 encodes it.
using Ed25519PublicKey = std::array<std::uint8_t, 32>;

/// True when `signature` over `message` is that of `key` (RFC 8032 §5.1.7). False too for a
/// signature of the wrong size and for bytes that are no key.
[[nodiscard]] bool ed25519_verify(const Ed25519PublicKey& key, ByteView message,
                                  ByteView signature);

/// libcrypto's random generator, fetched in blocks. Not for use by two threads at once.
/// Ends the process when the system cannot give randomness: nothing safe could follow.
class SecureRandom final : public Random {
 public:
  void fill(MutableByteView out) override;

 private:
  std::array<std::uint8_t, 512> block_{};
  std::size_t used_ = block_.size();
};

}  // namespace turnpike
