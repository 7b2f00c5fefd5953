// The server's side of a WebSocket, for tests: what it heard and what it said, as text.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signaling/websocket.h"
#include "signaling/websocket_client.h"

namespace turnpike::signaling::test {

/// A WebSocket and what it said.
struct WebSocketServer {
  static constexpr Instant start{seconds{1000}};

  explicit WebSocketServer(WebSocketLimits limits = {}) : socket(limits) {}

  void receive(std::string_view bytes, Instant instant = start) {
    socket.receive(bytes_of(bytes), instant, out, events);
  }
  /// Each byte by itself.
  void receive_slowly(std::string_view bytes) {
    for (const char& byte : bytes) receive({&byte, 1});
  }
  /// The next event as text: "t:hello", "b:…", "end 1000", "none".
  std::string event() {
    if (events.empty()) return "none";
    const WebSocketEvent next = events.front();
    events.erase(events.begin());
    if (const auto* const text = std::get_if<WebSocketText>(&next)) return "t:" + text->text;
    if (const auto* const binary = std::get_if<WebSocketBinary>(&next)) return "b:" + binary->bytes;
    return "end " + std::to_string(std::get<WebSocketEnd>(next).code);
  }
  std::string sent() { return describe_frames(std::exchange(out, {})); }

  WebSocket socket;
  std::string out;
  std::vector<WebSocketEvent> events;
};

}  // namespace turnpike::signaling::test
