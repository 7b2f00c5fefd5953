// The native door: WebSockets that speak turnpike.v1.
#pragma once

#include "signaling/door.h"
#include "signaling/doors.h"

namespace turnpike::signaling {

/// Tells Rooms what happens on the WebSockets of /v1/ws, which are its members one by one.
class NativeDoor final : public Door {
 public:
  /// `doors` must outlive it.
  explicit NativeDoor(Doors& doors) : doors_(doors) {}

  [[nodiscard]] std::vector<Route> routes() const override;
  void on_opened(ConnectionId id, const Opened& opened, Now now) override;
  void on_text(ConnectionId id, std::string_view text, Now now) override;
  void on_binary(ConnectionId id, std::string_view bytes, Now now) override;
  void on_ended(ConnectionId id, std::uint16_t code, Now now) override;
  void perform(ConnectionId member, const Effect& effect, Now now) override;

 private:
  Doors& doors_;
};

}  // namespace turnpike::signaling
