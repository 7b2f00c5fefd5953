// What of a changed configuration a running server can take up, and what needs a restart.
#pragma once

#include <string>
#include <vector>

#include "server/config.h"

namespace turnpike::server {

/// The configuration to run with from now on, and what is told of it.
struct ReloadPlan {
  Config config;                           ///< the running one, with what could be taken up
  std::vector<std::string> changed;        ///< keys that were taken up
  std::vector<std::string> needs_restart;  ///< keys that have changed and were not
};

/// Compares `wanted` with `running`, key by key.
[[nodiscard]] ReloadPlan plan_reload(const Config& running, const Config& wanted);

/// What came of a reload.
struct ReloadReport {
  std::vector<std::string> errors;  ///< sentences; with any of them nothing was changed
  std::vector<std::string> changed;
  std::vector<std::string> needs_restart;

  [[nodiscard]] bool succeeded() const { return errors.empty(); }
};

}  // namespace turnpike::server
