#include "diagnosis/nat_test.h"

#include <algorithm>
#include <thread>

#include "base/crypto.h"
#include "conformance/socket.h"
#include "diagnosis/nat_run.h"
#include "net/interfaces.h"

namespace turnpike::diagnosis {
namespace {

void run_family(const NatTestPlan& plan, FamilyResult& family) {
  SecureRandom random;
  client::NatProbe::Options options;
  if (plan.lifetime) options.lifetimes = client::NatProbe::lifetimes_up_to(*plan.lifetime);
  family.local = conformance::route_to(family.server.address);
  if (family.local) family.interface = net::interface_with(*family.local).value_or("");
  auto behavior = run_nat_probe(family.server, options, random);
  if (behavior) {
    family.behavior = std::move(*behavior);
  } else {
    family.problem = behavior.error();
  }
}

void run_path(const NatTestPlan& plan, PathResult& result) {
  SecureRandom random;
  result = try_path(result.path, TurnTester{plan.user, random});
}

/// UDP if it works: it is what calls would take.
const PathResult* best_path(const std::vector<PathResult>& results) {
  const PathResult* best = nullptr;
  for (const PathResult& result : results) {
    if (result.state != PathState::ok) continue;
    if (best == nullptr || result.path.transport < best->path.transport) best = &result;
  }
  return best;
}

}  // namespace

NatReport run_nat_test(const NatTestPlan& plan) {
  const Instant begin = conformance::clock_now();
  NatReport report;
  report.target = plan.target;
  report.wants_relay = !plan.paths.empty();
  report.has_user = plan.user.has_value();
  for (const Endpoint& server : plan.stun) {
    FamilyResult family;
    family.server = server;
    report.families.push_back(std::move(family));
  }
  for (const TurnPath& path : plan.paths) {
    PathResult result;
    result.path = path;
    report.paths.push_back(std::move(result));
  }
  std::vector<std::thread> threads;
  for (FamilyResult& family : report.families) {
    threads.emplace_back([&plan, &family] { run_family(plan, family); });
  }
  for (PathResult& result : report.paths) {
    threads.emplace_back([&plan, &result] { run_path(plan, result); });
  }
  for (std::thread& thread : threads) thread.join();
  if (const PathResult* const best = best_path(report.paths); best != nullptr && plan.user) {
    SecureRandom random;
    report.relay_path = best->path;
    report.relay = try_relay(best->path, TurnTester{plan.user, random});
  }
  report.took = conformance::clock_now() - begin;
  return report;
}

}  // namespace turnpike::diagnosis
