// Keeps allocations alive while packets go on: refreshes each of them, and binds its peer again.
#pragma once

#include <vector>

#include "bench/links.h"
#include "bench/plan.h"
#include "bench/turn_session.h"

namespace turnpike::bench {

/// Each session has its turn once in a period, the sessions spread evenly over it.
class Upkeep {
 public:
  /// `sessions` and `links` outlive it. The client number i talks to peers[i].
  Upkeep(Framing framing, nanoseconds period, std::vector<TurnSession>& sessions,
         std::vector<Endpoint> peers, Links& links, Instant now);

  /// Begins what is due, and sends again what was not answered. Called every few milliseconds.
  void on_tick(Instant now);
  /// Takes a STUN message of the server; others mean nothing to it.
  void on_message(ByteView message, Instant now);

  [[nodiscard]] const UpkeepCounts& counts() const { return counts_; }

 private:
  void begin(std::size_t client, Instant now);
  void send(std::size_t client);
  void on_step(std::size_t client, TurnSession::Step step, Instant now);
  void fail(const std::string& failure);

  Framing framing_;
  nanoseconds period_;
  std::vector<TurnSession>& sessions_;
  std::vector<Endpoint> peers_;
  std::vector<bool> is_binding_;  // by client: the refresh is done, the peer's turn has come
  Links& links_;
  Instant started_;
  std::uint64_t begun_ = 0;
  std::vector<std::size_t> busy_;  // may hold some that are not any more
  UpkeepCounts counts_;
};

}  // namespace turnpike::bench
