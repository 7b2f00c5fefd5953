// client::NatProbe over real sockets.
#pragma once

#include <string>

#include "base/result.h"
#include "client/nat_behavior.h"

namespace turnpike::diagnosis {

/// Runs the probe to its end: some five seconds, or as long as the longest lifetime. Sends to
/// `server`, to the other addresses that it names, and to this host's own address outside.
/// Error: a sentence, when this host has no way there.
[[nodiscard]] Result<client::NatBehavior, std::string> run_nat_probe(
    const Endpoint& server, const client::NatProbe::Options& options, Random& random);

}  // namespace turnpike::diagnosis
