// Requests by the thousand: Binding, or allocations that come and go. Each is answered or counted
// as failed.
#pragma once

#include <deque>
#include <vector>

#include "bench/failure.h"
#include "bench/latency_histogram.h"
#include "bench/links.h"
#include "bench/pacer.h"
#include "bench/plan.h"
#include "bench/turn_session.h"

namespace turnpike::bench {

class Transactions final : private MessageSink {
 public:
  /// All references outlive it. Plan::mode is binding or churn.
  Transactions(const Plan& plan, Links& links, Random& random, bool spins);

  /// Begins transactions for `duration`, then waits for those that are not over. Counts anew.
  /// Throws BenchFailure when the server refuses.
  void run(Pacer pacer, nanoseconds duration);

  [[nodiscard]] std::uint64_t completed() const { return completed_; }
  /// Not answered in spite of retransmissions.
  [[nodiscard]] std::uint64_t failed() const { return failed_; }
  [[nodiscard]] std::uint64_t retransmissions() const;
  [[nodiscard]] const LatencyHistogram& latency() const { return latency_; }
  [[nodiscard]] nanoseconds elapsed() const { return elapsed_; }
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  struct Client {
    TurnSession session;
    Instant began;
    bool is_deleting = false;
    bool is_known = false;  ///< to the server
  };

  void begin_next(Instant now);
  void send(std::size_t client);
  bool turn();
  void on_message(ByteView message, Instant now) override;
  void on_step(std::size_t client, TurnSession::Step step, Instant now);
  void on_done(std::size_t client, Instant now);
  void finish(std::size_t client);
  void on_deadlines(Instant now);
  [[nodiscard]] std::size_t busy() const { return clients_.size() - idle_.size(); }

  const Plan& plan_;
  Links& links_;
  bool spins_;
  std::vector<Client> clients_;
  std::deque<std::size_t> idle_;
  std::uint64_t completed_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t retransmissions_before_ = 0;
  LatencyHistogram latency_;
  nanoseconds elapsed_{0};
  std::uint64_t left_out_ = 0;
};

}  // namespace turnpike::bench
