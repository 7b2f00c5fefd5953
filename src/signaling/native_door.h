// The native door: WebSockets that speak turnpike.v1, joined to the rooms.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "base/endpoint.h"
#include "signaling/connection.h"
#include "signaling/effects.h"
#include "signaling/rooms.h"

namespace turnpike::signaling {

/// Carries out one effect on the connection that it names. False when the client reads too slowly
/// and has been closed for it: then tell Rooms::on_closed(). Questions for webhooks are no affair
/// of a connection.
[[nodiscard]] bool carry_out(const Effect& effect, HttpConnection& connection, Instant instant);

/// Knows which ConnectionId is which connection, tells Rooms what happens on them and carries out
/// what it asks for.
///
/// After each call, the connections in take_touched() have output, a deadline or an end that the
/// driver has not seen, and take_questions() are to be put to the webhook.
class NativeDoor {
 public:
  /// `rooms` must outlive it.
  explicit NativeDoor(Rooms& rooms) : rooms_(rooms) {}
  NativeDoor(const NativeDoor&) = delete;
  NativeDoor& operator=(const NativeDoor&) = delete;

  /// What `connection`, of a client at `address`, has to say. `id` must be its own for ever, and
  /// `connection` must stay where it is until its events (with those of lost()) have said that it
  /// has ended.
  void on_event(ConnectionId id, HttpConnection& connection, const IpAddress& address,
                const ConnectionEvent& event, Now now);
  void on_webhook_answer(ConnectionId id, const std::optional<WebhookAnswer>& answer, Now now);
  void on_deadline(Now now);
  [[nodiscard]] std::optional<Instant> next_deadline() const { return rooms_.next_deadline(); }

  /// For calls to Rooms made elsewhere (administration, drain): let them collect their effects
  /// here, then carry_out_all().
  [[nodiscard]] Effects& effects() { return effects_; }
  /// Effects on connections that are not of this door are dropped.
  void carry_out_all(Now now);

  /// Each once, in the order of their numbers.
  [[nodiscard]] std::vector<ConnectionId> take_touched();
  [[nodiscard]] std::vector<AskWebhook> take_questions();
  [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }

 private:
  void open(ConnectionId id, HttpConnection& connection, const IpAddress& address,
            const Opened& opened, Now now);
  void refuse_binary(ConnectionId id, HttpConnection& connection, Now now);
  void perform(ConnectionId id, const Effect& effect, Now now);

  Rooms& rooms_;
  Effects effects_;
  std::unordered_map<ConnectionId, HttpConnection*> connections_;
  std::vector<ConnectionId> touched_;
  std::vector<AskWebhook> questions_;
};

}  // namespace turnpike::signaling
