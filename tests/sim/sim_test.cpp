// Random runs of the whole service, each from a seed (docs/simulation.md).
#include <cinttypes>
#include <cstdlib>

#include "catch.h"
#include "sim/simulation.h"

using namespace turnpike;
using namespace turnpike::sim;

namespace {

std::uint64_t number_in_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

/// Where a run has ended; what was wrong, if anything.
struct Outcome {
  std::uint64_t hash = 0;
  Coverage coverage;
  std::string violation;
};

Outcome run(const Settings& settings, bool is_verbose = false) {
  Simulation simulation{settings, is_verbose};
  Outcome outcome;
  try {
    simulation.run();
  } catch (const std::exception& violation) {
    outcome.violation = violation.what();
  }
  outcome.hash = simulation.hash();
  outcome.coverage = simulation.coverage();
  return outcome;
}

}  // namespace

TEST_CASE("servers do in 500 random worlds what the RFCs say",
          "[sim][S12][A03][A08][A09][A16][P10][P11][P16][Q02][Q06][Q09][M03][X07]") {
  const std::uint64_t first = number_in_environment("TURNPIKE_SIM_FIRST", 1);
  const std::uint64_t count = number_in_environment("TURNPIKE_SIM_SEEDS", 500);
  const std::uint64_t patience = number_in_environment("TURNPIKE_SIM_FAILURES", 5);
  Coverage coverage;
  unsigned failures = 0;
  for (std::uint64_t seed = first; seed < first + count && failures < patience; ++seed) {
    CAPTURE(seed);
    const Outcome outcome = run(Settings::of(seed));
    coverage.add(outcome.coverage);
    if (outcome.violation.empty()) continue;
    ++failures;
    UNSCOPED_INFO(outcome.violation);
  }
  CHECK(failures == 0);
  if (std::getenv("TURNPIKE_SIM_COVERAGE") == nullptr) return;
  std::printf("%" PRIu64 " inputs\n", coverage.inputs);
  for (std::size_t i = 0; i < turn::reason_count; ++i) {
    const auto reason = static_cast<turn::Reason>(i);
    std::printf("%9" PRIu64 "  %s\n", coverage.reasons.at(i),
                std::string{to_string(reason)}.c_str());
  }
  for (const auto& [code, number] : coverage.codes) {
    std::printf("%9" PRIu64 "  %d\n", number, code);
  }
}

TEST_CASE("one seed, told event by event", "[.][sim-seed]") {
  const Outcome outcome = run(Settings::of(number_in_environment("TURNPIKE_SEED", 1)), true);
  std::printf("trace %016" PRIx64 "\n", outcome.hash);
  INFO(outcome.violation);
  CHECK(outcome.violation.empty());
}

// Whatever changes what servers say, or what they draw at random, changes these numbers. Then they
// are taken anew from what TURNPIKE_SEED=… turnpike_tests '[sim-seed]' prints; that g++ and clang
// agree is the point.
TEST_CASE("the same seed has the same trace, whichever compiler has built it", "[sim]") {
  const auto [seed, trace] = GENERATE(table<std::uint64_t, std::uint64_t>({
      {1, 0x75b7b25b3ac12a43},
      {2, 0xb86178e9effc8ffc},
      {3, 0x7bfa5c0c4e60d8e6},
      {4, 0x3d42a0b6df4007ea},
      {5, 0xc917d523ba6fa0fa},
      {6, 0x6580dc549e740fe9},
      {7, 0x326e5ecd802236e1},
      {8, 0xe92dd80d94ee8475},
      {9, 0x7d58c963ed52e48e},
      {10, 0xc1d12addeed040fa},
      {11, 0x1804614ae1b85550},
      {12, 0x087dc1e5fea0c36d},
      {13, 0x8df474fe9d71ce65},
      {14, 0x3e85dcc248333ab2},
      {15, 0x53138e5ffa0781de},
      {16, 0x6fa797dcd19dc749},
  }));
  CAPTURE(seed);
  const Outcome outcome = run(Settings::of(seed));
  CHECK(outcome.violation.empty());
  CHECK(outcome.hash == trace);
  CHECK(run(Settings::of(seed)).hash == trace);
}
