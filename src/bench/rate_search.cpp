#include "bench/rate_search.h"

#include <algorithm>

namespace turnpike::bench {
namespace {

/// The gap between the highest good rate and the lowest bad one at which the search is over.
constexpr double precision = 0.03;
/// Below this many packets a second there is nothing to be found.
constexpr double lowest = 100;

}  // namespace

void RateSearch::on_trial(const RateTrial& trial) {
  trials_.push_back(trial);
  if (trial.lost > 0 && !has_tried_twice_) {
    has_tried_twice_ = true;  // something else on the machine may have been in the way
    return;
  }
  has_tried_twice_ = false;
  if (trial.lost > 0) {
    bad_ = trial.wanted;
  } else {
    good_ = std::max(good_, std::min(trial.wanted, trial.achieved));
    is_load_limited_ = trial.is_load_limited();
  }
  if (is_load_limited_ || (bad_ && (*bad_ <= lowest || *bad_ - good_ <= precision * *bad_))) {
    next_.reset();
  } else if (!bad_) {
    next_ = trial.wanted * 2;
  } else {
    next_ = good_ == 0 ? *bad_ / 2 : (good_ + *bad_) / 2;
  }
}

}  // namespace turnpike::bench
