#include "base/secret_memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <new>
#include <sstream>
#include <string>

#include "base/crypto.h"
#include "catch.h"

namespace turnpike::test {
namespace {

/// The flags of the mapping in which `address` is, as /proc/self/smaps tells them: " rd wr dd ";
/// empty when nothing is mapped there.
std::string flags_at(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream smaps{"/proc/self/smaps"};
  bool is_inside = false;
  for (std::string line; std::getline(smaps, line);) {
    std::istringstream range{line};
    std::uintptr_t first = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    if (range >> std::hex >> first >> dash >> end && dash == '-') {
      is_inside = first <= wanted && wanted < end;
    } else if (is_inside && line.starts_with("VmFlags:")) {
      return line.substr(8) + " ";
    }
  }
  return {};
}

bool has_flag(const void* address, const std::string& flag) {
  return flags_at(address).find(" " + flag + " ") != std::string::npos;
}

/// Whether mlock does anything here: there may be no room for it (RLIMIT_MEMLOCK), and sanitizers
/// make it a function that does nothing.
bool can_lock() {
  constexpr std::size_t bytes = 4096;
  void* const page =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  const bool is_locked = ::mlock(page, bytes) == 0 && has_flag(page, "lo");
  ::munmap(page, bytes);
  return is_locked;
}

/// Runs the destructor of a `T` that is made of `key`, and tells whether its place is all zeros.
template <class T>
bool leaves_nothing(ByteView key) {
  alignas(T) std::array<std::uint8_t, sizeof(T)> place{};
  T* const object = new (place.data()) T{key};
  // For the compiler what an object was made of ends with it; this shows it the bytes.
  asm volatile("" : : "r"(place.data()) : "memory");
  const bool was_there =
      std::any_of(place.begin(), place.end(), [](std::uint8_t byte) { return byte != 0; });
  object->~T();
  asm volatile("" : : "r"(place.data()) : "memory");
  return was_there &&
         std::all_of(place.begin(), place.end(), [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

TEST_CASE("a secret is in memory that is neither swapped nor dumped", "[base][secret]") {
  const SecretBytes secret = secret_bytes(bytes_of("north-of-the-river"));
  CHECK(text_of(secret) == "north-of-the-river");
  CHECK(has_flag(secret.data(), "dd"));
  if (can_lock()) CHECK(has_flag(secret.data(), "lo"));
  const SecretBox<std::array<std::uint8_t, 32>> key{{1, 2, 3}};
  CHECK((*key)[2] == 3);
  CHECK(has_flag(&*key, "dd"));
}

TEST_CASE("the memory of a secret goes back to the system with it", "[base][secret]") {
  const void* place = nullptr;
  {
    const SecretBytes secret = secret_bytes(bytes_of("gone"));
    place = secret.data();
    REQUIRE_FALSE(flags_at(place).empty());
  }
  CHECK(flags_at(place).empty());
}

TEST_CASE("a secret that is longer than a page has as many as it takes", "[base][secret]") {
  SecretBytes secret(10'000, 7);
  CHECK(secret.back() == 7);
  CHECK(has_flag(&secret.back(), "dd"));
}

TEST_CASE("more memory than there can be is refused", "[base][secret]") {
  CHECK_THROWS_AS(SecretAllocator<std::uint64_t>{}.allocate(SIZE_MAX / 2), std::bad_alloc);
  CHECK_THROWS_AS(SecretAllocator<std::uint8_t>{}.allocate(SIZE_MAX - 1), std::bad_alloc);
}

TEST_CASE("HMAC keys are wiped when they go", "[base][secret]") {
  CHECK(leaves_nothing<HmacSha1Key>(bytes_of("key")));
  CHECK(leaves_nothing<HmacSha256Key>(bytes_of("key")));
}

}  // namespace turnpike::test
