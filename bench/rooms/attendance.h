// Who has heard what: every message of every sender is accounted for by every receiver.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

namespace turnpike::bench {

/// What went wrong on the way to one receiver, or to many.
struct Faults {
  std::uint64_t lost = 0;
  std::uint64_t doubled = 0;
  std::uint64_t disordered = 0;  ///< arrived after a later one of the same sender

  Faults& operator+=(const Faults& other);
};

/// What one receiver has of one sender, who numbers his messages from 1.
class Attendance {
 public:
  void hear(std::uint64_t number);
  /// Given that `sent` messages were sent.
  [[nodiscard]] Faults faults(std::uint64_t sent) const;
  /// Nothing is missing, given that `sent` messages were sent.
  [[nodiscard]] bool is_complete(std::uint64_t sent) const {
    return last_ == sent && missing_.empty();
  }

 private:
  std::uint64_t last_ = 0;  // the highest number heard
  std::set<std::uint64_t> missing_;
  std::uint64_t doubled_ = 0;
  std::uint64_t disordered_ = 0;
};

/// The value below which `share` (0 to 1) of the `values` lie; 0 when there are none. Reorders
/// them.
[[nodiscard]] std::uint32_t percentile(std::vector<std::uint32_t>& values, double share);

}  // namespace turnpike::bench
