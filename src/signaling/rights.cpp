#include "signaling/rights.h"

#include <array>
#include <utility>

namespace turnpike::signaling {
namespace {

constexpr std::array<std::pair<Role, std::string_view>, 3> roles{{
    {Role::viewer, "viewer"},
    {Role::member, "member"},
    {Role::owner, "owner"},
}};

constexpr std::array<std::pair<Right, std::string_view>, 6> rights{{
    {Right::signal, "signal"},
    {Right::message, "message"},
    {Right::update, "update"},
    {Right::kick, "kick"},
    {Right::lock, "lock"},
    {Right::end, "end"},
}};

template <class Table>
auto value_named(const Table& table, std::string_view name)
    -> std::optional<decltype(table[0].first)> {
  for (const auto& [value, spelled] : table) {
    if (spelled == name) return value;
  }
  return std::nullopt;
}

template <class Table, class Value>
std::string_view name_in(const Table& table, Value wanted) {
  for (const auto& [value, spelled] : table) {
    if (value == wanted) return spelled;
  }
  return {};
}

}  // namespace

Rights Rights::of(Role role) {
  Rights granted;
  granted.add(Right::signal);
  if (role == Role::viewer) return granted;
  granted.add(Right::message);
  granted.add(Right::update);
  if (role == Role::member) return granted;
  granted.add(Right::kick);
  granted.add(Right::lock);
  granted.add(Right::end);
  return granted;
}

std::string_view to_string(Role role) { return name_in(roles, role); }
std::string_view to_string(Right right) { return name_in(rights, right); }
std::optional<Role> parse_role(std::string_view name) { return value_named(roles, name); }
std::optional<Right> parse_right(std::string_view name) { return value_named(rights, name); }

}  // namespace turnpike::signaling
