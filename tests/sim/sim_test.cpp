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
      {1, 0x603bd16900fb5809},
      {2, 0x72b2da0ac891a452},
      {3, 0xcd571ef75ba0370e},
      {4, 0xb141525f790b9c8e},
      {5, 0xfbcb25b5307b15b8},
      {6, 0xfafeff0c0b3472a4},
      {7, 0x934dd7fbbe75717e},
      {8, 0x18cacf61a794f5b1},
      {9, 0xb0c27a770673aa49},
      {10, 0x1bdd7a699e6f5b04},
      {11, 0x3d975087ec700f2d},
      {12, 0x779bcde5870473c8},
      {13, 0x49de0ab23f682195},
      {14, 0xa2945628246b3515},
      {15, 0x748b3623acc25b7d},
      {16, 0x8173e1b8ce203b4d},
  }));
  CAPTURE(seed);
  const Outcome outcome = run(Settings::of(seed));
  CHECK(outcome.violation.empty());
  CHECK(outcome.hash == trace);
  CHECK(run(Settings::of(seed)).hash == trace);
}
