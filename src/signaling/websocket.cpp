#include "signaling/websocket.h"

#include <wslay/wslay.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "base/utf8.h"

namespace turnpike::signaling {
namespace {

constexpr std::size_t max_control_bytes = 125;

/// Registered with IANA after RFC 6455 (§11.7): service restart, try again later, bad gateway.
constexpr std::uint16_t first_late_close_code = 1012;
constexpr std::uint16_t last_late_close_code = 1014;

bool is_control(std::uint8_t opcode) { return (opcode & 0x8) != 0; }

/// How many bytes the frame at the start of `bytes` has, and how many of them must be there before
/// wslay may see any. Nothing while that much of the header has not come.
struct FrameSize {
  std::uint64_t whole;
  std::size_t at_once;
};
std::optional<FrameSize> measure_frame(ByteView bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const std::size_t length_code = bytes[1] & 0x7f;
  const std::size_t length_bytes = length_code == 126 ? 2 : length_code == 127 ? 8 : 0;
  const std::size_t mask_bytes = (bytes[1] & 0x80) != 0 ? 4 : 0;
  const std::size_t header_bytes = 2 + length_bytes + mask_bytes;
  if (bytes.size() < header_bytes) return std::nullopt;
  std::uint64_t payload_bytes = length_code;
  if (length_bytes == 2) payload_bytes = load_be16(bytes.subspan(2));
  if (length_bytes == 8) payload_bytes = load_be64(bytes.subspan(2)) & ~(std::uint64_t{1} << 63);
  const bool is_whole = is_control(bytes[0]) && payload_bytes <= max_control_bytes;
  const std::uint64_t whole = header_bytes + payload_bytes;
  return FrameSize{whole, is_whole ? static_cast<std::size_t>(whole) : header_bytes};
}

/// Of a whole message in one frame, not masked.
void append_header(std::string& out, std::uint8_t opcode, std::size_t payload_bytes) {
  std::array<std::uint8_t, 10> header{};
  std::size_t size = 2;
  header[0] = static_cast<std::uint8_t>(0x80 | opcode);
  if (payload_bytes < 126) {
    header[1] = static_cast<std::uint8_t>(payload_bytes);
  } else if (payload_bytes < 65'536) {
    header[1] = 126;
    store_be16(MutableByteView{header}.subspan(2), static_cast<std::uint16_t>(payload_bytes));
    size = 4;
  } else {
    header[1] = 127;
    store_be64(MutableByteView{header}.subspan(2), payload_bytes);
    size = 10;
  }
  out.append(text_of(ByteView{header}.first(size)));
}

}  // namespace

/// wslay reads, checks and unmasks; what it would send itself is thrown away, since the replies are
/// written here, where the close frame has a reason too.
struct WebSocket::Callbacks {
  static WebSocket& self(void* user) { return *static_cast<WebSocket*>(user); }

  static ssize_t on_read(wslay_event_context* context, std::uint8_t* buffer, std::size_t size, int,
                         void* user) {
    const bool begins_frame = self(user).frame_left_ == 0;
    const ByteView taken = self(user).take_input(size);
    if (taken.empty()) {
      wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
      return -1;
    }
    copy_bytes(taken, {buffer, size});
    if (begins_frame) self(user).note_late_close_code({buffer, taken.size()});
    return static_cast<ssize_t>(taken.size());
  }

  static ssize_t on_send(wslay_event_context*, const std::uint8_t*, std::size_t size, int, void*) {
    return static_cast<ssize_t>(size);
  }

  static void on_frame(wslay_event_context*, const wslay_event_on_frame_recv_start_arg* frame,
                       void* user) {
    self(user).begin_frame(frame->opcode, frame->fin != 0, frame->payload_length);
  }

  static void on_chunk(wslay_event_context*, const wslay_event_on_frame_recv_chunk_arg* chunk,
                       void* user) {
    WebSocket& socket = self(user);
    if (socket.failure_ != 0 || !socket.is_in_data_frame_) return;
    socket.message_.append(text_of({chunk->data, chunk->data_length}));
  }

  static void on_message(wslay_event_context*, const wslay_event_on_msg_recv_arg* message,
                         void* user) {
    self(user).end_message(message->opcode, text_of({message->msg, message->msg_length}));
  }

  static constexpr wslay_event_callbacks all{on_read,  on_send, nullptr,   on_frame,
                                             on_chunk, nullptr, on_message};
};

void WebSocket::FreeContext::operator()(wslay_event_context* context) const {
  wslay_event_context_free(context);
}

WebSocket::WebSocket(WebSocketLimits limits) : limits_(limits) {}
WebSocket::~WebSocket() = default;

void WebSocket::receive(ByteView bytes, Instant instant, std::string& out,
                        std::vector<WebSocketEvent>& events) {
  if (is_closed_ || bytes.empty()) return;
  if (!context_) make_context();
  std::string joined;
  if (!held_.empty()) {
    joined = std::exchange(held_, {}).append(text_of(bytes));
    bytes = bytes_of(joined);
  }
  Input input{bytes, instant, out, events};
  input_ = &input;
  const int result = wslay_event_recv(context_.get());
  if (result == WSLAY_ERR_NOMEM) throw std::bad_alloc{};
  input_ = nullptr;
  if (wslay_event_get_read_enabled(context_.get()) == 0) return finish(out, events);
  // What wslay has queued in answer to pings.
  (void)wslay_event_send(context_.get());
  held_ = text_of(input.bytes);
  if (frame_left_ == 0 && !is_in_message_) context_.reset();
}

void WebSocket::send_text(std::string_view text, std::string& out) const {
  send_frame(WSLAY_TEXT_FRAME, text, out);
}

void WebSocket::send_binary(std::string_view bytes, std::string& out) const {
  send_frame(WSLAY_BINARY_FRAME, bytes, out);
}

void WebSocket::send_ping(std::string_view payload, std::string& out) const {
  TURNPIKE_ASSERT(payload.size() <= max_control_bytes);
  send_frame(WSLAY_PING, payload, out);
}

void WebSocket::close(std::uint16_t code, std::string_view reason, std::string& out) {
  std::array<std::uint8_t, 2> code_bytes{};
  store_be16(code_bytes, code);
  std::string payload{text_of(code_bytes)};
  payload += utf8_prefix(reason, max_control_bytes - code_bytes.size());
  send_frame(WSLAY_CONNECTION_CLOSE, payload, out);
  has_sent_close_ = true;
  message_ = std::string{};
}

void WebSocket::make_context() {
  wslay_event_context* context = nullptr;
  if (wslay_event_context_server_init(&context, &Callbacks::all, this) != 0) throw std::bad_alloc{};
  context_.reset(context);
  // Messages are gathered here, as they come: wslay would allocate what a frame announces.
  wslay_event_config_set_no_buffering(context, 1);
  wslay_event_config_set_max_recv_msg_length(context, limits_.max_message_bytes);
}

/// The next bytes for wslay. Never of two frames, so that it is known when it holds none; and a
/// control frame whole, for wslay 1.1.1 misreads the reason of a close frame that comes in pieces.
ByteView WebSocket::take_input(std::size_t size) {
  ByteView& bytes = input_->bytes;
  if (frame_left_ == 0) {
    const auto frame = measure_frame(bytes);
    if (!frame || bytes.size() < frame->at_once) return {};
    frame_left_ = frame->whole;
  }
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(frame_left_, std::min(size, bytes.size())));
  const ByteView taken = bytes.first(count);
  bytes = bytes.subspan(count);
  frame_left_ -= count;
  return taken;
}

/// Notes a close code that wslay 1.1.1 does not know, and shows it one that it does: the rest of
/// the frame is checked as ever.
void WebSocket::note_late_close_code(MutableByteView frame) {
  constexpr std::size_t code_at = 6;  // behind two bytes of header and the mask
  if (frame.size() < code_at + 2 || (frame[0] & 0xf) != WSLAY_CONNECTION_CLOSE) return;
  const bool is_masked = (frame[1] & 0x80) != 0;
  const std::size_t payload_bytes = frame[1] & 0x7f;
  if (!is_masked || payload_bytes < 2 || payload_bytes > max_control_bytes) return;
  const std::uint16_t mask = load_be16(frame.subspan(2));
  const auto code = static_cast<std::uint16_t>(load_be16(frame.subspan(code_at)) ^ mask);
  if (code < first_late_close_code || code > last_late_close_code) return;
  late_close_code_ = code;
  store_be16(frame.subspan(code_at), static_cast<std::uint16_t>(WSLAY_CODE_NORMAL_CLOSURE ^ mask));
}

void WebSocket::begin_frame(std::uint8_t opcode, bool is_last, std::uint64_t payload_bytes) {
  is_in_data_frame_ = !is_control(opcode);
  if (!is_in_data_frame_) {
    const auto verdict = control_frames_.take(limits_.control_frames, input_->instant);
    if (verdict != RateMeter::Verdict::pass) fail(WSLAY_CODE_POLICY_VIOLATION, "too many pings");
    return;
  }
  is_in_message_ = !is_last;
  if (++fragments_ > limits_.max_fragments) {
    return fail(WSLAY_CODE_MESSAGE_TOO_BIG, "too many fragments");
  }
  if (payload_bytes > limits_.max_message_bytes - message_.size()) {
    fail(WSLAY_CODE_MESSAGE_TOO_BIG, "message too big");
  }
}

void WebSocket::end_message(std::uint8_t opcode, std::string_view control_payload) {
  if (failure_ != 0) return;
  if (opcode == WSLAY_PING) send_frame(WSLAY_PONG, control_payload, input_->out);
  if (opcode == WSLAY_CONNECTION_CLOSE && control_payload.size() == 1) {
    return fail(WSLAY_CODE_PROTOCOL_ERROR, "");  // half a code (§5.5.1), which wslay lets pass
  }
  if (is_control(opcode)) return;
  fragments_ = 0;
  std::string message = std::exchange(message_, {});
  if (has_sent_close_) return;
  if (opcode == WSLAY_TEXT_FRAME) {
    input_->events.emplace_back(WebSocketText{std::move(message)});
  } else {
    input_->events.emplace_back(WebSocketBinary{std::move(message)});
  }
}

void WebSocket::send_frame(std::uint8_t opcode, std::string_view payload, std::string& out) const {
  if (has_sent_close_) return;
  append_header(out, opcode, payload.size());
  out += payload;
}

void WebSocket::fail(std::uint16_t code, std::string_view reason) {
  if (failure_ != 0) return;
  failure_ = code;
  failure_reason_ = reason;
  wslay_event_shutdown_read(context_.get());
}

/// wslay reads no further: the client has closed, or it has broken the protocol.
void WebSocket::finish(std::string& out, std::vector<WebSocketEvent>& events) {
  wslay_event_context* const context = context_.get();
  (void)wslay_event_send(context);
  const bool has_begun_here = has_sent_close_;
  const bool has_client_closed = failure_ == 0 && wslay_event_get_close_received(context) != 0;
  const std::uint16_t received =
      late_close_code_ != 0 ? late_close_code_ : wslay_event_get_status_code_received(context);
  if (has_client_closed) {
    if (received == WSLAY_CODE_NO_STATUS_RCVD) {
      send_frame(WSLAY_CONNECTION_CLOSE, {}, out);
      has_sent_close_ = true;
    } else {
      close(received, {}, out);
    }
  } else {
    const std::uint16_t found = wslay_event_get_status_code_sent(context);
    const bool is_nameless =
        found == WSLAY_CODE_NO_STATUS_RCVD || found == WSLAY_CODE_ABNORMAL_CLOSURE;
    const std::uint16_t code = is_nameless ? std::uint16_t{WSLAY_CODE_PROTOCOL_ERROR} : found;
    close(failure_ != 0 ? failure_ : code, failure_reason_, out);
  }
  if (!has_begun_here) {
    events.emplace_back(
        WebSocketEnd{has_client_closed ? received : std::uint16_t{WSLAY_CODE_ABNORMAL_CLOSURE}});
  }
  is_closed_ = true;
  context_.reset();
  message_ = held_ = std::string{};
}

}  // namespace turnpike::signaling
