// TURNPIKE__SECTION__KEY variables and `--set key=value`: text that becomes values of the key's
// type.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/utf8.h"
#include "server/config_parsers.h"
#include "server/config_sources.h"
#include "version.h"

namespace turnpike::server {
namespace {

constexpr std::string_view prefix = "TURNPIKE__";
constexpr std::string_view file_suffix = "_FILE";
constexpr std::string_view one_secret = "TURNPIKE__AUTH__SECRET";

/// "relay.ports" -> "TURNPIKE__RELAY__PORTS"
std::string variable_of(std::string_view path) {
  std::string name{prefix};
  for (const char c : path) {
    if (c == '.') {
      name += "__";
    } else {
      name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
  }
  return name;
}

/// "TURNPIKE__RELAY__PORTS" -> "relay.ports", whether or not there is such a key.
std::string path_of(std::string_view variable) {
  std::string path;
  std::string_view rest = variable.substr(prefix.size());
  while (!rest.empty()) {
    if (rest.starts_with("__")) {
      path += '.';
      rest.remove_prefix(2);
      continue;
    }
    const char c = rest.front();
    path += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    rest.remove_prefix(1);
  }
  return path;
}

/// The key that `variable` spells exactly, or null.
const ConfigKey* key_of(std::string_view variable) {
  const ConfigKey* key = find_config_key(path_of(variable));
  return key != nullptr && variable_of(key->path) == variable ? key : nullptr;
}

Place place_of(std::string_view variable) {
  return {Place::Kind::environment, std::string{variable}, 0, 0};
}

/// The texts between commas; none at all in an empty text.
ConfigValue comma_list(std::string_view text, const Place& place) {
  ConfigValue::List elements;
  while (!trimmed(text).empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    elements.push_back({std::string{trimmed(text.substr(0, comma))}, place});
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return {std::move(elements), place};
}

ConfigValue integer_or_text(std::string_view text, const Place& place) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return {number, place};
  return {std::string{text}, place};
}

ConfigValue integer_list(std::string_view text, const Place& place) {
  ConfigValue list = comma_list(text, place);
  for (ConfigValue& element : std::get<ConfigValue::List>(list.content)) {
    element = integer_or_text(std::string{*element.text()}, place);
  }
  return list;
}

/// `value` and whether it was reported instead.
void assign(const ConfigKey& key, std::string_view text, const Place& place,
            std::vector<Assignment>& assignments, std::vector<ConfigError>& errors) {
  // A file has to be UTF-8 too. Secrets may be any bytes, and are shown to nobody.
  if (!key.is_secret && !is_utf8(text)) {
    errors.push_back(
        {place.to_string(), std::string{key.path}, "this is not UTF-8", "write it in UTF-8"});
    return;
  }
  auto value = value_from_text(key, text, place);
  if (value) {
    assignments.push_back({&key, std::move(*value)});
  } else {
    errors.push_back(
        {place.to_string(), std::string{key.path}, value.error().problem, value.error().remedy});
  }
}

/// `auth.secrets` with one secret, called "env", whose `member` ("value" or "file") is `text`.
Assignment one_secret_assignment(std::string_view member, const std::string& text,
                                 const Place& place) {
  ConfigValue::Table table;
  table.push_back({"id", place, ConfigValue{std::string{"env"}, place}});
  table.push_back({std::string{member}, place, ConfigValue{text, place}});
  ConfigValue::List list;
  list.push_back(ConfigValue{std::move(table), place});
  return {find_config_key("auth.secrets"), ConfigValue{std::move(list), place}};
}

/// Handles TURNPIKE__…_FILE of a secret key: the value is what the file says.
void assign_from_file(const ConfigKey& key, const std::string& path, const Place& place,
                      std::vector<Assignment>& assignments, std::vector<ConfigError>& errors) {
  const auto text = read_secret_file(path);
  if (text) return assign(key, *text, place, assignments, errors);
  errors.push_back(
      {place.to_string(), std::string{key.path}, text.error().problem, text.error().remedy});
}

ConfigError unknown_variable(const std::string& name) {
  const std::string nearest = nearest_config_path(path_of(name));
  const ConfigKey* key = find_config_key(nearest);
  return {place_of(name).to_string(), "",
          fmt::format("turnpike {} knows no such key", TURNPIKE_VERSION),
          key == nullptr ? "unset it; `turnpike config show` lists what there is"
                         : fmt::format("did you mean {}?", variable_of(key->path))};
}

/// Reports a key that two variables set: which one would win is nobody's guess.
void refuse_double(const std::vector<Assignment>& assignments, std::vector<ConfigError>& errors) {
  for (std::size_t i = 1; i < assignments.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (assignments[i].key != assignments[j].key) continue;
      errors.push_back({assignments[i].value.place.to_string(),
                        std::string{assignments[i].key->path},
                        fmt::format("{} sets the same", assignments[j].value.place.name),
                        "unset one of the two"});
    }
  }
}

}  // namespace

Parsed<ConfigValue> value_from_text(const ConfigKey& key, std::string_view text,
                                    const Place& place) {
  switch (key.type) {
    case ConfigType::text:
      return ConfigValue{std::string{text}, place};
    case ConfigType::integer:
      return integer_or_text(text, place);
    case ConfigType::boolean:
      if (text == "true" || text == "false") return ConfigValue{text == "true", place};
      return ConfigValue{std::string{text}, place};
    case ConfigType::integer_list:
      return integer_list(text, place);
    case ConfigType::text_list:
      return comma_list(text, place);
    case ConfigType::text_or_list:
      if (text == "auto") return ConfigValue{std::string{text}, place};
      return comma_list(text, place);
    case ConfigType::table_list:
      return toml_value(text, place);
  }
  return Failure<Complaint>{{"the type is not known", ""}};
}

std::vector<Assignment> read_environment(const std::map<std::string, std::string>& environment,
                                         std::vector<ConfigError>& errors) {
  std::vector<Assignment> assignments;
  for (const auto& [name, text] : environment) {
    if (!name.starts_with(prefix)) continue;
    const Place place = place_of(name);
    const bool names_file = name.ends_with(file_suffix);
    const ConfigKey* of_file =
        names_file ? key_of(std::string_view{name}.substr(0, name.size() - file_suffix.size()))
                   : nullptr;
    if (const ConfigKey* key = key_of(name)) {
      assign(*key, text, place, assignments, errors);
    } else if (of_file != nullptr && of_file->is_secret) {
      assign_from_file(*of_file, text, place, assignments, errors);
    } else if (name == one_secret) {
      assignments.push_back(one_secret_assignment("value", text, place));
    } else if (name == std::string{one_secret}.append(file_suffix)) {
      assignments.push_back(one_secret_assignment("file", text, place));
    } else {
      errors.push_back(unknown_variable(name));
    }
  }
  refuse_double(assignments, errors);
  return assignments;
}

std::vector<Assignment> read_settings(
    const std::vector<std::pair<std::string, std::string>>& settings,
    std::vector<ConfigError>& errors) {
  std::vector<Assignment> assignments;
  for (const auto& [path, text] : settings) {
    const Place place{Place::Kind::flag, "--set " + path, 0, 0};
    const ConfigKey* key = find_config_key(path);
    if (key == nullptr) {
      const std::string nearest = nearest_config_path(path);
      errors.push_back({place.to_string(), "",
                        fmt::format("turnpike {} knows no such key", TURNPIKE_VERSION),
                        nearest.empty() ? "`turnpike config show` lists what there is"
                                        : fmt::format("did you mean {}?", nearest)});
    } else if (key->is_secret) {
      errors.push_back({place.to_string(), "",
                        "secrets are not taken from the command line, where `ps` shows them",
                        fmt::format("put it into the file, or into {}", variable_of(key->path))});
    } else {
      assign(*key, text, place, assignments, errors);
    }
  }
  return assignments;
}

bool has_credentials(const std::map<std::string, std::string>& environment) {
  return std::any_of(environment.begin(), environment.end(), [](const auto& variable) {
    const std::string& name = variable.first;
    return name.starts_with(one_secret) || name.starts_with("TURNPIKE__AUTH__USERS");
  });
}

}  // namespace turnpike::server
