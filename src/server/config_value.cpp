#include "server/config_value.h"

#include <fmt/format.h>

namespace turnpike::server {
namespace {

/// `key` as TOML writes it: bare where that is allowed.
std::string toml_key(std::string_view key) {
  const auto is_bare = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  for (const char c : key) {
    if (!is_bare(c)) return in_quotes(key);
  }
  return key.empty() ? in_quotes(key) : std::string{key};
}

/// `c`, or what stands for it when it is a control character.
void append_escaped(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte < 0x20 || byte == 0x7f) {
    out += fmt::format("\\u{:04X}", byte);
  } else {
    out += c;
  }
}

/// Joins what `render` makes of each element of `elements` with ", ".
template <class Elements, class Render>
std::string joined(const Elements& elements, Render render) {
  std::string text;
  for (const auto& element : elements) {
    if (!text.empty()) text += ", ";
    text += render(element);
  }
  return text;
}

}  // namespace

std::string Place::to_string() const {
  switch (kind) {
    case Kind::built_in:
      return "defaults";
    case Kind::quickstart:
      return "quickstart";
    case Kind::file:
      if (line == 0) return name;
      return fmt::format("{}:{}:{}", name, line, column);
    case Kind::environment:
      return "environment variable " + name;
    case Kind::flag:
      return name;
  }
  return {};
}

std::string Place::origin() const {
  switch (kind) {
    case Kind::built_in:
      return "default";
    case Kind::file:
      return fmt::format("{}:{}", name, line);
    case Kind::environment:
      return "env " + name;
    case Kind::quickstart:
    case Kind::flag:
      return to_string();
  }
  return {};
}

std::string_view ConfigValue::describe_type() const {
  struct Names {
    std::string_view operator()(const std::string&) const { return "text"; }
    std::string_view operator()(std::int64_t) const { return "a whole number"; }
    std::string_view operator()(bool) const { return "a yes/no value"; }
    std::string_view operator()(const List&) const { return "a list"; }
    std::string_view operator()(const Table&) const { return "a table"; }
    std::string_view operator()(const Other& other) const { return other.type_name; }
  };
  return std::visit(Names{}, content);
}

std::string ConfigValue::describe() const {
  if (text() != nullptr) return fmt::format("the text {}", in_quotes(*text()));
  if (integer() != nullptr) return fmt::format("the number {}", *integer());
  if (boolean() != nullptr) return *boolean() ? "true" : "false";
  return std::string{describe_type()};
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    append_escaped(out, c);
  }
  return out + '"';
}

std::string on_one_line(std::string_view text) {
  std::string out;
  for (const char c : text) append_escaped(out, c);
  return out;
}

std::string to_toml(const ConfigValue& value) {
  if (value.text() != nullptr) return in_quotes(*value.text());
  if (value.integer() != nullptr) return std::to_string(*value.integer());
  if (value.boolean() != nullptr) return *value.boolean() ? "true" : "false";
  if (value.list() != nullptr) return "[" + joined(*value.list(), to_toml) + "]";
  if (value.table() != nullptr) {
    return "{ " +
           joined(*value.table(),
                  [](const ConfigMember& member) {
                    return toml_key(member.key) + " = " + to_toml(member.value);
                  }) +
           " }";
  }
  return "?";
}

}  // namespace turnpike::server
