// What Prometheus is told, under the names of OPERATIONS §1.5.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "signaling/rooms.h"
#include "turn/reason.h"

namespace turnpike::server {

/// How many datagrams ended how, over all workers, by turn::Reason.
using ReasonTotals = std::array<std::uint64_t, turn::reason_count>;

/// The text format of Prometheus, version 0.0.4. No label names a user, a room or an address.
[[nodiscard]] std::string metrics_text(const signaling::Rooms& rooms, const ReasonTotals& reasons);

}  // namespace turnpike::server
