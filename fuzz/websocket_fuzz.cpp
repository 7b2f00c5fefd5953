// WebSocket frames (HOSTILE.md [H08]): the input's first byte says how the rest is cut into reads.
// Messages and their end must not depend on the cuts, texts must be UTF-8, and nothing follows a
// close.

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/assert.h"
#include "base/utf8.h"
#include "signaling/websocket.h"

namespace {

using namespace turnpike;
using namespace turnpike::signaling;

constexpr Instant start{seconds{1000}};
constexpr WebSocketLimits limits{4096, 8, {milliseconds{100}, 8}};

struct Heard {
  std::string messages;
  std::string sent;
};

Heard run(ByteView input, std::size_t piece) {
  WebSocket socket{limits};
  std::vector<WebSocketEvent> events;
  Heard heard;
  while (!input.empty()) {
    const ByteView part = input.first(std::min(piece, input.size()));
    input = input.subspan(part.size());
    socket.receive(part, start, heard.sent, events);
  }
  bool has_ended = false;
  for (const WebSocketEvent& event : events) {
    TURNPIKE_ASSERT(!has_ended);
    if (const auto* const text = std::get_if<WebSocketText>(&event)) {
      TURNPIKE_ASSERT(is_utf8(text->text) && text->text.size() <= limits.max_message_bytes);
      heard.messages += "t" + text->text;
    } else if (const auto* const binary = std::get_if<WebSocketBinary>(&event)) {
      TURNPIKE_ASSERT(binary->bytes.size() <= limits.max_message_bytes);
      heard.messages += "b" + binary->bytes;
    } else {
      has_ended = true;
      heard.messages += "e" + std::to_string(std::get<WebSocketEnd>(event).code);
    }
  }
  TURNPIKE_ASSERT(has_ended == socket.is_closed());
  if (has_ended) TURNPIKE_ASSERT(socket.is_closing() && !socket.is_within_message());
  const std::size_t sent = heard.sent.size();
  socket.send_text("late", heard.sent);
  TURNPIKE_ASSERT(socket.is_closing() == (heard.sent.size() == sent));
  return heard;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input = ByteView{bytes, size}.subspan(1);
  const Heard whole = run(input, std::max<std::size_t>(input.size(), 1));
  const Heard pieces = run(input, std::size_t{bytes[0]} + 1);
  TURNPIKE_ASSERT(whole.messages == pieces.messages && whole.sent == pieces.sent);
  return 0;
}
