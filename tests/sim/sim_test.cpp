// Random runs of the whole service, each from a seed (docs/simulation.md).
#include <cinttypes>
#include <cstdlib>

#include "catch.h"
#include "sim/simulation.h"

using namespace turnpike;
using namespace turnpike::sim;

namespace {

/// One in so many seeds is run twice more, to compare.
constexpr std::uint64_t worlds_for_a_pair = 16;

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

/// Runs it; empty: nothing was wrong.
std::string violation_of(Simulation& simulation) {
  try {
    simulation.run();
  } catch (const std::exception& violation) {
    return violation.what();
  }
  return {};
}

Outcome run(Simulation& simulation) {
  Outcome outcome;
  outcome.violation = violation_of(simulation);
  outcome.hash = simulation.hash();
  outcome.coverage = simulation.coverage();
  return outcome;
}

Outcome run(const Settings& settings) {
  Simulation simulation{settings};
  return run(simulation);
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
  std::printf("%" PRIu64 " inputs, %" PRIu64 " that followed in a train\n", coverage.inputs,
              coverage.followers);
  for (std::size_t i = 0; i < turn::reason_count; ++i) {
    const auto reason = static_cast<turn::Reason>(i);
    std::printf("%9" PRIu64 "  %s\n", coverage.reasons.at(i),
                std::string{to_string(reason)}.c_str());
  }
  for (const auto& [code, number] : coverage.codes) {
    std::printf("%9" PRIu64 "  %d\n", number, code);
  }
}

// I-17: capacity aside, what one does is nothing to the others. Whatever they see is compared, and
// when they see it; each has its own luck (Simulation::luck_of).
TEST_CASE("clients that share nothing do not notice an intruder", "[sim]") {
  const std::uint64_t first = number_in_environment("TURNPIKE_SIM_FIRST", 1);
  const std::uint64_t count = number_in_environment("TURNPIKE_SIM_SEEDS", 500) / worlds_for_a_pair;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    CAPTURE(seed);
    const Settings settings = Settings::apart_of(seed);
    Simulation with{settings};
    Simulation without{settings};
    without.mute(intruder);
    const std::string violation = violation_of(with) + violation_of(without);
    REQUIRE(violation == "");
    for (unsigned client = 0; client < settings.clients; ++client) {
      if (client == intruder) continue;
      CAPTURE(client);
      const IpAddress address = with.clients()[client]->flow().tuple.client.address;
      const auto diary = with.diaries().of(address);
      CHECK(first_difference(diary, without.diaries().of(address)) == "");
    }
  }
}

TEST_CASE("one seed, told event by event", "[.][sim-seed]") {
  const std::uint64_t seed = number_in_environment("TURNPIKE_SEED", 1);
  const bool is_apart = number_in_environment("TURNPIKE_SIM_APART", 0) != 0;
  Simulation simulation{is_apart ? Settings::apart_of(seed) : Settings::of(seed), true};
  if (number_in_environment("TURNPIKE_SIM_MUTED", 0) != 0) simulation.mute(intruder);
  const Outcome outcome = run(simulation);
  std::printf("trace %016" PRIx64 "\n", outcome.hash);
  INFO(outcome.violation);
  CHECK(outcome.violation.empty());
}

// Whatever changes what servers say, or what they draw at random, changes these numbers. Then they
// are taken anew from what TURNPIKE_SEED=… turnpike_tests '[sim-seed]' prints; that g++ and clang
// agree is the point.
TEST_CASE("the same seed has the same trace, whichever compiler has built it", "[sim]") {
  const auto [seed, trace] = GENERATE(table<std::uint64_t, std::uint64_t>({
      {1, 0xf81a86f281ac119d},
      {2, 0x3ba1371f79ecef4d},
      {3, 0xcd32c7d53155093e},
      {4, 0xea015015522fca43},
      {5, 0x8c7bde6fe3e7dd8d},
      {6, 0x7f8539f45e177cf8},
      {7, 0x34e77d8d94c8b4e6},
      {8, 0xe195ca050417b394},
      {9, 0xba1241788fdc9d69},
      {10, 0xe399ac22967fb7f9},
      {11, 0x4a367d62c9a1216a},
      {12, 0x5920bca09a6d7841},
      {13, 0x6722318c30e32a20},
      {14, 0x28bb56ba8fc35dc3},
      {15, 0xc9d7e258a79c3d12},
      {16, 0xf5cc57a3b3eb4c93},
  }));
  CAPTURE(seed);
  const Outcome outcome = run(Settings::of(seed));
  CHECK(outcome.violation.empty());
  CHECK(outcome.hash == trace);
  CHECK(run(Settings::of(seed)).hash == trace);
}
