// The frames of a WebSocket, server's side (RFC 6455 §5 to §8), over wslay. Frames in, messages
// out, and the other way round. The only place that includes wslay.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/time.h"
#include "signaling/rate.h"

struct wslay_event_context;

namespace turnpike::signaling {

struct WebSocketLimits {
  std::size_t max_message_bytes = 64 * 1024;
  std::size_t max_fragments = 64;                         ///< of one message
  RateMeter::Rate control_frames{milliseconds{100}, 20};  ///< pings and pongs of the client
};

/// A text message; UTF-8.
struct WebSocketText {
  std::string text;
};
struct WebSocketBinary {
  std::string bytes;
};
/// The client has ended it: the code it gave, 1005 when it gave none, 1006 when it broke the
/// protocol and was closed for that. The last event; not for a close that began here.
struct WebSocketEnd {
  std::uint16_t code;
};

using WebSocketEvent = std::variant<WebSocketText, WebSocketBinary, WebSocketEnd>;

/// One WebSocket after its handshake.
///
/// What it sends is appended to the string that each call is given. Nothing is sent after a close
/// frame, and nothing is delivered after one has been sent or received. Pings are answered. Between
/// messages it holds no memory beyond this object: wslay's context of 8 KiB lives only while a
/// frame or a message is incomplete.
class WebSocket {
 public:
  explicit WebSocket(WebSocketLimits limits = {});
  ~WebSocket();
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;

  /// Bytes of the client, cut anywhere. Protocol errors are answered with a close frame: 1002, 1007
  /// (not UTF-8), 1009 (a message or its fragments beyond the limits) or 1008 (a flood of pings).
  void receive(ByteView bytes, Instant instant, std::string& out,
               std::vector<WebSocketEvent>& events);

  /// These do nothing once a close frame has been sent. `text` must be UTF-8.
  void send_text(std::string_view text, std::string& out) const;
  void send_binary(std::string_view bytes, std::string& out) const;
  /// At most 125 bytes of payload.
  void send_ping(std::string_view payload, std::string& out) const;
  /// Begins the closing handshake; `reason` is cut to the 123 bytes that fit. `code` must be one
  /// that may be sent (§7.4).
  void close(std::uint16_t code, std::string_view reason, std::string& out);

  /// A close frame has been sent.
  [[nodiscard]] bool is_closing() const { return has_sent_close_; }
  /// Both sides have closed, or the client has broken the protocol: the TCP connection may end.
  [[nodiscard]] bool is_closed() const { return is_closed_; }
  /// True while a frame or a message is incomplete.
  [[nodiscard]] bool is_within_message() const { return context_ || !held_.empty(); }

 private:
  struct FreeContext {
    void operator()(wslay_event_context* context) const;
  };
  struct Callbacks;  // wslay's way in

  void make_context();
  [[nodiscard]] ByteView take_input(std::size_t size);
  void note_late_close_code(MutableByteView frame);
  void begin_frame(std::uint8_t opcode, bool is_last, std::uint64_t payload_bytes);
  void end_message(std::uint8_t opcode, std::string_view control_payload);
  void send_frame(std::uint8_t opcode, std::string_view payload, std::string& out) const;
  /// Ends it for what the client did.
  void fail(std::uint16_t code, std::string_view reason);
  void finish(std::string& out, std::vector<WebSocketEvent>& events);

  WebSocketLimits limits_;
  RateMeter control_frames_;
  std::unique_ptr<wslay_event_context, FreeContext> context_;
  std::string message_;  // what has come of it
  std::size_t fragments_ = 0;
  std::string held_;              // the start of a frame that wslay has not seen
  std::uint64_t frame_left_ = 0;  // of the frame that wslay is in the middle of
  std::uint16_t failure_ = 0;     // the close code for what the client did
  std::string_view failure_reason_;
  std::uint16_t late_close_code_ = 0;  // the client's, where wslay would not know it
  bool is_in_data_frame_ = false;
  bool is_in_message_ = false;  // a first fragment has come and the last one has not
  bool has_sent_close_ = false;
  bool is_closed_ = false;

  /// What a call to receive() works with.
  struct Input {
    ByteView bytes;
    Instant instant;
    std::string& out;
    std::vector<WebSocketEvent>& events;
  };
  Input* input_ = nullptr;
};

}  // namespace turnpike::signaling
