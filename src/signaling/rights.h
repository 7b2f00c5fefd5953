// Roles and what they may do.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace turnpike::signaling {

enum class Role : std::uint8_t { viewer, member, owner };

/// One thing that a peer may do beyond receiving. The names on the wire, in `can`, are these.
enum class Right : std::uint8_t {
  signal = 1,   ///< send descriptions and candidates: without it there is no media at all
  message = 2,  ///< send messages to peers or to the room
  update = 4,   ///< change its own metadata
  kick = 8,     ///< remove a peer
  lock = 16,    ///< close the room to newcomers, open it again, and enter it locked
  end = 32,     ///< close the room
};

/// A set of rights.
class Rights {
 public:
  /// What `role` may do by itself: a viewer signals, a member also messages and updates, an owner
  /// may do everything.
  [[nodiscard]] static Rights of(Role role);

  void add(Right right) { bits_ = static_cast<std::uint8_t>(bits_ | static_cast<unsigned>(right)); }
  [[nodiscard]] bool has(Right right) const { return (bits_ & static_cast<unsigned>(right)) != 0; }

  friend bool operator==(const Rights&, const Rights&) = default;

 private:
  std::uint8_t bits_ = 0;
};

[[nodiscard]] std::string_view to_string(Role role);
[[nodiscard]] std::string_view to_string(Right right);
/// Reads what to_string() writes; nothing for any other name.
[[nodiscard]] std::optional<Role> parse_role(std::string_view name);
[[nodiscard]] std::optional<Right> parse_right(std::string_view name);

}  // namespace turnpike::signaling
