#include "rooms/attendance.h"

#include <algorithm>

namespace turnpike::bench {

Faults& Faults::operator+=(const Faults& other) {
  lost += other.lost;
  doubled += other.doubled;
  disordered += other.disordered;
  return *this;
}

void Attendance::hear(std::uint64_t number) {
  if (number > last_) {
    for (std::uint64_t skipped = last_ + 1; skipped < number; ++skipped) missing_.insert(skipped);
    last_ = number;
  } else if (missing_.erase(number) > 0) {
    ++disordered_;
  } else {
    ++doubled_;
  }
}

Faults Attendance::faults(std::uint64_t sent) const {
  return {missing_.size() + (sent - last_), doubled_, disordered_};
}

std::uint32_t percentile(std::vector<std::uint32_t>& values, double share) {
  if (values.empty()) return 0;
  const auto rank = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace turnpike::bench
