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

TEST_CASE("servers do in 500 random worlds what the RFCs say", "[sim]") {
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
      {1, 0xc61f905364a8105c},
      {2, 0xafdbbad461419285},
      {3, 0x8a9710c086bae90b},
      {4, 0x29d667a73a838457},
      {5, 0x21fcbde3845520bd},
      {6, 0xa7dda8279f893794},
      {7, 0xcde02edd6773f1bc},
      {8, 0xc49a27d53896ab0d},
      {9, 0xb0f892c4284155c8},
      {10, 0xc2c3b3673bf65f78},
      {11, 0xa64545aaca0c5b38},
      {12, 0xb366da2fddc1af07},
      {13, 0xdf17e78dcf517fa5},
      {14, 0xb3257783816cdaf3},
      {15, 0x600b468b9325bdea},
      {16, 0xe59691e22bcb6ca0},
  }));
  CAPTURE(seed);
  const Outcome outcome = run(Settings::of(seed));
  CHECK(outcome.violation.empty());
  CHECK(outcome.hash == trace);
  CHECK(run(Settings::of(seed)).hash == trace);
}
