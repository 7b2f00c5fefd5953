#include "stun/integrity.h"

namespace turnpike::stun {

bool verify_message_integrity(const MessageView& message, const HmacSha1Key& key) {
  const auto claimed = message.message_integrity();
  if (!claimed || claimed->size() != Sha1Digest{}.size()) return false;
  const auto covered = message.protected_by_integrity();
  return equal_in_constant_time(key.mac({covered.header, covered.attributes}), *claimed);
}

bool verify_message_integrity_sha256(const MessageView& message, const HmacSha256Key& key) {
  const auto claimed = message.message_integrity_sha256();
  if (!claimed || claimed->size() != Sha256Digest{}.size()) return false;
  const auto covered = message.protected_by_integrity_sha256();
  return equal_in_constant_time(key.mac({covered.header, covered.attributes}), *claimed);
}

}  // namespace turnpike::stun
