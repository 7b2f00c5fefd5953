// Allocations as people read them, from what the server answers.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

namespace turnpike::cli {

/// A line for each element of the list `allocations`, with a head.
[[nodiscard]] std::string allocation_table(const nlohmann::json& allocations);
/// Its relayed addresses, separated by commas.
[[nodiscard]] std::string relayed_text(const nlohmann::json& allocation);

/// One picture of `turnpike top`: what the server is, and the allocations that relay most, in so
/// many lines of so many columns.
[[nodiscard]] std::string top_frame(const nlohmann::json& status, const nlohmann::json& list,
                                    std::size_t lines, std::size_t columns);

}  // namespace turnpike::cli
