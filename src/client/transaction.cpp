#include "client/transaction.h"

namespace turnpike::client {

Transaction::Transaction(const stun::TransactionId& id, RetransmissionTimers timers)
    : id_(id), timers_(timers), rto_(timers.initial_rto) {
  TURNPIKE_ASSERT(timers.max_transmissions >= 1);
}

void Transaction::on_start(Instant now) {
  TURNPIKE_ASSERT(transmissions_ == 0);
  started_ = now;
  count_transmission(now);
}

Transaction::Step Transaction::on_deadline(Instant now) {
  if (!deadline_ || now < *deadline_) return Step::wait;
  if (transmissions_ == timers_.max_transmissions) {
    deadline_.reset();
    return Step::timed_out;
  }
  count_transmission(now);
  return Step::send_again;
}

std::optional<nanoseconds> Transaction::on_response(Instant now) {
  deadline_.reset();
  if (transmissions_ != 1) return std::nullopt;
  return now - started_;
}

void Transaction::count_transmission(Instant now) {
  ++transmissions_;
  const bool is_last = transmissions_ == timers_.max_transmissions;
  deadline_ = now + (is_last ? timers_.initial_rto * timers_.last_wait_rtos : rto_);
  rto_ *= 2;
}

}  // namespace turnpike::client
