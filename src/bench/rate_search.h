// Finds the highest rate at which nothing is lost: doubles, then halves the gap. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace turnpike::bench {

/// What one trial showed.
struct RateTrial {
  double wanted = 0;    ///< packets a second
  double achieved = 0;  ///< sent, packets a second
  std::uint64_t lost = 0;
  /// The load could not send that fast: nothing is known about the server.
  [[nodiscard]] bool is_load_limited() const { return achieved < 0.98 * wanted; }
};

/// A rate at which something is lost is tried once more before it counts as too high.
///
/// Usage: while there is a next() rate, try it and tell on_trial().
class RateSearch {
 public:
  explicit RateSearch(double first) : next_(first) {}

  /// Packets a second to try; nothing: the search is over.
  [[nodiscard]] std::optional<double> next() const { return next_; }
  void on_trial(const RateTrial& trial);

  /// The highest rate at which nothing was lost; 0 when something always was.
  [[nodiscard]] double highest() const { return good_; }
  /// The search ended because the load could send no faster: the server may do better.
  [[nodiscard]] bool is_load_limited() const { return is_load_limited_; }
  [[nodiscard]] const std::vector<RateTrial>& trials() const { return trials_; }

 private:
  double good_ = 0;
  std::optional<double> bad_;
  std::optional<double> next_;
  bool has_tried_twice_ = false;
  bool is_load_limited_ = false;
  std::vector<RateTrial> trials_;
};

}  // namespace turnpike::bench
