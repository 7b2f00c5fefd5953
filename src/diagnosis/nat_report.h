// What `turnpike nat-test` found, what it means for calls, and how it is told.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "client/nat_behavior.h"
#include "diagnosis/turn_path.h"

namespace turnpike::diagnosis {

/// UDP and the NAT of one address family.
struct FamilyResult {
  Endpoint server;
  std::optional<IpAddress> local;
  std::string interface;
  std::string problem;  ///< why nothing could be tried; empty: `behavior` holds
  client::NatBehavior behavior;
};

struct NatReport {
  std::string target;       ///< as the user wrote it
  bool wants_relay = true;  ///< TURN was to be tried
  bool has_user = false;
  std::vector<FamilyResult> families;  ///< the one that TURN was tried over first
  std::vector<PathResult> paths;
  std::optional<TurnPath> relay_path;
  RelayResult relay;  ///< holds when there is a relay_path
  nanoseconds took{};
};

/// How it ended. The numbers are the exit codes.
enum class NatVerdict : std::uint8_t { ok = 0, no_path = 1, degraded = 3, refused = 4 };
[[nodiscard]] std::string_view to_string(NatVerdict verdict);

/// What it means, for somebody who has never heard of NATs.
struct NatJudgement {
  NatVerdict verdict = NatVerdict::ok;
  std::vector<std::string> sentences;
  std::vector<std::string> fixes;
};
[[nodiscard]] NatJudgement judge(const NatReport& report);

/// Lines for people, the last with a line break.
[[nodiscard]] std::string to_text(const NatReport& report);
[[nodiscard]] std::string to_json(const NatReport& report);

}  // namespace turnpike::diagnosis
