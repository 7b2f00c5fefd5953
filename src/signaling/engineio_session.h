// One session of Engine.IO v4, over long polling, a WebSocket, or first the one and then the other.
// What its messages mean is not known here.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.h"
#include "signaling/effects.h"
#include "signaling/engineio_packet.h"
#include "signaling/http.h"

namespace turnpike::signaling {

struct EngineIoSettings {
  milliseconds ping_interval{25'000};
  milliseconds ping_timeout{20'000};
  milliseconds upgrade_timeout{10'000};       ///< from the WebSocket's opening
  std::size_t max_payload_bytes = 1'000'000;  ///< of a POST, and of a WebSocket's message
  /// That wait for the client's next GET. A session whose client does not fetch them is closed.
  std::size_t max_queued_bytes = 2'000'000;
};

/// Answer the request that waits on `to`.
struct Respond {
  ConnectionId to;
  Response response;
};
using EngineIoAction = std::variant<Respond, SendText, SendBinary, Close>;

struct EngineIoMessage {
  std::string body;
  bool is_binary;
};

/// What calls to a session collect: what is to be done, and what the client has said.
struct EngineIoOutput {
  std::vector<EngineIoAction> actions{};
  std::vector<EngineIoMessage> messages{};
};

/// Feed it requests, frames, ends and deadlines; what it says goes out with flush(), which is to be
/// called after the messages of every call have been looked at.
///
/// A POST is answered at once, so there are never two of a session at a time. A second GET beside
/// one that waits ends the session, as do a payload that makes no sense, a GET that is withdrawn, a
/// ping that goes unanswered and a queue that is not fetched.
class EngineIoSession {
 public:
  /// `settings` must outlive it.
  EngineIoSession(std::string sid, const EngineIoSettings& settings, Instant instant);

  [[nodiscard]] const std::string& sid() const { return sid_; }

  // ---- its first request, one of the two ----
  void open_by_poll(ConnectionId id, EngineIoOutput& out) const;
  void open_by_socket(ConnectionId id, EngineIoOutput& out);

  // ---- long polling; precondition: is_polling() ----
  void on_get(ConnectionId id, EngineIoOutput& out);
  void on_post(ConnectionId id, std::string_view body, Instant instant, EngineIoOutput& out);
  /// The client does not wait for the answer to a GET any more.
  void on_withdrawn(EngineIoOutput& out);

  // ---- WebSockets ----
  /// Long polling, and no WebSocket on its way yet.
  [[nodiscard]] bool may_upgrade() const;
  /// A WebSocket for this session is open. Precondition: may_upgrade().
  void begin_upgrade(ConnectionId id, Instant instant);
  void on_text(ConnectionId id, std::string_view text, Instant instant, EngineIoOutput& out);
  void on_binary(ConnectionId id, std::string_view bytes, EngineIoOutput& out);
  void on_socket_ended(ConnectionId id);

  void on_deadline(Instant instant, EngineIoOutput& out);
  [[nodiscard]] Instant next_deadline() const;

  // ---- what is said to the client ----
  void send_text(std::string body);
  void send_binary(std::string body);
  void flush(EngineIoOutput& out);
  /// Sends what is there, if it can be, and ends the session.
  void close(EngineIoOutput& out);

  [[nodiscard]] bool is_polling() const { return !is_closed_ && !socket_; }
  /// Nothing more comes of it. Requests that name it are for nobody.
  [[nodiscard]] bool is_closed() const { return is_closed_; }
  [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_; }

 private:
  [[nodiscard]] std::string open_body(bool offers_upgrade) const;
  void on_packet(EngineIoPacket packet, Instant instant, EngineIoOutput& out);
  void on_probe_packet(const std::optional<EngineIoPacket>& packet, EngineIoOutput& out);
  void finish_upgrade(EngineIoOutput& out);
  void end_probe(EngineIoOutput& out);
  void send(EngineIoPacket packet);
  void answer_get(std::string payload, EngineIoOutput& out);
  /// What is queued, as the body of an answer to a GET.
  [[nodiscard]] std::string take_payload();
  /// Ends it; a GET that waits is answered with what is queued and `last`.
  void end(EngineIoType last, EngineIoOutput& out);

  std::string sid_;
  const EngineIoSettings& settings_;
  std::optional<ConnectionId> get_;     // that waits
  std::optional<ConnectionId> socket_;  // the transport, once it is a WebSocket
  std::optional<ConnectionId> probe_;   // a WebSocket that wants to become it
  Instant upgrade_due_{};               // of probe_
  bool has_probed_ = false;
  std::vector<EngineIoPacket> queue_;
  std::size_t queued_bytes_ = 0;
  Instant ping_due_;  // when the next ping goes out, or the pong must be there
  bool awaits_pong_ = false;
  bool is_closed_ = false;
};

}  // namespace turnpike::signaling
