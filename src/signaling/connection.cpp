#include "signaling/connection.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "signaling/error_code.h"

namespace turnpike::signaling {
namespace {

constexpr std::uint16_t try_again_later = 1013;
constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
/// Header of the longest frame that a server sends.
constexpr std::size_t frame_header_bytes = 10;

}  // namespace

HttpConnection::HttpConnection(const Site& site, const ConnectionLimits& limits, Instant instant)
    : site_(site),
      limits_(limits),
      parser_(limits.http),
      deadline_(instant + limits.head_timeout),
      phase_(RequestParser::Waiting::head) {}

void HttpConnection::receive(ByteView bytes, Now now, std::vector<ConnectionEvent>& events) {
  switch (state_) {
    case State::reading:
      parser_.push(bytes);
      read_requests(now, events);
      break;
    case State::asked:
      parser_.push(bytes);
      // Nobody needs to send that much ahead of the answer.
      if (parser_.buffered_bytes() > limits_.http.max_head_bytes) {
        events.emplace_back(Withdrawn{});
        finish(now.instant);
      }
      break;
    case State::open:
    case State::closing:
      read_frames(bytes, now.instant, events);
      break;
    case State::streaming:  // nothing that comes is answered any more
    case State::finishing:
      break;
  }
  note_output(now.instant);
}

void HttpConnection::lost(std::vector<ConnectionEvent>& events) { abort(events); }

void HttpConnection::on_deadline(Now now, std::vector<ConnectionEvent>& events) {
  if (send_deadline_ && *send_deadline_ <= now.instant) return abort(events);
  if (!deadline_ || *deadline_ > now.instant) return;
  if (state_ != State::reading) return abort(events);
  if (parser_.waiting() == RequestParser::Waiting::nothing) return finish(now.instant);
  refuse(HttpError::timeout, now);
  note_output(now.instant);
}

std::optional<Instant> HttpConnection::next_deadline() const {
  if (deadline_ && send_deadline_) return std::min(*deadline_, *send_deadline_);
  return deadline_ ? deadline_ : send_deadline_;
}

void HttpConnection::respond(const Response& response, Now now,
                             std::vector<ConnectionEvent>& events) {
  if (state_ != State::asked) return;
  state_ = State::reading;
  opening_.reset();
  write(response, now);
  read_requests(now, events);
  note_output(now.instant);
}

void HttpConnection::open(Now now, std::vector<ConnectionEvent>& events) {
  if (state_ != State::asked || !opening_) return;
  const std::unique_ptr<Opening> opening = std::move(opening_);
  upgrade(opening->upgrade, std::move(opening->request), now, events);
  note_output(now.instant);
}

void HttpConnection::begin_stream(const Response& head, Now now,
                                  std::vector<ConnectionEvent>& events) {
  if (is_head_) return respond(head, now, events);
  if (state_ != State::asked) return;
  state_ = State::streaming;
  opening_.reset();
  (void)parser_.take_rest();
  append_response(output_, head, {.wall = now.wall, .is_stream = true});
  note_output(now.instant);
}

bool HttpConnection::send_part(std::string_view text, Instant instant) {
  if (state_ != State::streaming) return true;
  if (output().size() + text.size() > limits_.max_queued_bytes) return false;
  output_.append(text);
  note_output(instant);
  return true;
}

void HttpConnection::end_stream(Instant instant) {
  if (state_ == State::streaming) finish(instant);
}

bool HttpConnection::send_text(std::string_view text, Instant instant) {
  if (state_ != State::open) return true;
  if (!has_room(text.size(), instant)) return false;
  socket_->send_text(text, output_);
  note_output(instant);
  return true;
}

bool HttpConnection::send_binary(std::string_view bytes, Instant instant) {
  if (state_ != State::open) return true;
  if (!has_room(bytes.size(), instant)) return false;
  socket_->send_binary(bytes, output_);
  note_output(instant);
  return true;
}

void HttpConnection::close(std::uint16_t code, std::string_view reason, Instant instant) {
  if (state_ != State::open) return;
  socket_->close(code, reason, output_);
  state_ = State::closing;
  deadline_ = instant + limits_.close_timeout;
  note_output(instant);
}

void HttpConnection::take_output(std::size_t bytes, Instant instant) {
  TURNPIKE_ASSERT(bytes <= output_.size() - taken_);
  taken_ += bytes;
  if (taken_ == output_.size()) {
    output_ = std::string{};  // with its memory
    taken_ = pipelined_ = 0;
    send_deadline_.reset();
  } else if (bytes > 0) {
    // What is taken makes room once it is half of all, so that each byte is moved once at most.
    if (taken_ > output_.size() / 2) output_.erase(0, std::exchange(taken_, 0));
    send_deadline_ = instant + limits_.send_timeout;
  }
}

bool HttpConnection::wants_close() const { return state_ == State::finishing && output_.empty(); }

void HttpConnection::read_requests(Now now, std::vector<ConnectionEvent>& events) {
  while (state_ == State::reading) {
    auto next = parser_.next();
    if (!next) return refuse(next.error(), now);
    if (!*next) break;
    answer(std::move(**next), now, events);
  }
  if (state_ != State::reading) return;
  if (parser_.take_expectation()) output_ += go_on;
  schedule_reading(now.instant);
}

void HttpConnection::answer(Request request, Now now, std::vector<ConnectionEvent>& events) {
  const bool is_unread = output().size() > limits_.max_queued_bytes;
  if (++pipelined_ > limits_.max_pipelined || is_unread) return finish(now.instant);
  keeps_alive_ = request.keep_alive;
  is_head_ = request.method == Method::head;
  phase_.reset();
  Decision decision = site_.decide(request);
  if (const auto* const response = std::get_if<Response>(&decision)) {
    write(*response, now);
  } else if (auto* const switching = std::get_if<Upgrade>(&decision)) {
    upgrade(*switching, std::move(request), now, events);
  } else {
    auto& application = std::get<Application>(decision);
    state_ = State::asked;
    deadline_.reset();
    const bool may_open = application.upgrade.has_value();
    if (may_open) {
      opening_ = std::make_unique<Opening>(Opening{std::move(*application.upgrade), request});
    }
    events.emplace_back(
        Asked{std::move(request), application.route, application.verdict, may_open});
  }
}

void HttpConnection::write(const Response& response, Now now) {
  append_response(output_, response, {now.wall, is_head_, keeps_alive_});
  if (!keeps_alive_) finish(now.instant);
}

void HttpConnection::upgrade(const Upgrade& upgrade, Request request, Now now,
                             std::vector<ConnectionEvent>& events) {
  append_response(output_, upgrade.response, {now.wall, false, true});
  WebSocketLimits limits = limits_.websocket;
  if (upgrade.max_message_bytes > 0) limits.max_message_bytes = upgrade.max_message_bytes;
  max_queued_bytes_ = std::max(limits_.max_queued_bytes, 2 * upgrade.max_message_bytes);
  socket_ = std::make_unique<WebSocket>(limits);
  state_ = State::open;
  deadline_.reset();
  events.emplace_back(Opened{std::move(request), upgrade.route});
  const std::string rest = parser_.take_rest();
  read_frames(bytes_of(rest), now.instant, events);
}

void HttpConnection::read_frames(ByteView bytes, Instant instant,
                                 std::vector<ConnectionEvent>& events) {
  std::vector<WebSocketEvent> read;
  socket_->receive(bytes, instant, output_, read);
  for (WebSocketEvent& event : read) {
    if (auto* const text = std::get_if<WebSocketText>(&event)) {
      events.emplace_back(std::move(*text));
    } else if (auto* const binary = std::get_if<WebSocketBinary>(&event)) {
      events.emplace_back(std::move(*binary));
    } else {
      events.emplace_back(Ended{std::get<WebSocketEnd>(event).code});
    }
  }
  if (socket_->is_closed()) finish(instant);
}

bool HttpConnection::has_room(std::size_t bytes, Instant instant) {
  if (output().size() + frame_header_bytes + bytes <= max_queued_bytes_) return true;
  close(try_again_later, "reads too slowly", instant);
  return false;
}

void HttpConnection::finish(Instant instant) {
  state_ = State::finishing;
  deadline_ = instant + limits_.close_timeout;
  (void)parser_.take_rest();
}

void HttpConnection::refuse(HttpError error, Now now) {
  keeps_alive_ = is_head_ = false;
  write(text_response(status_of(error), to_sentence(error)), now);
}

void HttpConnection::abort(std::vector<ConnectionEvent>& events) {
  if (state_ == State::open) events.emplace_back(Ended{close_codes::abnormal});
  if (state_ == State::asked || state_ == State::streaming) events.emplace_back(Withdrawn{});
  state_ = State::finishing;
  output_ = std::string{};
  taken_ = 0;
  deadline_.reset();
  send_deadline_.reset();
  (void)parser_.take_rest();
}

void HttpConnection::schedule_reading(Instant instant) {
  const RequestParser::Waiting waiting = parser_.waiting();
  if (phase_ == waiting) return;
  phase_ = waiting;
  deadline_ = instant + (waiting == RequestParser::Waiting::nothing ? limits_.idle_timeout
                         : waiting == RequestParser::Waiting::head  ? limits_.head_timeout
                                                                    : limits_.body_timeout);
}

void HttpConnection::note_output(Instant instant) {
  if (!output_.empty() && !send_deadline_) send_deadline_ = instant + limits_.send_timeout;
}

}  // namespace turnpike::signaling
