#include "bench/stamp.h"

namespace turnpike::bench {
namespace {

/// "TPb>" and "TPb<": strangers' packets, and those that were damaged, are not counted.
constexpr std::uint32_t outward = 0x5450623e;
constexpr std::uint32_t returning = 0x5450623c;

}  // namespace

void put_stamp(MutableByteView payload, const Stamp& stamp) {
  store_be32(payload, stamp.is_returning ? returning : outward);
  store_be32(payload.subspan(4), stamp.flow);
  store_be32(payload.subspan(8), stamp.sequence);
  store_be64(payload.subspan(12),
             static_cast<std::uint64_t>(stamp.sent.time_since_epoch().count()));
}

void mark_as_returning(MutableByteView payload) { store_be32(payload, returning); }

std::optional<Stamp> read_stamp(ByteView payload) {
  if (payload.size() < stamp_bytes) return std::nullopt;
  const std::uint32_t magic = load_be32(payload);
  if (magic != outward && magic != returning) return std::nullopt;
  const auto sent = static_cast<std::int64_t>(load_be64(payload.subspan(12)));
  return Stamp{load_be32(payload.subspan(4)), load_be32(payload.subspan(8)),
               Instant{nanoseconds{sent}}, magic == returning};
}

}  // namespace turnpike::bench
