#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace turnpike::cli {
namespace {

/// How many columns `text` takes: continuation bytes of UTF-8 take none.
std::size_t width_of(std::string_view text) {
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins));
}

std::string scaled(std::uint64_t amount, const std::array<std::string_view, 5>& units) {
  double value = static_cast<double>(amount);
  std::size_t unit = 0;
  while (value >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  const bool has_fraction = unit > 0 && value < 9.95;
  return has_fraction ? fmt::format("{:.1f} {}", value, units.at(unit))
                      : fmt::format("{:.0f} {}", value, units.at(unit));
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  // C1 controls in UTF-8 are U+0080 to U+009F: C2 80 to C2 9F.
  for (std::size_t i = 0; i + 1 < out.size(); ++i) {
    const auto next = static_cast<unsigned char>(out[i + 1]);
    if (out[i] == '\xc2' && next >= 0x80 && next < 0xa0) out.replace(i, 2, "?");
  }
  return out;
}

std::string table_text(const std::vector<TableRow>& rows) {
  std::vector<std::size_t> widths;
  for (const TableRow& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], width_of(printable(row[i])));
    }
  }
  std::string text;
  for (const TableRow& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = printable(row[i]);
      text += cell;
      if (i + 1 < row.size()) text.append(widths[i] - width_of(cell) + 2, ' ');
    }
    text += '\n';
  }
  return text;
}

std::string size_text(std::uint64_t bytes) { return scaled(bytes, {"B", "kB", "MB", "GB", "TB"}); }

std::string rate_text(std::uint64_t bits_a_second) {
  if (bits_a_second == 0) return "0";
  return scaled(bits_a_second, {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"});
}

std::string age_text(std::uint64_t seconds_count) {
  constexpr std::uint64_t minute = 60;
  constexpr std::uint64_t hour = 60 * minute;
  constexpr std::uint64_t day = 24 * hour;
  const std::uint64_t s = seconds_count;
  if (s < minute) return fmt::format("{} s", s);
  if (s < hour) return fmt::format("{} min", s / minute);
  if (s < day) return fmt::format("{} h {} min", s / hour, s % hour / minute);
  return fmt::format("{} d {} h", s / day, s % day / hour);
}

}  // namespace turnpike::cli
