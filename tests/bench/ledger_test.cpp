#include "bench/ledger.h"

#include "catch.h"

using namespace turnpike;
using bench::Ledger;
using bench::PacketCounts;

namespace {

bool receive(Ledger& ledger, std::uint32_t flow, std::uint32_t sequence) {
  return ledger.on_received({flow, sequence, Instant{}, false}, 100);
}

}  // namespace

TEST_CASE("packets that come in order are received, those that do not come are lost", "[bench]") {
  Ledger ledger{2};
  CHECK(ledger.on_sent(0) == 0);
  CHECK(ledger.on_sent(0) == 1);
  CHECK(ledger.on_sent(1) == 0);
  CHECK(receive(ledger, 0, 0));
  CHECK(receive(ledger, 1, 0));
  CHECK(ledger.counts() == PacketCounts{3, 2, 0, 0, 200});
  CHECK(ledger.counts().lost() == 1);
  CHECK(ledger.outstanding() == 1);
}

TEST_CASE("a packet that comes after a later one of its flow is out of order, once", "[bench]") {
  Ledger ledger{1};
  for (int i = 0; i < 5; ++i) ledger.on_sent(0);
  for (const std::uint32_t sequence : {2U, 0U, 1U, 4U, 3U}) CHECK(receive(ledger, 0, sequence));
  CHECK(ledger.counts() == PacketCounts{5, 5, 3, 0, 500});
}

TEST_CASE("copies count once", "[bench]") {
  Ledger ledger{1};
  for (int i = 0; i < 3; ++i) ledger.on_sent(0);
  CHECK(receive(ledger, 0, 0));
  CHECK_FALSE(receive(ledger, 0, 0));
  CHECK(receive(ledger, 0, 2));
  CHECK_FALSE(receive(ledger, 0, 0));
  CHECK(receive(ledger, 0, 1));
  CHECK_FALSE(receive(ledger, 0, 1));
  CHECK(ledger.counts() == PacketCounts{3, 3, 1, 3, 300});
}

TEST_CASE("what was never sent is not received", "[bench]") {
  Ledger ledger{1};
  ledger.on_sent(0);
  CHECK_FALSE(receive(ledger, 0, 1));
  CHECK_FALSE(receive(ledger, 1, 0));
  CHECK(ledger.counts().received == 0);
}

TEST_CASE("a packet may be followed by many more and still be counted when it comes", "[bench]") {
  Ledger ledger{1};
  for (int i = 0; i < 1000; ++i) ledger.on_sent(0);
  CHECK(receive(ledger, 0, 900));  // as if 0 to 899 had been lost
  CHECK(receive(ledger, 0, 963));
  CHECK_FALSE(receive(ledger, 0, 900));
  CHECK(receive(ledger, 0, 901));
  CHECK_FALSE(receive(ledger, 0, 898));  // too far behind to be told from a copy
}

TEST_CASE("after a new start, what is still on its way counts no more", "[bench]") {
  Ledger ledger{1};
  ledger.on_sent(0);
  ledger.on_sent(0);
  receive(ledger, 0, 0);
  ledger.start_over();
  CHECK(ledger.counts() == PacketCounts{});
  CHECK_FALSE(receive(ledger, 0, 1));
  CHECK(ledger.on_sent(0) == 2);
  CHECK(receive(ledger, 0, 2));
  CHECK(ledger.counts() == PacketCounts{1, 1, 0, 0, 100});
}
