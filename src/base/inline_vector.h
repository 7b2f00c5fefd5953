// A vector of plain values whose first few live inside the object.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace turnpike {

/// Holds values of a trivially copyable, default-constructible type: up to `Inline` of them without
/// the heap. Erasing may reorder.
template <class T, std::size_t Inline>
class InlineVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  [[nodiscard]] std::span<T> span() {
    return spilled_.empty() ? std::span<T>{inline_.data(), size_} : std::span<T>{spilled_};
  }
  [[nodiscard]] std::span<const T> span() const {
    return spilled_.empty() ? std::span<const T>{inline_.data(), size_}
                            : std::span<const T>{spilled_};
  }
  [[nodiscard]] std::size_t size() const { return span().size(); }

  T& push_back(const T& value) {
    if (spilled_.empty() && size_ < Inline) return inline_[size_++] = value;
    if (spilled_.empty()) spilled_.assign(inline_.begin(), inline_.begin() + size_);
    return spilled_.emplace_back(value);
  }

  /// Removes every value for which `is_over` holds; the last ones take their places.
  template <class Predicate>
  void erase_if(Predicate is_over) {
    std::span<T> values = span();
    std::size_t kept = values.size();
    for (std::size_t i = 0; i < kept;) {
      if (is_over(values[i])) {
        values[i] = values[--kept];
      } else {
        ++i;
      }
    }
    if (!spilled_.empty()) {
      if (kept <= Inline) {
        std::copy_n(values.begin(), kept, inline_.begin());
        spilled_ = {};
      } else {
        spilled_.resize(kept);
      }
    }
    size_ = static_cast<std::uint16_t>(kept <= Inline ? kept : Inline);
  }

 private:
  std::array<T, Inline> inline_{};
  std::uint16_t size_ = 0;  // in use of inline_; meaningless once spilled
  std::vector<T> spilled_;  // all values, once there were more than Inline
};

}  // namespace turnpike
