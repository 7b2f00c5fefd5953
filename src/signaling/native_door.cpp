#include "signaling/native_door.h"

#include <algorithm>
#include <utility>

namespace turnpike::signaling {
namespace {

constexpr std::uint16_t unsupported_data = 1003;

}  // namespace

bool carry_out(const Effect& effect, HttpConnection& connection, Instant instant) {
  if (const auto* const text = std::get_if<SendText>(&effect)) {
    return connection.send_text(*text->frame, instant);
  }
  if (const auto* const binary = std::get_if<SendBinary>(&effect)) {
    return connection.send_binary(*binary->frame, instant);
  }
  if (const auto* const close = std::get_if<Close>(&effect)) {
    connection.close(close->code, close->reason, instant);
  }
  return true;
}

void NativeDoor::on_event(ConnectionId id, HttpConnection& connection, const IpAddress& address,
                          const ConnectionEvent& event, Now now) {
  if (const auto* const opened = std::get_if<Opened>(&event)) {
    open(id, connection, address, *opened, now);
  } else if (!connections_.contains(id)) {
    return;  // closed from here, with events still under way
  } else if (const auto* const text = std::get_if<WebSocketText>(&event)) {
    rooms_.on_text(id, text->text, now, effects_);
  } else if (std::holds_alternative<WebSocketBinary>(event)) {
    refuse_binary(id, connection, now);
  } else if (const auto* const ended = std::get_if<Ended>(&event)) {
    connections_.erase(id);
    rooms_.on_closed(id, ended->code, now, effects_);
  }
  carry_out_all(now);
}

void NativeDoor::on_webhook_answer(ConnectionId id, const std::optional<WebhookAnswer>& answer,
                                   Now now) {
  rooms_.on_webhook_answer(id, answer, now, effects_);
  carry_out_all(now);
}

void NativeDoor::on_deadline(Now now) {
  rooms_.on_deadline(now, effects_);
  carry_out_all(now);
}

void NativeDoor::carry_out_all(Now now) {
  // By index: a client that reads too slowly adds effects for the others of its room.
  for (std::size_t i = 0; i < effects_.list().size(); ++i) {
    const Effect effect = effects_.list()[i];
    if (const auto* const text = std::get_if<SendText>(&effect)) {
      perform(text->to, effect, now);
    } else if (const auto* const binary = std::get_if<SendBinary>(&effect)) {
      perform(binary->to, effect, now);
    } else if (const auto* const close = std::get_if<Close>(&effect)) {
      perform(close->connection, effect, now);
      connections_.erase(close->connection);
    } else {
      questions_.push_back(std::get<AskWebhook>(effect));
    }
  }
  effects_.clear();
}

std::vector<ConnectionId> NativeDoor::take_touched() {
  std::vector<ConnectionId> touched = std::exchange(touched_, {});
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  return touched;
}

std::vector<AskWebhook> NativeDoor::take_questions() { return std::exchange(questions_, {}); }

void NativeDoor::open(ConnectionId id, HttpConnection& connection, const IpAddress& address,
                      const Opened& opened, Now now) {
  connections_.emplace(id, &connection);
  rooms_.on_connected(id, {address, opened.origin}, now, effects_);
}

void NativeDoor::refuse_binary(ConnectionId id, HttpConnection& connection, Now now) {
  connection.close(unsupported_data, "turnpike.v1 is text", now.instant);
  touched_.push_back(id);
  connections_.erase(id);
  rooms_.on_closed(id, close_codes::abnormal, now, effects_);
}

void NativeDoor::perform(ConnectionId id, const Effect& effect, Now now) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  touched_.push_back(id);
  if (carry_out(effect, *found->second, now.instant)) return;
  connections_.erase(found);
  rooms_.on_closed(id, close_codes::abnormal, now, effects_);
}

}  // namespace turnpike::signaling
