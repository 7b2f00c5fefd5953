// Verifies MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 (RFC 8489 §14.5, §14.6).
#pragma once

#include "base/crypto.h"
#include "stun/message.h"

namespace turnpike::stun {

/// A long-term key made ready for both integrity attributes.
struct IntegrityKey {
  explicit IntegrityKey(ByteView key) : sha1(key), sha256(key) {}

  HmacSha1Key sha1;
  HmacSha256Key sha256;
};

/// True when MESSAGE-INTEGRITY is present, 20 bytes long and right. Constant time in the compare.
[[nodiscard]] bool verify_message_integrity(const MessageView& message, const HmacSha1Key& key);

/// True when MESSAGE-INTEGRITY-SHA256 is present, 32 bytes long and right. Shorter ones are
/// refused: §14.6 allows truncation only where a usage says so, and TURN does not.
[[nodiscard]] bool verify_message_integrity_sha256(const MessageView& message,
                                                   const HmacSha256Key& key);

}  // namespace turnpike::stun
