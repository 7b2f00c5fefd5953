// A configuration value as it was written, before anyone knows what it means: the common form of
// what the file, the environment and the command line say. Also the form in which it is shown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace turnpike::server {

/// Where a value was written.
struct Place {
  enum class Kind : std::uint8_t { built_in, quickstart, file, environment, flag };

  Kind kind = Kind::built_in;
  std::string name;  ///< the file, the environment variable, or the flag
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  /// For messages: "turnpike.toml:3:9", "environment variable TURNPIKE__REALM", "--set realm".
  [[nodiscard]] std::string to_string() const;
  /// For `config show --origin`: "default", "turnpike.toml:3", "env TURNPIKE__REALM", "--set
  /// realm".
  [[nodiscard]] std::string origin() const;
};

struct ConfigMember;

/// Text, a number, a yes/no, or a list or table of those.
struct ConfigValue {
  using List = std::vector<ConfigValue>;
  using Table = std::vector<ConfigMember>;
  /// A TOML type no key takes: "a decimal number", "a date".
  struct Other {
    std::string_view type_name;
  };

  std::variant<std::string, std::int64_t, bool, List, Table, Other> content;
  Place place;

  [[nodiscard]] const std::string* text() const { return std::get_if<std::string>(&content); }
  [[nodiscard]] const std::int64_t* integer() const { return std::get_if<std::int64_t>(&content); }
  [[nodiscard]] const bool* boolean() const { return std::get_if<bool>(&content); }
  [[nodiscard]] const List* list() const { return std::get_if<List>(&content); }
  [[nodiscard]] const Table* table() const { return std::get_if<Table>(&content); }

  /// The type and, where it is short, the value: `the text "four"`, `the number 4`, `a list`.
  /// For secrets see `describe_type()`.
  [[nodiscard]] std::string describe() const;
  /// The type alone: "text", "a whole number", "a list".
  [[nodiscard]] std::string_view describe_type() const;
};

/// One `key = value` of a table, with the place of the key.
struct ConfigMember {
  std::string key;
  Place key_place;
  ConfigValue value;
};

/// `text` as TOML writes it: quoted, with control characters escaped. For messages as well, so that
/// whatever was typed stays on one line.
[[nodiscard]] std::string in_quotes(std::string_view text);

/// `text` with control characters escaped, without quotes: for names in messages, which may be
/// those of variables and keys that nobody has checked.
[[nodiscard]] std::string on_one_line(std::string_view text);

/// `value` as TOML text on one line.
[[nodiscard]] std::string to_toml(const ConfigValue& value);

}  // namespace turnpike::server
