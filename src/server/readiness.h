// Whether a new client would be served, for load balancers and for people: GET /readyz.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace turnpike::server {

/// How much room there is for allocations.
struct Capacity {
  std::uint64_t allocations = 0;
  std::uint64_t max_allocations = 0;  ///< 0: as many as there are ports
  std::uint64_t ports = 0;
  std::uint64_t free_ports = 0;
  bool is_short_of_memory = false;  ///< nobody is let in until there is more again

  [[nodiscard]] bool is_full() const {
    return free_ports == 0 || (max_allocations > 0 && allocations >= max_allocations);
  }
};

/// How it stands with what knows the users that are not in the configuration. As it is where there
/// is no store and no hook: nothing is wrong with them.
struct SourceHealth {
  bool store_answers = true;              ///< false: the last look into it failed
  bool store_is_needed = false;           ///< it has users, or is asked before the hook is
  bool hook_answers = true;               ///< false while it is left alone after failures
  bool hook_may_be_stood_in_for = false;  ///< some of its answers are remembered
};

/// What there is to say. Not ready is a server only for what would make a new call fail.
struct Readiness {
  std::vector<std::string> reasons{};  ///< not to be ready
  std::vector<std::string> notes{};    ///< what is wrong all the same

  [[nodiscard]] bool is_ready() const { return reasons.empty(); }
  /// "ready", or the reasons; then the notes. A line each.
  [[nodiscard]] std::string text() const;
};

/// What Readiness is made of.
struct Condition {
  bool is_draining = false;
  Capacity capacity{};
  SourceHealth sources{};
  bool usage_is_written = true;  ///< false: the store has refused the last records
};

[[nodiscard]] Readiness readiness_of(const Condition& condition);

}  // namespace turnpike::server
