#include "base/inline_vector.h"

#include <set>

#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::test {
namespace {

using Numbers = InlineVector<std::uint32_t, 4>;

std::vector<std::uint32_t> sorted(const Numbers& numbers) {
  const auto view = numbers.span();
  std::vector<std::uint32_t> copy{view.begin(), view.end()};
  std::sort(copy.begin(), copy.end());
  return copy;
}

Numbers first_numbers(std::uint32_t count) {
  Numbers numbers;
  for (std::uint32_t i = 0; i < count; ++i) numbers.push_back(i);
  return numbers;
}

bool is_inside(const Numbers& numbers) {
  const auto* const begin = reinterpret_cast<const std::uint8_t*>(&numbers);
  const auto* const values = reinterpret_cast<const std::uint8_t*>(numbers.span().data());
  return begin <= values && values < begin + sizeof numbers;
}

}  // namespace

TEST_CASE("an inline vector begins empty", "[base]") {
  const Numbers numbers;
  CHECK(numbers.size() == 0);
  CHECK(numbers.span().empty());
}

TEST_CASE("an inline vector keeps order and values across the spill to the heap", "[base]") {
  Numbers numbers;
  for (std::uint32_t i = 0; i < 20; ++i) {
    CHECK(numbers.push_back(100 + i) == 100 + i);
    REQUIRE(numbers.size() == i + 1);
    for (std::uint32_t j = 0; j <= i; ++j) REQUIRE(numbers.span()[j] == 100 + j);
    CHECK(is_inside(numbers) == (i < 4));
  }
}

TEST_CASE("push_back returns the stored value, inline and spilled", "[base]") {
  Numbers numbers = first_numbers(3);
  numbers.push_back(3) = 33;
  numbers.push_back(4) = 44;
  CHECK(sorted(numbers) == std::vector<std::uint32_t>{0, 1, 2, 33, 44});
}

TEST_CASE("a value of the vector itself may be pushed back", "[base]") {
  Numbers numbers = first_numbers(4);
  numbers.push_back(numbers.span()[2]);                               // spills
  for (int i = 0; i < 40; ++i) numbers.push_back(numbers.span()[2]);  // reallocates
  CHECK(numbers.size() == 45);
  CHECK(numbers.span()[44] == 2);
}

TEST_CASE("erase_if removes the values that match and no others", "[base]") {
  const std::uint32_t count = GENERATE(range(0U, 10U));
  // Every subset of the values.
  for (std::uint32_t subset = 0; subset < (1U << count); ++subset) {
    Numbers numbers = first_numbers(count);
    std::vector<std::uint32_t> kept;
    for (std::uint32_t i = 0; i < count; ++i) {
      if ((subset >> i & 1) == 0) kept.push_back(i);
    }
    numbers.erase_if([subset](std::uint32_t n) { return (subset >> n & 1) != 0; });
    REQUIRE(sorted(numbers) == kept);
    REQUIRE(numbers.size() == kept.size());
  }
}

TEST_CASE("a vector that has shrunk comes back inside and spills again", "[base]") {
  Numbers numbers = first_numbers(9);
  REQUIRE_FALSE(is_inside(numbers));
  numbers.erase_if([](std::uint32_t n) { return n >= 4; });
  CHECK(is_inside(numbers));
  CHECK(sorted(numbers) == std::vector<std::uint32_t>{0, 1, 2, 3});
  numbers.push_back(7);
  CHECK_FALSE(is_inside(numbers));
  CHECK(sorted(numbers) == std::vector<std::uint32_t>{0, 1, 2, 3, 7});
  numbers.erase_if([](std::uint32_t) { return true; });
  CHECK(numbers.size() == 0);
  numbers.push_back(1);
  CHECK(sorted(numbers) == std::vector<std::uint32_t>{1});
}

TEST_CASE("copies of an inline vector are independent", "[base]") {
  const std::uint32_t count = GENERATE(3U, 9U);
  Numbers original = first_numbers(count);
  Numbers copy = original;
  copy.push_back(50);
  copy.span()[0] = 60;
  CHECK(sorted(original) == sorted(first_numbers(count)));
  CHECK(copy.size() == count + 1);
}

TEST_CASE("an inline vector agrees with a multiset through thousands of changes", "[base]") {
  const std::uint64_t seed = seed_or(11);
  CAPTURE(seed);
  SeededRandom random{seed};
  Numbers numbers;
  std::multiset<std::uint32_t> model;
  for (int step = 0; step < 20'000; ++step) {
    const auto value = static_cast<std::uint32_t>(random.below(12));
    if (random.below(5) < 3) {
      numbers.push_back(value);
      model.insert(value);
    } else {
      numbers.erase_if([value](std::uint32_t n) { return n == value || n == value + 1; });
      model.erase(value);
      model.erase(value + 1);
    }
    REQUIRE(sorted(numbers) == std::vector<std::uint32_t>(model.begin(), model.end()));
  }
}

}  // namespace turnpike::test
