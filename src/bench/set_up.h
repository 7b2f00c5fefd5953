// Makes, binds and deletes the allocations of a run: many requests at once, each answered.
#pragma once

#include <vector>

#include "bench/failure.h"
#include "bench/links.h"
#include "bench/plan.h"
#include "bench/turn_session.h"

namespace turnpike::bench {

/// The clients and their allocations. Throws BenchFailure when the server will not have them.
class SetUp final : private MessageSink {
 public:
  /// All references outlive it.
  SetUp(const Plan& plan, std::size_t clients, Links& links, Random& random);

  void allocate();
  /// The client number i gets to talk to peers[i].
  void bind(const std::vector<Endpoint>& peers);
  /// What the server does not confirm is left to expire.
  void remove();

  /// By client.
  [[nodiscard]] std::vector<TurnSession>& sessions() { return sessions_; }
  /// The relayed addresses, by client.
  [[nodiscard]] std::vector<Endpoint> relayed() const;

 private:
  enum class Task : std::uint8_t { allocate, bind, remove };

  void run(Task task, const std::vector<Endpoint>& peers);
  void begin(std::size_t client, const std::vector<Endpoint>& peers, Instant now);
  void on_message(ByteView message, Instant now) override;
  void on_step(std::size_t client, TurnSession::Step step);
  void on_deadlines(Instant now);
  void send(std::size_t client);
  void stop_if_refused();

  const Plan& plan_;
  Links& links_;
  std::vector<TurnSession> sessions_;
  Task task_ = Task::allocate;
  std::vector<std::size_t> busy_;  // may hold some that are not any more
  std::size_t pending_ = 0;
  std::optional<SessionFailure> failure_;  // the latest of this task
};

/// The sentence for a request that failed.
[[nodiscard]] BenchFailure failure_from(const Plan& plan, const SessionFailure& failure);

/// Waits until `links` has something, or for `timeout`; returns at once when the load has a core of
/// its own to spin on.
void wait_for(const Links& links, nanoseconds timeout);

}  // namespace turnpike::bench
