// STUN and ChannelData as the model reads them: once more from the RFCs, slowly, and with nothing
// of src/stun, so that a mistake there is not made here too.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/time.h"

namespace turnpike::sim {

using Bytes = std::vector<std::uint8_t>;

namespace wire {

inline constexpr unsigned request = 0;
inline constexpr unsigned indication = 1;
inline constexpr unsigned success = 2;
inline constexpr unsigned error = 3;

struct Attribute {
  unsigned type;
  Bytes value;
};

/// A STUN message that may be processed (RFC 8489 §6.3).
struct Message {
  unsigned message_class = 0;
  unsigned method = 0;
  Bytes id;
  /// Those that count: what stands before the first integrity attribute, without FINGERPRINT.
  std::vector<Attribute> attributes;
  std::optional<Bytes> integrity;         ///< MESSAGE-INTEGRITY
  std::optional<Bytes> integrity_sha256;  ///< MESSAGE-INTEGRITY-SHA256
  Bytes covered;                          ///< what `integrity` is computed over
  Bytes covered_sha256;
  bool has_fingerprint = false;

  /// The first of that type, or null.
  [[nodiscard]] const Bytes* find(unsigned type) const;
  [[nodiscard]] bool has(unsigned type) const { return find(type) != nullptr; }
  [[nodiscard]] std::string text(unsigned type) const;
};

/// Nothing: to be dropped in silence.
[[nodiscard]] std::optional<Message> read(ByteView datagram);

[[nodiscard]] std::uint64_t number(ByteView bytes);
/// The transport address in an XOR-…-ADDRESS; nothing when it is malformed.
[[nodiscard]] std::optional<Endpoint> xored_address(const Bytes& value, const Bytes& id);
/// The same in an attribute of MAPPED-ADDRESS's form.
[[nodiscard]] std::optional<Endpoint> plain_address(const Bytes& value);
/// ERROR-CODE's number.
[[nodiscard]] int error_code(const Bytes& value);

struct ChannelData {
  unsigned channel;
  Bytes payload;
};
/// Nothing: too short, or no channel number (RFC 8656 §12.4).
[[nodiscard]] std::optional<ChannelData> read_channel_data(ByteView datagram);

}  // namespace wire
}  // namespace turnpike::sim
