// A protocol that clients speak over HTTP and WebSockets. What doors share is in doors.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "signaling/connection.h"
#include "signaling/effects.h"

namespace turnpike::signaling {

/// One way to the rooms, or to what the operator does with them.
///
/// Doors calls it with what happens on the connections of its routes, and it answers through Doors.
/// A WebSocket is its from on_opened() until on_ended(), or until it closes it itself.
class Door {
 public:
  Door() = default;
  virtual ~Door() = default;
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  /// What it answers. Asked once, when it is added; `Asked::route` and `Opened::route` count from
  /// the first of these.
  [[nodiscard]] virtual std::vector<Route> routes() const = 0;

  /// A request for a route of kind application or either: sooner or later Doors::respond() or
  /// Doors::open().
  virtual void on_asked(ConnectionId, const Asked&, Now) {}
  /// The client does not wait for the answer any more.
  virtual void on_withdrawn(ConnectionId, Now) {}

  virtual void on_opened(ConnectionId, const Opened&, Now) {}
  virtual void on_text(ConnectionId, std::string_view, Now) {}
  virtual void on_binary(ConnectionId, std::string_view, Now) {}
  /// Not after Doors::close(). `code` as in Ended; 1006 also when the client read too slowly.
  virtual void on_ended(ConnectionId, std::uint16_t code, Now) = 0;

  /// What the rooms want done about a member that came in here: SendText, SendBinary or Close. For
  /// doors whose members are not WebSockets that get the frames as they are; see
  /// Doors::carry_out().
  virtual void perform(ConnectionId member, const Effect& effect, Now now) = 0;

  virtual void on_deadline(Now) {}
  [[nodiscard]] virtual std::optional<Instant> next_deadline() const { return std::nullopt; }
};

}  // namespace turnpike::signaling
