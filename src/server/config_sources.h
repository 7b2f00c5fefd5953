// The three ways in which values are written, each turned into (key, value) pairs for config_load.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "server/config_load.h"
#include "server/config_schema.h"
#include "server/config_value.h"

namespace turnpike::server {

/// A value for a key that exists.
struct Assignment {
  const ConfigKey* key;
  ConfigValue value;
};

/// What a TOML file says. Unknown keys and sections, and TOML that is none, go to `errors`.
[[nodiscard]] std::vector<Assignment> read_toml(const ConfigFile& file,
                                                std::vector<ConfigError>& errors);

/// What the TURNPIKE__… variables say. Unknown ones go to `errors`.
[[nodiscard]] std::vector<Assignment> read_environment(
    const std::map<std::string, std::string>& environment, std::vector<ConfigError>& errors);

/// What `--set key=value` says.
[[nodiscard]] std::vector<Assignment> read_settings(
    const std::vector<std::pair<std::string, std::string>>& settings,
    std::vector<ConfigError>& errors);

/// `text` as a value of the type that `key` takes: 4, true, or a list separated by commas. What
/// cannot be understood stays text, and the key's own check will say so.
[[nodiscard]] Parsed<ConfigValue> value_from_text(const ConfigKey& key, std::string_view text,
                                                  const Place& place);

/// `text` as the value of a TOML assignment.
[[nodiscard]] Parsed<ConfigValue> toml_value(std::string_view text, const Place& place);

}  // namespace turnpike::server
