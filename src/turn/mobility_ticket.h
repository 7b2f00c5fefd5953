// MOBILITY-TICKET: what names an allocation to the client that has it (RFC 8016 §3.3).
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/crypto.h"
#include "base/random.h"
#include "turn/ids.h"

namespace turnpike::turn {

/// What a ticket says, to this server only.
struct TicketContent {
  WorkerId home{};           ///< whose allocation it is
  std::uint32_t slot = 0;    ///< where it stands there; less than 2^24
  std::uint64_t serial = 0;  ///< which of all that ever stood there; less than 2^48
  std::uint32_t number = 0;  ///< each move of an allocation makes a new ticket: 0, 1, 2...

  friend bool operator==(const TicketContent&, const TicketContent&) = default;
};

/// The longest that coturn's client can keep, which also takes it for a C string (docs/adr/0016).
inline constexpr std::size_t ticket_bytes = 32;
using Ticket = std::array<std::uint8_t, ticket_bytes>;

/// A ticket that says `content`: encrypted and authenticated, without a zero byte.
[[nodiscard]] Ticket seal_ticket(const SealKey& key, const TicketContent& content, Random& random);
/// What the ticket `value` says; nothing when seal_ticket() did not make it with this key.
[[nodiscard]] std::optional<TicketContent> open_ticket(const SealKey& key, ByteView value);

}  // namespace turnpike::turn
