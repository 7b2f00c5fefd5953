#include "bench/on_their_way.h"

namespace turnpike::bench {

void OnTheirWay::start(Instant now) {
  spans_.assign(1, 0);
  first_ = now;
  count_ = 0;
}

void OnTheirWay::on_sent(std::uint64_t packets, Instant now) {
  give_up_before(now);
  spans_.back() += packets;
  count_ += packets;
}

void OnTheirWay::on_received(Instant sent) {
  if (sent < first_) return;  // given up already
  const auto index = static_cast<std::size_t>((sent - first_) / span);
  if (index >= spans_.size() || spans_[index] == 0) return;
  --spans_[index];
  --count_;
}

std::uint64_t OnTheirWay::count(Instant now) {
  give_up_before(now);
  return count_;
}

void OnTheirWay::give_up_before(Instant now) {
  while (now - first_ >= span * static_cast<std::int64_t>(spans_.size())) {
    spans_.push_back(0);
    if (spans_.size() <= spans_kept) continue;
    count_ -= spans_.front();
    spans_.pop_front();
    first_ += span;
  }
}

}  // namespace turnpike::bench
