// What every packet of a measurement begins with: whose it is, which one, and when it left.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/time.h"

namespace turnpike::bench {

/// One packet's identity. Flows are numbered from 0, the packets of a flow from 0 as well.
struct Stamp {
  std::uint32_t flow = 0;
  std::uint32_t sequence = 0;
  Instant sent;
  bool is_returning = false;  ///< an echo, on its way back

  friend bool operator==(const Stamp&, const Stamp&) = default;
};

/// The smallest payload that can be measured.
inline constexpr std::size_t stamp_bytes = 20;

/// Writes `stamp` at the start of `payload`. Precondition: it has stamp_bytes at least.
void put_stamp(MutableByteView payload, const Stamp& stamp);

/// Marks the packet at the start of `payload` as an echo. Precondition: it has a stamp.
void mark_as_returning(MutableByteView payload);

/// The stamp at the start of `payload`; nothing when it is no packet of ours.
[[nodiscard]] std::optional<Stamp> read_stamp(ByteView payload);

}  // namespace turnpike::bench
