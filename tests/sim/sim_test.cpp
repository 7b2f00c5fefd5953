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
      {1, 0x42234f49fbcf8a73},
      {2, 0xe39982df20aaf7e1},
      {3, 0x4d6b0121d71d0e8e},
      {4, 0xb44fb83070b4261f},
      {5, 0x5680fca21be9338f},
      {6, 0x54d575d11ce3a213},
      {7, 0xd336d023c49b69a1},
      {8, 0x6534eb709f78fd13},
      {9, 0xe2d0d61d1aa268aa},
      {10, 0xd56720e9619ae104},
      {11, 0xb16bc6addb839468},
      {12, 0xf4a8da5be8ff0643},
      {13, 0x144f454aa9a57c18},
      {14, 0x891319c729f92d30},
      {15, 0xf5fb9396aa94a012},
      {16, 0xb71d98dadb879092},
  }));
  CAPTURE(seed);
  const Outcome outcome = run(Settings::of(seed));
  CHECK(outcome.violation.empty());
  CHECK(outcome.hash == trace);
  CHECK(run(Settings::of(seed)).hash == trace);
}
