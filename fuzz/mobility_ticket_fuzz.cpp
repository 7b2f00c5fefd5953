// Mobility tickets: the input as a ticket, and tickets of the input's content, whole and damaged.
// What seal_ticket() made is read back as it was; nothing else is ever a ticket.

#include <optional>

#include "base/seeded_random.h"
#include "input.h"
#include "turn/mobility_ticket.h"

namespace {

using namespace turnpike;
using namespace turnpike::turn;

SealKey filled_with(std::uint8_t byte) {
  SealKey bytes{};
  bytes.fill(byte);
  return bytes;
}

const SealKey& key() {
  static const SealKey fixed = filled_with(0x4b);
  return fixed;
}

/// Nothing is sealed with this one: libFuzzer sees what is compared, and puts tickets sealed with
/// key() into later inputs.
const SealKey& unused_key() {
  static const SealKey fixed = filled_with(0x55);
  return fixed;
}

TicketContent content_of(fuzz::Input& input) {
  TicketContent content;
  content.home = WorkerId{input.byte()};
  content.slot = input.u32() & 0xff'ffff;
  content.serial = std::uint64_t{input.u16()} << 32 | input.u32();
  content.number = input.u32();
  return content;
}

/// Other bytes, another length or another key: nobody's ticket.
void check_damage(const Ticket& ticket, fuzz::Input& input) {
  std::vector<std::uint8_t> damaged{ticket.begin(), ticket.end()};
  while (!input.empty()) {
    const std::size_t at = input.below(ticket.size());
    damaged[at] = static_cast<std::uint8_t>(damaged[at] ^ input.byte());
  }
  const bool is_same = std::equal(damaged.begin(), damaged.end(), ticket.begin());
  PROMISE(open_ticket(key(), damaged).has_value() == is_same);
  PROMISE(!open_ticket(key(), ByteView{damaged}.first(damaged.size() - 1)));
  damaged.push_back(0);
  PROMISE(!open_ticket(key(), damaged));
  SealKey other = key();
  other[input.below(other.size())] ^= 1;
  PROMISE(!open_ticket(other, ticket));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  PROMISE(!open_ticket(unused_key(), ByteView{bytes, size}));  // who could have made it?
  fuzz::Input input{ByteView{bytes, size}};
  test::SeededRandom random{input.u32()};
  const TicketContent content = content_of(input);
  const Ticket ticket = seal_ticket(key(), content, random);
  PROMISE(std::find(ticket.begin(), ticket.end(), 0) == ticket.end());
  PROMISE(open_ticket(key(), ticket) == content);
  check_damage(ticket, input);
  return 0;
}
