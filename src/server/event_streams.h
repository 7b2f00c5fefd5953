// What happens on the server, as it happens, for those who look: server-sent events (HTML §9.2).
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "signaling/doors.h"

namespace turnpike::server {

/// The clients of GET /v1/events. One that reads too slowly loses events; as soon as it takes
/// something again it is told how many, and its stream ends.
class EventStreams {
 public:
  static constexpr std::size_t max_streams = 64;

  explicit EventStreams(signaling::Doors& doors) : doors_(doors) {}

  /// Answers what was asked on `id` with a stream; false, and nothing answered, when there are too
  /// many already.
  [[nodiscard]] bool open(signaling::ConnectionId id, Now now);
  /// The client has gone.
  void forget(signaling::ConnectionId id) { streams_.erase(id); }
  /// Tells all. `json` is one object on one line.
  void publish(std::string_view event, std::string_view json, Now now);
  /// Once a second: signs of life, and the last word to slow readers.
  void tick(Now now);
  [[nodiscard]] bool empty() const { return streams_.empty(); }

 private:
  struct Stream {
    std::uint64_t lost = 0;
    Instant said_at{};  // anything
  };

  signaling::Doors& doors_;
  std::uint64_t last_event_ = 0;
  std::map<signaling::ConnectionId, Stream> streams_;
};

}  // namespace turnpike::server
