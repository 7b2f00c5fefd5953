#include "turn/mobility_ticket.h"

#include <algorithm>

#include "base/assert.h"

namespace turnpike::turn {
namespace {

// worker: 1 byte, slot: 3, serial: 6, number: 4, salt: 2
constexpr std::size_t plain_bytes = ticket_bytes - seal_bytes;
constexpr std::size_t salt_bytes = 2;
constexpr std::uint32_t max_slot = (1U << 24) - 1;
constexpr std::uint64_t max_serial = (std::uint64_t{1} << 48) - 1;

using Plain = std::array<std::uint8_t, plain_bytes>;

Plain encoded(const TicketContent& content) {
  TURNPIKE_ASSERT(content.slot <= max_slot && content.serial <= max_serial);
  Plain plain{};
  const MutableByteView out{plain};
  const std::uint32_t home = static_cast<std::uint8_t>(content.home);
  store_be32(out, home << 24 | content.slot);
  store_be16(out.subspan(4), static_cast<std::uint16_t>(content.serial >> 32));
  store_be32(out.subspan(6), static_cast<std::uint32_t>(content.serial));
  store_be32(out.subspan(10), content.number);
  return plain;
}

}  // namespace

Ticket seal_ticket(const SealKey& key, const TicketContent& content, Random& random) {
  Plain plain = encoded(content);
  Ticket ticket{};
  do {  // one in eight has a zero byte; with other salt all bytes are others
    random.fill(MutableByteView{plain}.last(salt_bytes));
    seal_into(key, plain, ticket);
  } while (std::find(ticket.begin(), ticket.end(), 0) != ticket.end());
  return ticket;
}

std::optional<TicketContent> open_ticket(const SealKey& key, ByteView value) {
  Plain plain{};
  if (value.size() != ticket_bytes || !open_into(key, value, plain)) return std::nullopt;
  const ByteView in{plain};
  TicketContent content;
  content.home = WorkerId{plain[0]};
  content.slot = load_be32(in) & max_slot;
  content.serial = std::uint64_t{load_be16(in.subspan(4))} << 32 | load_be32(in.subspan(6));
  content.number = load_be32(in.subspan(10));
  return content;
}

}  // namespace turnpike::turn
