// Memory for secrets that are kept long: never swapped out, in no core dump, overwritten when it is
// given back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <type_traits>
#include <vector>

#include "base/bytes.h"

namespace turnpike {

/// Whole pages of `bytes` or more, locked into memory and left out of core dumps, as far as the
/// system allows each (RLIMIT_MEMLOCK). Throws std::bad_alloc.
[[nodiscard]] void* allocate_secret_memory(std::size_t bytes);
/// Overwrites and gives back what allocate_secret_memory() made for as many bytes.
void free_secret_memory(void* memory, std::size_t bytes) noexcept;

/// For containers of what is secret. Every allocation has pages of its own: for some, not many.
template <class T>
struct SecretAllocator {
  using value_type = T;

  SecretAllocator() = default;
  template <class U>
  SecretAllocator(const SecretAllocator<U>&) noexcept {}

  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc{};
    return static_cast<T*>(allocate_secret_memory(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    free_secret_memory(memory, count * sizeof(T));
  }
  friend bool operator==(const SecretAllocator&, const SecretAllocator&) { return true; }
};

/// A secret of any length. Unlike a string it has nothing in the object itself.
using SecretBytes = std::vector<std::uint8_t, SecretAllocator<std::uint8_t>>;

[[nodiscard]] inline SecretBytes secret_bytes(ByteView bytes) {
  return {bytes.begin(), bytes.end()};
}

/// A value of fixed size in memory for secrets, such as a key.
template <class T>
class SecretBox {
 public:
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

  explicit SecretBox(const T& value) : value_(1, value) {}
  SecretBox(const SecretBox&) = delete;
  SecretBox& operator=(const SecretBox&) = delete;

  [[nodiscard]] const T& operator*() const { return value_.front(); }

 private:
  std::vector<T, SecretAllocator<T>> value_;
};

}  // namespace turnpike
