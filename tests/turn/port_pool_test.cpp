#include "turn/port_pool.h"

#include <set>

#include "base/aborts.h"
#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::turn {
namespace {

using test::SeededRandom;
using Ports = std::set<std::uint32_t>;

Ports all_of(PortRange range) {
  Ports ports;
  for (std::uint32_t port = range.first; port <= range.last; ++port) ports.insert(port);
  return ports;
}

bool has_even(const Ports& free) {
  return std::any_of(free.begin(), free.end(), [](std::uint32_t port) { return port % 2 == 0; });
}

bool has_pair(const Ports& free) {
  return std::any_of(free.begin(), free.end(), [&](std::uint32_t port) {
    return port % 2 == 0 && free.count(port + 1) == 1;
  });
}

template <class Take>
Ports drain(Take take) {
  Ports taken;
  while (const auto port = take()) REQUIRE(taken.insert(*port).second);
  return taken;
}

}  // namespace

TEST_CASE("a pool gives out each port of its range once and then nothing", "[turn][Q09]") {
  const auto range = GENERATE(PortRange{49152, 65535}, PortRange{1, 1}, PortRange{64, 127},
                              PortRange{63, 64}, PortRange{50001, 50063}, PortRange{65535, 65535},
                              PortRange{1, 65535}, PortRange{0, 65535});
  CAPTURE(range.first, range.last);
  SeededRandom random{3};
  PortPool pool{range};
  const Ports all = all_of(range);
  CHECK(pool.free_count() == all.size());
  CHECK(drain([&] { return pool.take_any(random); }) == all);
  CHECK(pool.free_count() == 0);
  CHECK_FALSE(pool.take_even(random));
  CHECK_FALSE(pool.take_pair(random));

  // It recovers at once with what is given back (Q09).
  const auto some = static_cast<std::uint16_t>((range.first + range.last) / 2);
  pool.give_back(some);
  CHECK(pool.take_any(random) == some);
}

TEST_CASE("an empty range gives nothing", "[turn]") {
  SeededRandom random{3};
  PortPool pool{PortRange{2, 1}};
  CHECK(pool.free_count() == 0);
  CHECK_FALSE(pool.take_any(random));
  CHECK_FALSE(pool.take_even(random));
  CHECK_FALSE(pool.take_pair(random));
}

TEST_CASE("even ports and pairs stay inside of ranges with odd edges", "[turn][rfc8656-7.2]") {
  struct Row {
    PortRange range;
    Ports even;   // what take_even gives in the end
    Ports pairs;  // the even halves that take_pair gives in the end
  };
  const auto row = GENERATE(values<Row>({
      {{101, 105}, {102, 104}, {102, 104}},
      {{101, 104}, {102, 104}, {102}},
      {{100, 104}, {100, 102, 104}, {100, 102}},
      {{100, 105}, {100, 102, 104}, {100, 102, 104}},
      {{101, 102}, {102}, {}},
      {{101, 101}, {}, {}},
      {{102, 102}, {102}, {}},
      {{127, 129}, {128}, {128}},
      {{126, 128}, {126, 128}, {126}},
      {{65533, 65535}, {65534}, {65534}},
  }));
  CAPTURE(row.range.first, row.range.last);
  SeededRandom random{5};
  PortPool for_even{row.range};
  CHECK(drain([&] { return for_even.take_even(random); }) == row.even);
  PortPool for_pairs{row.range};
  const std::size_t before = for_pairs.free_count();
  CHECK(drain([&] { return for_pairs.take_pair(random); }) == row.pairs);
  CHECK(for_pairs.free_count() == before - 2 * row.pairs.size());
}

TEST_CASE("ports are conserved through a million random takes and returns", "[turn][Q10]") {
  const std::uint64_t seed = test::seed_or(1);
  CAPTURE(seed);
  SeededRandom random{seed};
  const auto range = GENERATE(PortRange{50001, 50150}, PortRange{49152, 49155});
  PortPool pool{range};
  Ports free = all_of(range);
  std::vector<std::uint16_t> taken;

  const auto took = [&](std::uint32_t port) {
    // One owner for each port, and never one outside of the range.
    REQUIRE(free.erase(port) == 1);
    taken.push_back(static_cast<std::uint16_t>(port));
  };
  for (int step = 0; step < 500'000; ++step) {
    const std::uint64_t choice = random.below(8);
    if (choice == 0) {
      const auto port = pool.take_any(random);
      REQUIRE(port.has_value() == !free.empty());
      if (port) took(*port);
    } else if (choice == 1) {
      const auto port = pool.take_even(random);
      REQUIRE(port.has_value() == has_even(free));
      if (port) REQUIRE(*port % 2 == 0);
      if (port) took(*port);
    } else if (choice == 2) {
      const auto port = pool.take_pair(random);
      REQUIRE(port.has_value() == has_pair(free));
      if (port) REQUIRE(*port % 2 == 0);
      if (port) took(*port);
      if (port) took(*port + 1U);
    } else if (!taken.empty() && random.below(2) == 0) {
      std::swap(taken[random.below(taken.size())], taken.back());
      pool.give_back(taken.back());
      free.insert(taken.back());
      taken.pop_back();
    }
    REQUIRE(pool.free_count() == free.size());
  }
  for (const std::uint16_t port : taken) pool.give_back(port);
  CHECK(pool.free_count() == all_of(range).size());
  CHECK(drain([&] { return pool.take_any(random); }) == all_of(range));
}

TEST_CASE("ports are spread over the range and cannot be guessed from the last",
          "[turn][rfc6056][A14]") {
  SeededRandom random{9};
  PortPool pool{{49152, 65535}};
  std::vector<std::uint16_t> taken;
  for (int i = 0; i < 1600; ++i) taken.push_back(pool.take_any(random).value());

  // 16 parts of the range, 100 expected in each.
  std::array<int, 16> parts{};
  for (const std::uint16_t port : taken) ++parts.at((port - 49152U) / 1024U);
  for (const int count : parts) {
    CHECK(count > 50);
    CHECK(count < 160);
  }
  int close = 0;
  int rising = 0;
  for (std::size_t i = 1; i < taken.size(); ++i) {
    close += std::abs(taken[i] - taken[i - 1]) < 16 ? 1 : 0;
    rising += taken[i] > taken[i - 1] ? 1 : 0;
  }
  CHECK(close < 20);
  CHECK(rising > 700);
  CHECK(rising < 900);
  // Every bit of the port varies: the low six too, which come from another draw.
  for (unsigned bit = 0; bit < 14; ++bit) {
    int ones = 0;
    for (const std::uint16_t port : taken) ones += (port >> bit) & 1;
    CHECK(ones > 650);
    CHECK(ones < 950);
  }
}

TEST_CASE("any port may be the first that is given out", "[turn][rfc6056][A14]") {
  Ports first;
  SeededRandom random{11};
  for (int i = 0; i < 3000; ++i) {
    first.insert(PortPool{{50048, 50303}}.take_any(random).value());  // four words of the bitmap
  }
  CHECK(first == all_of({50048, 50303}));
}

TEST_CASE("even ports and pairs are spread as well", "[turn][rfc6056]") {
  SeededRandom random{10};
  PortPool even{{49152, 65535}};
  PortPool pairs{{49152, 65535}};
  std::array<int, 8> even_parts{};
  std::array<int, 8> pair_parts{};
  for (int i = 0; i < 800; ++i) {
    ++even_parts.at((even.take_even(random).value() - 49152U) / 2048U);
    ++pair_parts.at((pairs.take_pair(random).value() - 49152U) / 2048U);
  }
  for (const int count : even_parts) CHECK((count > 50 && count < 150));
  for (const int count : pair_parts) CHECK((count > 50 && count < 150));
}

TEST_CASE("giving a port back twice, or a stranger's, is a bug that is caught", "[turn]") {
  CHECK(test::aborts([] { PortPool{{100, 200}}.give_back(100); }));  // free already
  CHECK(test::aborts([] { PortPool{{100, 200}}.give_back(99); }));
  CHECK(test::aborts([] { PortPool{{100, 200}}.give_back(201); }));
  CHECK(test::aborts([] { PortPool{{2, 1}}.give_back(1); }));
}

}  // namespace turnpike::turn
