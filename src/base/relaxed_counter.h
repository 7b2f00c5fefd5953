// A number that one thread counts and others may read.
#pragma once

#include <atomic>
#include <cstdint>

namespace turnpike {

/// Counting costs what it costs without threads: there is one writer, so no locked instruction.
/// Readers see every value late but none torn.
class RelaxedCounter {
 public:
  RelaxedCounter() = default;
  RelaxedCounter(const RelaxedCounter& other) : value_(other.value()) {}
  RelaxedCounter& operator=(const RelaxedCounter&) = delete;

  /// By its thread alone.
  RelaxedCounter& operator++() { return *this += 1; }
  RelaxedCounter& operator--() { return *this += UINT64_MAX; }
  RelaxedCounter& operator+=(std::uint64_t more) {
    value_.store(value() + more, std::memory_order_relaxed);
    return *this;
  }
  /// Any thread.
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }
  // NOLINTNEXTLINE(google-explicit-constructor): wherever it is read it is that number
  operator std::uint64_t() const { return value(); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

}  // namespace turnpike
