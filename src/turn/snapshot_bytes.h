// How a SavedState is written as bytes and read again: versioned, of a stated length, checksummed.
#pragma once

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "turn/saved_state.h"
#include "turn/snapshot.h"

namespace turnpike::turn {

/// Of what encode_snapshot() writes. To be raised with any change in saved_state.h, of the counters
/// and of numbers that stand for something (Transport, PeerTransport).
inline constexpr std::uint32_t snapshot_version = 1;

/// The bytes: "turnpike", the version (4 bytes), the length of the content (8), the CRC-32C of all
/// but itself (4), the content. Numbers are big-endian.
[[nodiscard]] std::vector<std::uint8_t> encode_snapshot(const SavedState& state);

/// The state in `bytes`. What is in it fits together within each server: the numbers that entries
/// name each other by, and what an allocation may be like. Not checked: whether two entries claim
/// the same port, five-tuple or CONNECTION-ID.
[[nodiscard]] Result<SavedState, SnapshotError> decode_snapshot(ByteView bytes);

}  // namespace turnpike::turn
