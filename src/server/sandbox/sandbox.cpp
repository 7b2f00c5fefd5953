#include "server/sandbox/sandbox.h"

#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include "server/sandbox/landlock.h"
#include "server/sandbox/privileges.h"
#include "server/sandbox/system_calls.h"

namespace turnpike::server {
namespace {

std::string confine_files(const SandboxPlan& plan) {
  const int abi = landlock_abi();
  if (abi < 1) {
    return errno == ENOSYS || errno == EOPNOTSUPP
               ? "not confined: this kernel has no Landlock"
               : "not confined: " + std::generic_category().message(errno);
  }
  const std::string problem = apply_landlock(landlock_rules(plan, abi));
  return problem.empty() ? "landlock " + std::to_string(abi) : "not confined: " + problem;
}

}  // namespace

bool can_confine() {
#ifdef TURNPIKE_INSTRUMENTED
  return false;
#else
  return true;
#endif
}

SandboxReport confine(SandboxPlan plan) {
  std::vector<std::string> directories;
  for (const std::string& file : plan.readable_files) {
    for (std::string& directory : directories_of_file(file)) {
      directories.push_back(std::move(directory));
    }
  }
  plan.readable_files = std::move(directories);

  SandboxReport report;
  report.capabilities = drop_capabilities(plan.low_ports)
                            ? plan.low_ports ? "net_bind_service at most" : "none"
                            : "as they were: capset is not permitted";
  report.files = confine_files(plan);
  const std::string problem = apply_system_call_filter();  // last: it allows none of the above
  report.system_calls = problem.empty() ? "seccomp" : "not filtered: " + problem;
  return report;
}

}  // namespace turnpike::server
