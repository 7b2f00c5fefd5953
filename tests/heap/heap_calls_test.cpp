#include "heap/heap_calls.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "catch.h"

namespace turnpike::test {
namespace {

TEST_CASE("what any part of the program takes from the heap is seen", "[heap]") {
  std::uint64_t before = heap_calls();
  const auto rises = [&] {
    const std::uint64_t now = heap_calls();
    return now > std::exchange(before, now);
  };
  const auto number = std::make_unique<int>(7);
  CHECK(rises());
  const std::string text(100, 'x');
  CHECK(rises());
  const std::vector<std::uint8_t> plain(100);
  std::vector<std::uint8_t> sealed(plain.size() + seal_bytes);
  CHECK(rises());
  seal_into(SealKey{}, plain, sealed);  // libcrypto makes a context for it
  CHECK(rises());
  CHECK_FALSE(rises());
}

}  // namespace
}  // namespace turnpike::test
