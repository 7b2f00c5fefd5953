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

/// Does `text` begin with one of U+0080 to U+009F, which terminals obey as they do ESC?
bool is_c1_control(std::string_view text) {
  if (text.size() < 2 || text[0] != '\xc2') return false;
  const auto second = static_cast<unsigned char>(text[1]);
  return second >= 0x80 && second < 0xa0;
}

/// The first character of `text`, or what stands for it when it is a control character; how many
/// bytes it has.
std::size_t append_escaped(std::string& out, std::string_view text) {
  const auto byte = static_cast<unsigned char>(text.front());
  if (is_c1_control(text)) {
    out += fmt::format("\\u{:04X}", static_cast<unsigned char>(text[1]));
    return 2;
  }
  if (byte < 0x20 || byte == 0x7f) {
    out += fmt::format("\\u{:04X}", byte);
  } else {
    out += text.front();
  }
  return 1;
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
  while (!text.empty()) {
    if (text.front() == '"' || text.front() == '\\') out += '\\';
    text.remove_prefix(append_escaped(out, text));
  }
  return out + '"';
}

std::string on_one_line(std::string_view text) {
  std::string out;
  while (!text.empty()) text.remove_prefix(append_escaped(out, text));
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
