#include "server/stream_session.h"

#include <algorithm>

namespace turnpike::server {
namespace {

constexpr std::size_t idle_capacity = 4096;  // larger buffers are given back when they are empty

// A client that writes byte by byte, each in a record, is odd but honest: a whole conversation
// until data flows, with its Allocate, permissions and channels, fits into what it may send at
// once. Data itself comes in records of a message at least. Data connections (RFC 6062) are not
// asked: on them a byte may be a keystroke.
constexpr std::int64_t tiny_records_a_second = 32;
constexpr std::int64_t tiny_records_at_once = 1024;

constexpr std::string_view not_found =
    "HTTP/1.1 404 Not Found\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 56\r\n"
    "Connection: close\r\n"
    "\r\n"
    "This is a STUN and TURN server. There is no page here.\r\n";

void append(std::vector<std::uint8_t>& to, ByteView bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

void clear(std::vector<std::uint8_t>& buffer) {
  if (buffer.capacity() > idle_capacity) {
    buffer = {};
  } else {
    buffer.clear();
  }
}

}  // namespace

StreamSession::StreamSession(net::TcpSocket socket, const FiveTuple& tuple,
                             std::shared_ptr<const net::TlsContext> tls, bool expects_proxy)
    : socket_(std::move(socket)), tuple_(tuple) {
  if (tls) tls_.emplace(std::move(tls));
  if (!expects_proxy) return;
  preface_ = std::make_unique<Preface>();
  preface_->is_inside = !tls_;
}

bool StreamSession::receive(MutableByteView scratch) {
  const auto count = socket_.read(scratch);
  if (!count) return count.error() == net::StreamStop::would_block;
  if (is_closing_) return true;
  const ByteView bytes = scratch.first(*count);
  if (preface_ && !preface_->is_inside && preface_->wire.empty()) {
    preface_->is_inside = !may_begin_proxy_header(bytes[0]);
  }
  if (!preface_ || preface_->is_inside) return receive_plain(bytes);
  append(preface_->wire, bytes);
  return true;
}

/// Takes bytes of the client, off the wire.
bool StreamSession::receive_plain(ByteView bytes) {
  if (!tls_) {
    append(input_, bytes);
    return true;
  }
  return tls_->receive(bytes, input_, wire_) == net::TlsSession::Status::open;
}

bool StreamSession::floods_with_records(Instant now) {
  if (!tls_) return false;
  constexpr nanoseconds each = nanoseconds{seconds{1}} / tiny_records_a_second;
  tiny_records_paid_until_ =
      std::max(tiny_records_paid_until_, now) + tls_->take_tiny_records() * each;
  return tiny_records_paid_until_ - now > tiny_records_at_once * each;
}

ProxyState StreamSession::find_preface(ProxyHeader& header) const {
  const ByteView bytes =
      preface_->is_inside ? ByteView{input_}.subspan(taken_) : ByteView{preface_->wire};
  return find_proxy_header(bytes, ProxyCarrier::stream, header);
}

StreamInput StreamSession::take_preface() {
  ProxyHeader header;
  switch (find_preface(header)) {
    case ProxyState::incomplete:
      return StreamInput::incomplete;
    case ProxyState::broken:
      return StreamInput::broken;
    case ProxyState::complete:
      break;
  }
  preface_->size = header.size;
  if (header.ends) tuple_.client = header.ends->source;
  return StreamInput::proxy_header;
}

bool StreamSession::accept_client() {
  const std::unique_ptr<const Preface> preface = std::move(preface_);
  if (preface->is_inside) {
    taken_ += preface->size;
    return true;
  }
  const ByteView rest = ByteView{preface->wire}.subspan(preface->size);
  return rest.empty() || receive_plain(rest);
}

StreamInput StreamSession::peek(turn::StreamFrame& frame) const {
  const ByteView rest = ByteView{input_}.subspan(taken_);
  if (rest.empty()) return StreamInput::incomplete;
  const bool is_capital = 'A' <= rest[0] && rest[0] <= 'Z';
  if (!has_spoken_turn_ && is_capital) return StreamInput::http;
  switch (turn::find_frame(rest, frame)) {
    case turn::StreamState::incomplete:
      return StreamInput::incomplete;
    case turn::StreamState::broken:
      return StreamInput::broken;
    case turn::StreamState::complete:
      break;
  }
  return StreamInput::message;
}

StreamInput StreamSession::next(ByteView& message) {
  if (preface_) return take_preface();
  turn::StreamFrame frame{};
  const StreamInput input = peek(frame);
  if (input != StreamInput::message) return input;
  has_spoken_turn_ = true;
  message = ByteView{input_}.subspan(taken_, frame.message_bytes);
  taken_ += frame.total_bytes;
  return input;
}

bool StreamSession::has_input() const {
  ProxyHeader header;
  if (preface_) return find_preface(header) != ProxyState::incomplete;
  turn::StreamFrame frame{};
  return peek(frame) != StreamInput::incomplete;
}

void StreamSession::compact() {
  if (taken_ == input_.size()) {
    clear(input_);
  } else {
    input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(taken_));
  }
  taken_ = 0;
}

/// Moves the rest no more often than half of it has been taken, as forget_sent() does.
void StreamSession::take_data(std::size_t bytes) {
  taken_ += bytes;
  if (taken_ == input_.size() || taken_ > input_.size() - taken_) compact();
}

void StreamSession::finish() {
  is_finishing_ = true;
  is_closing_ = is_closing_ || tls_;
}

bool StreamSession::queue(ByteView header, ByteView payload, std::size_t padding_bytes) {
  if (queued_bytes() + header.size() + payload.size() + padding_bytes > max_queued_bytes)
    return false;
  std::vector<std::uint8_t>& out = tls_ ? plain_ : wire_;
  append(out, header);
  append(out, payload);
  out.resize(out.size() + padding_bytes);
  return true;
}

void StreamSession::answer_http() {
  static_cast<void>(queue(bytes_of(not_found), {}, 0));
  begin_close();
}

/// A client that reads slower than its peers send may never empty the queue. Waiting for half of it
/// keeps the cost of moving the rest in proportion to what was sent.
void StreamSession::forget_sent() {
  if (sent_ < wire_.size() - sent_) return;
  wire_.erase(wire_.begin(), wire_.begin() + static_cast<std::ptrdiff_t>(sent_));
  sent_ = 0;
}

bool StreamSession::flush() {
  bool is_alive = true;
  if (tls_ && !plain_.empty()) {
    is_alive = tls_->send(plain_, wire_) == net::TlsSession::Status::open;
    clear(plain_);
  }
  while (wants_to_write()) {
    const auto count = socket_.write(ByteView{wire_}.subspan(sent_));
    if (!count) {
      forget_sent();
      return count.error() == net::StreamStop::would_block;
    }
    sent_ += *count;
  }
  clear(wire_);
  sent_ = 0;
  if (is_finishing_ && !has_finished_) {
    if (tls_) {
      tls_->close(wire_);
      static_cast<void>(socket_.write(wire_));
      clear(wire_);
    }
    socket_.finish_writing();
    has_finished_ = true;
  }
  return is_alive;
}

}  // namespace turnpike::server
