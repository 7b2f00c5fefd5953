// A Report for people and for programs. Pure.
#pragma once

#include <string>

#include "bench/plan.h"

namespace turnpike::bench {

/// Some lines, each with its line break.
[[nodiscard]] std::string to_text(const Report& report);
/// One line of JSON without line break. What does not apply is left out.
[[nodiscard]] std::string to_json(const Report& report);

/// Processor time of the server for each packet that it passed on or each transaction; nothing when
/// it is not known or there were none.
[[nodiscard]] std::optional<double> server_ns_per_unit(const Report& report);
/// Memory that each allocation takes; only for Mode::idle.
[[nodiscard]] std::optional<double> bytes_per_allocation(const Report& report);

}  // namespace turnpike::bench
