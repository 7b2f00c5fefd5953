// Carries out a Plan.
#pragma once

#include "base/random.h"
#include "bench/failure.h"
#include "bench/plan.h"

namespace turnpike::bench {

/// Blocks for as long as the plan says, and the set-up. Throws BenchFailure.
[[nodiscard]] Report run(const Plan& plan, Random& random);

}  // namespace turnpike::bench
