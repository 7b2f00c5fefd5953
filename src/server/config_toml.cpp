// The only file that includes toml++.
#include <fmt/format.h>
#include <toml++/toml.h>

#include "server/config_sources.h"
#include "version.h"

namespace turnpike::server {
namespace {

Place place_of(const std::string& file, const toml::source_region& source) {
  return {Place::Kind::file, file, source.begin.line, source.begin.column};
}

std::string_view name_of_type(toml::node_type type) {
  switch (type) {
    case toml::node_type::floating_point:
      return "a decimal number";
    case toml::node_type::date:
      return "a date";
    case toml::node_type::time:
      return "a time of day";
    case toml::node_type::date_time:
      return "a date and time";
    default:
      return "a value";
  }
}

/// `node` without the types of toml++. Places: in `file`, or `fixed` for text that is in no file.
class Converter {
 public:
  explicit Converter(std::string file) : file_(std::move(file)) {}
  explicit Converter(Place fixed) : fixed_(std::move(fixed)) {}

  [[nodiscard]] Place place(const toml::source_region& source) const {
    return fixed_ ? *fixed_ : place_of(file_, source);
  }

  // Recursion is bounded: toml++ refuses documents nested deeper than 256 levels.
  [[nodiscard]] ConfigValue value(const toml::node& node) const {  // NOLINT(misc-no-recursion)
    ConfigValue converted;
    converted.place = place(node.source());
    if (const auto* text = node.as_string()) {
      converted.content = text->get();
    } else if (const auto* number = node.as_integer()) {
      converted.content = number->get();
    } else if (const auto* boolean = node.as_boolean()) {
      converted.content = boolean->get();
    } else if (const auto* array = node.as_array()) {
      converted.content = list(*array);
    } else if (const auto* table = node.as_table()) {
      converted.content = members(*table);
    } else {
      converted.content = ConfigValue::Other{name_of_type(node.type())};
    }
    return converted;
  }

 private:
  [[nodiscard]] ConfigValue::List list(
      const toml::array& array) const {  // NOLINT(misc-no-recursion)
    ConfigValue::List elements;
    for (const toml::node& element : array) elements.push_back(value(element));
    return elements;
  }

  [[nodiscard]] ConfigValue::Table members(
      const toml::table& table) const {  // NOLINT(misc-no-recursion)
    ConfigValue::Table out;
    for (const auto& [key, node] : table) {
      out.push_back({std::string{key.str()}, place(key.source()), value(node)});
    }
    return out;
  }

  std::string file_;
  std::optional<Place> fixed_;
};

ConfigError unknown(const Place& place, const std::string& path, std::string_view kind) {
  const std::string nearest = nearest_config_path(path);
  return {place.to_string(), path,
          fmt::format("turnpike {} knows no such {}", TURNPIKE_VERSION, kind),
          nearest.empty() ? "remove it; `turnpike config show` lists what there is"
                          : fmt::format("did you mean {}?", nearest)};
}

/// Walks the members of the table at `prefix` ("" at the top, else "relay.").
void collect(const ConfigValue::Table& members, const std::string& prefix,
             std::vector<Assignment>& assignments, std::vector<ConfigError>& errors) {
  for (const ConfigMember& member : members) {
    const std::string path = prefix + member.key;
    const ConfigKey* key = find_config_key(path);
    if (key != nullptr) {
      assignments.push_back({key, member.value});
    } else if (!is_config_section(path)) {
      errors.push_back(
          unknown(member.key_place, path, member.value.table() != nullptr ? "section" : "key"));
    } else if (member.value.table() == nullptr) {
      errors.push_back(
          {member.value.place.to_string(), path,
           fmt::format("{} was given where a section is expected", member.value.describe()),
           fmt::format("write [{}] on a line of its own, and its keys below", path)});
    } else {
      collect(*member.value.table(), path + ".", assignments, errors);
    }
  }
}

ConfigError syntax_error(const Place& place, const toml::parse_error& error) {
  return {place.to_string(), "",
          fmt::format("this is no TOML: {}", on_one_line(error.description())),
          "correct the line; text needs quotation marks"};
}

}  // namespace

std::vector<Assignment> read_toml(const ConfigFile& file, std::vector<ConfigError>& errors) {
  std::vector<Assignment> assignments;
  try {
    const toml::table table = toml::parse(std::string_view{file.text}, std::string_view{file.name});
    collect(*Converter{file.name}.value(table).table(), "", assignments, errors);
  } catch (const toml::parse_error& error) {
    errors.push_back(syntax_error(place_of(file.name, error.source()), error));
  }
  return assignments;
}

Parsed<ConfigValue> toml_value(std::string_view text, const Place& place) {
  try {
    const toml::table table = toml::parse(std::string_view{fmt::format("value = {}", text)});
    // More than one key: the text had a line break and went on with keys of its own.
    if (const toml::node* node = table.get("value"); node != nullptr && table.size() == 1) {
      return Converter{place}.value(*node);
    }
    return Failure<Complaint>{{"there is more than one value", "write one value as in the file"}};
  } catch (const toml::parse_error& error) {
    return Failure<Complaint>{
        {fmt::format("this is no TOML value: {}", on_one_line(error.description())),
         "write the value as in the file"}};
  }
}

}  // namespace turnpike::server
