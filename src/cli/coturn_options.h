// The options of coturn's turnserver.conf: how its lines are read, which options there are, and
// what becomes of those that need no arithmetic.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::cli::coturn {

/// One line of turnserver.conf that says something.
struct Option {
  unsigned line = 0;  ///< 0: from the database
  std::string name;
  std::optional<std::string> value;
};

/// The options of a configuration file as coturn 4.6 reads it: a name, then "=" or blanks, then a
/// value, perhaps in double quotes; "#" at the start of a line begins a comment.
[[nodiscard]] std::vector<Option> parse_options(std::string_view text);

/// What became of an option.
enum class Fate : std::uint8_t {
  mapped,    ///< a key says the same
  unneeded,  ///< Turnpike does so anyway, or has nothing that would need it
  stricter,  ///< Turnpike refuses on purpose what coturn allows
  lost,      ///< has no counterpart: somebody has to look at it
};

[[nodiscard]] std::string_view to_string(Fate fate);

/// An option that becomes no key, whatever its value.
struct PlainRule {
  std::string_view name;
  Fate fate;
  std::string_view text;  ///< why, and what to do
};

/// The rule for the option called `name`; null when there is none.
[[nodiscard]] const PlainRule* find_plain_rule(std::string_view name);

/// True for options that become keys (coturn_config.h).
[[nodiscard]] bool is_mapped_option(std::string_view name);

}  // namespace turnpike::cli::coturn
