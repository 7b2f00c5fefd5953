// What the room core wants done: values that the shell carries out. The core itself does nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/endpoint.h"
#include "signaling/error_code.h"

namespace turnpike::signaling {

/// A client's connection. The shell chooses the numbers and never uses one twice.
enum class ConnectionId : std::uint64_t {};

/// The text or bytes of one WebSocket message. Immutable and shared: a message to a room is made
/// once, whoever it goes to, and lives as long as a send queue or a replay ring holds it.
using Frame = std::shared_ptr<const std::string>;

[[nodiscard]] inline Frame make_frame(std::string text) {
  return std::make_shared<const std::string>(std::move(text));
}

/// Send one text message.
struct SendText {
  ConnectionId to;
  Frame frame;
};

/// Send one binary message. Only doors that relay frames untouched ask for it.
struct SendBinary {
  ConnectionId to;
  Frame frame;
};

/// Close the connection once everything before has been sent. The core has forgotten it already:
/// what still comes from it is ignored, and so is its end.
struct Close {
  ConnectionId connection;
  std::uint16_t code;
  std::string reason;  ///< at most 123 bytes, as a close frame holds
};

/// Ask the operator's webhook whether this join is allowed, then call Rooms::on_webhook_answer.
/// That is asked once in a connection's life; an answer that comes too late is ignored.
struct AskWebhook {
  ConnectionId connection;
  std::string body;  ///< the JSON to POST
};

/// What came of an entry by another door for which the webhook was asked: see Rooms::enter().
struct EntryAnswer {
  ConnectionId connection;
  std::optional<ErrorCode> refusal;  ///< nothing: it is a member now. Else it is forgotten.
};

using Effect = std::variant<SendText, SendBinary, Close, AskWebhook, EntryAnswer>;

/// Whom it is about.
[[nodiscard]] inline ConnectionId member_of(const Effect& effect) {
  struct Visitor {
    ConnectionId operator()(const SendText& text) const { return text.to; }
    ConnectionId operator()(const SendBinary& binary) const { return binary.to; }
    ConnectionId operator()(const Close& close) const { return close.connection; }
    ConnectionId operator()(const AskWebhook& question) const { return question.connection; }
    ConnectionId operator()(const EntryAnswer& answer) const { return answer.connection; }
  };
  return std::visit(Visitor{}, effect);
}

/// Collects effects in order. Made once and cleared after use.
class Effects {
 public:
  void text(ConnectionId to, Frame frame) { list_.emplace_back(SendText{to, std::move(frame)}); }
  void binary(ConnectionId to, Frame frame) {
    list_.emplace_back(SendBinary{to, std::move(frame)});
  }
  void close(ConnectionId connection, std::uint16_t code, std::string reason) {
    list_.emplace_back(Close{connection, code, std::move(reason)});
  }
  void ask(ConnectionId connection, std::string body) {
    list_.emplace_back(AskWebhook{connection, std::move(body)});
  }
  void answer_entry(ConnectionId connection, std::optional<ErrorCode> refusal = std::nullopt) {
    list_.emplace_back(EntryAnswer{connection, refusal});
  }

  /// In the order in which they were asked for. Carrying one out may append further ones, so walk
  /// by index.
  [[nodiscard]] const std::vector<Effect>& list() const { return list_; }
  void clear() { list_.clear(); }

 private:
  std::vector<Effect> list_;
};

}  // namespace turnpike::signaling
