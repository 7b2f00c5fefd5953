#include "turn/mobility_ticket.h"

#include <algorithm>
#include <set>

#include "base/hex.h"
#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::turn {
namespace {

SealKey key_of(std::uint8_t first) {
  SealKey key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::uint8_t>(first + i);
  return key;
}

const SealKey key = key_of(0);

}  // namespace

TEST_CASE("a ticket says what was sealed in it", "[turn][rfc8016-3.1.2][c67]") {
  const auto content = GENERATE(TicketContent{}, TicketContent{WorkerId{3}, 77, 1234567890123, 2},
                                TicketContent{WorkerId{254}, 0xffffff, 0xffffffffffff, 0xffffffff});
  test::SeededRandom random{1};
  const Ticket ticket = seal_ticket(key, content, random);
  CHECK(open_ticket(key, ticket) == content);
  CHECK_FALSE(open_ticket(key_of(1), ticket));
}

TEST_CASE("nothing else is a ticket", "[turn][rfc8016-5][c67][A16]") {
  test::SeededRandom random{1};
  const Ticket ticket = seal_ticket(key, {WorkerId{1}, 2, 3, 4}, random);
  for (std::size_t bit = 0; bit < ticket.size() * 8; ++bit) {
    Ticket forged = ticket;
    forged[bit / 8] = static_cast<std::uint8_t>(forged[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(open_ticket(key, forged));
  }
  for (std::size_t size = 0; size < ticket.size(); ++size) {
    CHECK_FALSE(open_ticket(key, ByteView{ticket}.first(size)));
  }
  test::Bytes longer{ticket.begin(), ticket.end()};
  longer.push_back(0);
  CHECK_FALSE(open_ticket(key, longer));
}

TEST_CASE("tickets have no zero bytes and nothing in common", "[turn][c67]") {
  test::SeededRandom random{1};
  std::set<Ticket> seen;
  std::size_t ones = 0;
  constexpr std::uint32_t count = 2000;
  for (std::uint32_t number = 0; number < count; ++number) {
    const Ticket ticket = seal_ticket(key, {WorkerId{}, 0, 0, number}, random);
    CHECK(std::find(ticket.begin(), ticket.end(), 0) == ticket.end());
    CHECK(seen.insert(ticket).second);
    for (const std::uint8_t byte : ticket) ones += (byte & 0x10) != 0 ? 1 : 0;
  }
  CHECK(ones > count * ticket_bytes * 49 / 100);
  CHECK(ones < count * ticket_bytes * 52 / 100);
}

}  // namespace turnpike::turn
