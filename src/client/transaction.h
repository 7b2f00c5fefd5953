// The client's side of one STUN request over UDP: when to send it, when to send it again, when to
// give up (RFC 8489 §6.2.1). What is in the message is the caller's; time is handed in.
#pragma once

#include <optional>

#include "base/time.h"
#include "stun/message.h"

namespace turnpike::client {

/// The three parameters of RFC 8489 §6.2.1, with its defaults.
struct RetransmissionTimers {
  milliseconds initial_rto{500};        ///< RTO; doubles after each transmission
  std::uint32_t max_transmissions = 7;  ///< Rc; at least 1
  std::uint32_t last_wait_rtos = 16;    ///< Rm: how many initial RTOs are waited after the last one
};

/// One request and its retransmissions.
///
/// Usage: send the request and call on_start(now). Whenever next_deadline() has come, call
/// on_deadline(now) and do what it says. When a response matches(), call on_response(now); after
/// that, or after `timed_out`, there is no deadline any more.
class Transaction {
 public:
  enum class Step : std::uint8_t {
    wait,        ///< the deadline has not come yet, or the transaction is over
    send_again,  ///< send the same bytes again
    timed_out,   ///< no response came; the transaction is over
  };

  explicit Transaction(const stun::TransactionId& id, RetransmissionTimers timers = {});

  [[nodiscard]] const stun::TransactionId& id() const { return id_; }

  /// The request has been sent for the first time.
  void on_start(Instant now);
  /// When on_deadline() is to be called; nothing before the start and after the end.
  [[nodiscard]] std::optional<Instant> next_deadline() const { return deadline_; }
  /// A late call does not shorten the schedule: the next wait counts from `now`.
  [[nodiscard]] Step on_deadline(Instant now);

  /// True when a response with `id` is the answer to this request and somebody still waits for it.
  [[nodiscard]] bool matches(const stun::TransactionId& id) const { return deadline_ && id == id_; }
  /// The response came: the transaction is over. The round-trip time, unless the request was sent
  /// more than once: it cannot be known then which one was answered (Karn's algorithm, §6.2.1).
  std::optional<nanoseconds> on_response(Instant now);

  [[nodiscard]] std::uint32_t transmissions() const { return transmissions_; }

 private:
  /// Counts a transmission at `now` and sets the deadline that follows it.
  void count_transmission(Instant now);

  stun::TransactionId id_;
  RetransmissionTimers timers_;
  milliseconds rto_;
  std::uint32_t transmissions_ = 0;
  Instant started_;
  std::optional<Instant> deadline_;
};

}  // namespace turnpike::client
