#include "signaling/engineio_session.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "signaling/engineio_request.h"
#include "signaling/error_code.h"
#include "signaling/json.h"

namespace turnpike::signaling {
namespace {

constexpr std::string_view probe_body = "probe";

Response payload_response(std::string payload) {
  Response response;
  response.with("Content-Type", "text/plain; charset=UTF-8").with("Cache-Control", "no-store");
  response.body = std::move(payload);
  return response;
}

void send_frame(ConnectionId to, EngineIoPacket packet, EngineIoOutput& out) {
  if (packet.is_binary) {
    out.actions.emplace_back(SendBinary{to, make_frame(std::move(packet.body))});
  } else {
    out.actions.emplace_back(SendText{to, make_frame(engineio_text(packet.type, packet.body))});
  }
}

}  // namespace

EngineIoSession::EngineIoSession(std::string sid, const EngineIoSettings& settings, Instant instant)
    : sid_(std::move(sid)), settings_(settings), ping_due_(instant + settings.ping_interval) {}

std::string EngineIoSession::open_body(bool offers_upgrade) const {
  return ObjectWriter{}
      .text("sid", sid_)
      .raw("upgrades", offers_upgrade ? R"(["websocket"])" : "[]")
      .number("pingInterval", static_cast<std::uint64_t>(settings_.ping_interval.count()))
      .number("pingTimeout", static_cast<std::uint64_t>(settings_.ping_timeout.count()))
      .number("maxPayload", settings_.max_payload_bytes)
      .finish();
}

void EngineIoSession::open_by_poll(ConnectionId id, EngineIoOutput& out) const {
  out.actions.emplace_back(
      Respond{id, payload_response(engineio_text(EngineIoType::open, open_body(true)))});
}

void EngineIoSession::open_by_socket(ConnectionId id, EngineIoOutput& out) {
  socket_ = id;
  send_frame(id, {EngineIoType::open, open_body(false)}, out);
}

// --- Long polling --------------------------------------------------------------------------------

void EngineIoSession::on_get(ConnectionId id, EngineIoOutput& out) {
  if (get_) {
    end(EngineIoType::close, out);
    out.actions.emplace_back(Respond{id, engineio_refusal(EngineIoError::bad_request)});
    return;
  }
  get_ = id;
  // The client finishes its polling before it goes over to the WebSocket.
  if (has_probed_ && queue_.empty()) answer_get(engineio_text(EngineIoType::noop), out);
}

void EngineIoSession::on_post(ConnectionId id, std::string_view body, Instant instant,
                              EngineIoOutput& out) {
  if (body.size() > settings_.max_payload_bytes) {
    out.actions.emplace_back(Respond{id, text_response(413, "The payload is too large.")});
    return;
  }
  bool is_valid = is_utf8(body);
  do {
    auto packet = is_valid ? take_engineio_packet(body) : std::nullopt;
    is_valid = packet.has_value();
    if (is_valid) on_packet(std::move(*packet), instant, out);
  } while (is_valid && !body.empty() && !is_closed_);
  if (!is_valid) end(EngineIoType::close, out);
  out.actions.emplace_back(Respond{
      id, is_valid ? payload_response("ok") : engineio_refusal(EngineIoError::bad_request)});
}

void EngineIoSession::on_withdrawn(EngineIoOutput& out) {
  get_.reset();
  end(EngineIoType::close, out);
}

void EngineIoSession::answer_get(std::string payload, EngineIoOutput& out) {
  out.actions.emplace_back(Respond{*get_, payload_response(std::move(payload))});
  get_.reset();
}

std::string EngineIoSession::take_payload() {
  std::string payload;
  for (const EngineIoPacket& packet : queue_) append_to_payload(payload, packet);
  queue_.clear();
  queued_bytes_ = 0;
  return payload;
}

// --- WebSockets ----------------------------------------------------------------------------------

bool EngineIoSession::may_upgrade() const { return is_polling() && !probe_; }

void EngineIoSession::begin_upgrade(ConnectionId id, Instant instant) {
  probe_ = id;
  has_probed_ = false;
  upgrade_due_ = instant + settings_.upgrade_timeout;
}

void EngineIoSession::on_text(ConnectionId id, std::string_view text, Instant instant,
                              EngineIoOutput& out) {
  auto packet = parse_engineio_packet(text);
  if (id == probe_) return on_probe_packet(packet, out);
  if (!packet) return end(EngineIoType::close, out);
  on_packet(std::move(*packet), instant, out);
}

void EngineIoSession::on_binary(ConnectionId id, std::string_view bytes, EngineIoOutput& out) {
  if (id == probe_) return end_probe(out);
  out.messages.push_back({std::string{bytes}, true});
}

void EngineIoSession::on_probe_packet(const std::optional<EngineIoPacket>& packet,
                                      EngineIoOutput& out) {
  if (packet && packet->type == EngineIoType::ping && packet->body == probe_body) {
    has_probed_ = true;
    send_frame(*probe_, {EngineIoType::pong, std::string{probe_body}}, out);
    if (get_ && queue_.empty()) answer_get(engineio_text(EngineIoType::noop), out);
  } else if (packet && packet->type == EngineIoType::upgrade) {
    finish_upgrade(out);
  } else {
    end_probe(out);
  }
}

void EngineIoSession::finish_upgrade(EngineIoOutput& out) {
  if (get_) answer_get(engineio_text(EngineIoType::noop), out);
  socket_ = std::exchange(probe_, std::nullopt);
}

void EngineIoSession::end_probe(EngineIoOutput& out) {
  out.actions.emplace_back(Close{*probe_, close_codes::normal, ""});
  probe_.reset();
  has_probed_ = false;
}

void EngineIoSession::on_socket_ended(ConnectionId id) {
  if (id == probe_) {
    probe_.reset();
    has_probed_ = false;
  } else {
    is_closed_ = true;
  }
}

// --- Both ----------------------------------------------------------------------------------------

void EngineIoSession::on_packet(EngineIoPacket packet, Instant instant, EngineIoOutput& out) {
  switch (packet.type) {
    case EngineIoType::message:
      out.messages.push_back({std::move(packet.body), packet.is_binary});
      break;
    case EngineIoType::pong:
      awaits_pong_ = false;
      ping_due_ = instant + settings_.ping_interval;
      break;
    case EngineIoType::close:
      end(EngineIoType::noop, out);
      break;
    case EngineIoType::ping:  // the server's to send
      end(EngineIoType::close, out);
      break;
    default:  // mean nothing here, and the reference server ignores them
      break;
  }
}

void EngineIoSession::on_deadline(Instant instant, EngineIoOutput& out) {
  if (is_closed_) return;
  if (probe_ && upgrade_due_ <= instant) end_probe(out);
  if (ping_due_ > instant) return;
  if (awaits_pong_) return end(EngineIoType::close, out);
  awaits_pong_ = true;
  ping_due_ = instant + settings_.ping_timeout;
  send({EngineIoType::ping});
}

Instant EngineIoSession::next_deadline() const {
  return probe_ ? std::min(ping_due_, upgrade_due_) : ping_due_;
}

void EngineIoSession::send_text(std::string body) {
  send({EngineIoType::message, std::move(body)});
}

void EngineIoSession::send_binary(std::string body) {
  send({EngineIoType::message, std::move(body), true});
}

void EngineIoSession::send(EngineIoPacket packet) {
  if (is_closed_) return;
  queued_bytes_ += packet.body.size() + sizeof packet;
  queue_.push_back(std::move(packet));
}

void EngineIoSession::flush(EngineIoOutput& out) {
  if (is_closed_ || queue_.empty()) return;
  if (socket_) {
    for (EngineIoPacket& packet : queue_) send_frame(*socket_, std::move(packet), out);
    queue_.clear();
    queued_bytes_ = 0;
  } else if (get_) {
    answer_get(take_payload(), out);
  } else if (queued_bytes_ > settings_.max_queued_bytes) {
    end(EngineIoType::close, out);
  }
}

void EngineIoSession::close(EngineIoOutput& out) {
  if (socket_) flush(out);
  end(EngineIoType::close, out);
}

void EngineIoSession::end(EngineIoType last, EngineIoOutput& out) {
  if (is_closed_) return;
  is_closed_ = true;
  if (get_) {
    std::string payload = take_payload();
    append_to_payload(payload, {last});
    answer_get(std::move(payload), out);
  }
  if (socket_) out.actions.emplace_back(Close{*socket_, close_codes::normal, ""});
  if (probe_) end_probe(out);
  queue_ = {};
  queued_bytes_ = 0;
}

}  // namespace turnpike::signaling
