// Authenticated encryption of what is kept on a disk: AES-256-GCM with a random nonce each time.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"

namespace turnpike {

using AeadKey = std::array<std::uint8_t, 32>;
/// How much longer what is sealed is: a nonce of 12 bytes before, a tag of 16 behind.
inline constexpr std::size_t aead_extra_bytes = 28;

/// Encrypts `plain` and authenticates it together with `context`, which is not part of the result
/// and must be the same when it is opened: it ties the result to its place. One key is good for
/// some 2^32 seals (NIST SP 800-38D §8.3).
[[nodiscard]] std::vector<std::uint8_t> aead_seal(const AeadKey& key, ByteView plain,
                                                  ByteView context, Random& random);

/// The inverse. Nothing when aead_seal() did not make `sealed` with this key and context.
[[nodiscard]] std::optional<std::vector<std::uint8_t>> aead_open(const AeadKey& key,
                                                                 ByteView sealed, ByteView context);

}  // namespace turnpike
