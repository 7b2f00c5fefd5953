#include "server/event_streams.h"

#include <string>

#include "signaling/json.h"

namespace turnpike::server {
namespace {

constexpr seconds quiet_time{15};  // proxies end what is quiet for longer

std::string event_text(std::string_view event, std::string_view json) {
  return "event: " + std::string{event} + "\ndata: " + std::string{json} + "\n\n";
}

}  // namespace

bool EventStreams::open(signaling::ConnectionId id, Now now) {
  if (streams_.size() >= max_streams) return false;
  signaling::Response head{200, {}, ": turnpike\n\n"};
  head.with("Content-Type", "text/event-stream").with("Cache-Control", "no-store");
  doors_.begin_stream(id, std::move(head), now);
  streams_[id].said_at = now.instant;
  return true;
}

void EventStreams::publish(std::string_view event, std::string_view json, Now now) {
  ++last_event_;
  if (streams_.empty()) return;
  const std::string text = "id: " + std::to_string(last_event_) + "\n" + event_text(event, json);
  for (auto& [id, stream] : streams_) {
    stream.said_at = now.instant;
    // After a gap nothing more is sent: the last word says how much is missing.
    if (stream.lost > 0 || !doors_.send_part(id, text, now)) ++stream.lost;
  }
}

void EventStreams::tick(Now now) {
  for (auto each = streams_.begin(); each != streams_.end();) {
    auto& [id, stream] = *each;
    if (stream.lost > 0) {
      signaling::ObjectWriter out;
      const std::string last = event_text("lost", out.number("events", stream.lost).finish());
      if (doors_.send_part(id, last, now)) {
        doors_.end_stream(id, now);
        each = streams_.erase(each);
        continue;
      }
    } else if (now.instant - stream.said_at >= quiet_time) {
      stream.said_at = now.instant;
      if (!doors_.send_part(id, ":\n\n", now)) ++stream.lost;
    }
    ++each;
  }
}

}  // namespace turnpike::server
