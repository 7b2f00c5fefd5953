// What people read of a server: tables, sizes, rates and times.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::cli {

using TableRow = std::vector<std::string>;

/// `rows` in columns as wide as they need, the first row being the head; one line each. Control
/// characters are shown as ?: what users call themselves must not steer a terminal.
[[nodiscard]] std::string table_text(const std::vector<TableRow>& rows);

/// `text` with ? for control characters.
[[nodiscard]] std::string printable(std::string_view text);

/// "0 B", "1.2 kB", "34 MB": powers of 1000.
[[nodiscard]] std::string size_text(std::uint64_t bytes);
/// "0", "1.2 Mbit/s"
[[nodiscard]] std::string rate_text(std::uint64_t bits_a_second);
/// "12 s", "3 min", "2 h 5 min", "3 d 4 h"
[[nodiscard]] std::string age_text(std::uint64_t seconds_count);

}  // namespace turnpike::cli
