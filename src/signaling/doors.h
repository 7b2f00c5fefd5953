// All doors of one server: who is on which connection, and how what the rooms want reaches them.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/endpoint.h"
#include "signaling/connection.h"
#include "signaling/door.h"
#include "signaling/effects.h"
#include "signaling/rooms.h"

namespace turnpike::signaling {

/// Joins connections, doors and rooms.
///
/// The driver reports connections and what they say; after each call it looks at take_touched(),
/// the connections that have output, a deadline or an end it has not seen, and at
/// take_questions() and take_events(), to be put to the webhook.
class Doors {
 public:
  /// `rooms` must outlive it.
  explicit Doors(Rooms& rooms) : rooms_(rooms) {}
  Doors(const Doors&) = delete;
  Doors& operator=(const Doors&) = delete;

  /// Before there are connections. `door` must outlive all of them.
  void add(Door& door);
  /// GET /healthz, and what the doors answer. For the Site of every connection.
  [[nodiscard]] const std::vector<Route>& routes() const { return routes_; }

  // ---- for the driver ----
  /// A client at `address`, or a reverse proxy there that says in X-Forwarded-For whom it speaks
  /// for. `connection` must stay where it is until on_gone().
  enum class Peer : std::uint8_t {
    client,
    reverse_proxy,
    operator_of_host,  ///< by a way that nobody else can come
  };
  [[nodiscard]] ConnectionId on_connected(HttpConnection& connection, const IpAddress& address,
                                          Peer peer = Peer::client);
  /// What `connection` has said, in order.
  void on_events(ConnectionId id, std::vector<ConnectionEvent>& events, Now now);
  /// The TCP connection is gone, or about to be ended by the driver.
  void on_gone(ConnectionId id, Now now);
  void on_webhook_answer(ConnectionId member, const std::optional<WebhookAnswer>& answer, Now now);
  void on_deadline(Now now);
  [[nodiscard]] std::optional<Instant> next_deadline() const;
  /// Each once, in the order of their numbers.
  [[nodiscard]] std::vector<ConnectionId> take_touched();
  [[nodiscard]] std::vector<AskWebhook> take_questions() { return std::exchange(questions_, {}); }
  /// What has happened in the rooms, to be told to the webhook; see Rooms::take_events().
  [[nodiscard]] std::vector<RoomEvent> take_events() { return rooms_.take_events(); }
  [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }

  // ---- for doors ----
  [[nodiscard]] Rooms& rooms() { return rooms_; }
  /// Where calls to Rooms collect what they want done. It is carried out before Doors returns to
  /// the driver, and after the door has returned to Doors.
  [[nodiscard]] Effects& effects() { return effects_; }
  /// Precondition: `id` is connected.
  [[nodiscard]] const IpAddress& address_of(ConnectionId id) const;
  /// True when it came by the way of the operator of this host. False when it is gone.
  [[nodiscard]] bool is_operator(ConnectionId id) const;
  /// Answers what was Asked on `id`, with the CORS headers that its Origin deserves.
  void respond(ConnectionId id, Response response, Now now);
  /// The same with a body that goes on: send_part() until end_stream(), or until on_withdrawn().
  void begin_stream(ConnectionId id, Response head, Now now);
  /// False when the client reads too slowly, and `text` was not sent. Nothing happens when there is
  /// no stream.
  [[nodiscard]] bool send_part(ConnectionId id, std::string_view text, Now now);
  /// The door has forgotten the stream.
  void end_stream(ConnectionId id, Now now);
  /// Makes a WebSocket of what was Asked and may_open; on_opened() follows.
  void open(ConnectionId id, Now now);
  /// These do nothing when `id` is no WebSocket any more. A client that reads too slowly is closed
  /// with 1013, and on_ended() follows.
  void send_text(ConnectionId id, std::string_view text, Now now);
  void send_binary(ConnectionId id, std::string_view bytes, Now now);
  /// The door has forgotten the connection.
  void close(ConnectionId id, std::uint16_t code, std::string_view reason, Now now);
  /// The same by an effect of the rooms, for members that are WebSockets.
  void carry_out(ConnectionId id, const Effect& effect, Now now);
  /// A number for a member that is no single connection; its effects come to `door` until
  /// forget_member().
  [[nodiscard]] ConnectionId new_member(Door& door);
  void forget_member(ConnectionId member) { owners_.erase(member); }

  /// For calls to Rooms that no connection caused (the operator's): carries out effects().
  void settle(Now now);

 private:
  struct Record {
    HttpConnection* connection;
    IpAddress address;
    Peer peer;
    Door* asked = nullptr;  // whose answer it waits for
    OriginVerdict verdict = OriginVerdict::no_browser;
    Request question{};  // only what CORS looks at
  };
  struct Occurrence {
    ConnectionId id;
    ConnectionEvent event;
  };
  struct RouteOwner {
    Door* door;  // nullptr: the Site answers by itself
    std::size_t first_route;
  };

  void dispatch(const Occurrence& occurrence, Now now);
  void dispatch_asked(ConnectionId id, Asked asked, Now now);
  void dispatch_opened(ConnectionId id, Opened opened, Now now);
  static void learn_address(Record& record, const Request& request);
  void carry_out_effects(Now now);
  void add_events(ConnectionId id, std::vector<ConnectionEvent>& events);
  [[nodiscard]] Record* find(ConnectionId id);
  [[nodiscard]] Door* owner_of(ConnectionId member) const;
  /// The WebSocket `id`, to be written to; nullptr when it is none any more.
  [[nodiscard]] HttpConnection* open_socket(ConnectionId id);
  void end_slow_reader(ConnectionId id);

  Rooms& rooms_;
  Effects effects_;
  std::vector<Route> routes_{{"/healthz", RouteKind::health, {Method::get}}};
  std::vector<RouteOwner> route_owners_{{nullptr, 0}};  // by index into routes_
  std::vector<Door*> doors_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<ConnectionId, Record> connections_;
  std::unordered_map<ConnectionId, Door*> owners_;  // of WebSockets and members
  std::deque<Occurrence> pending_;                  // to be dispatched
  std::vector<ConnectionId> touched_;
  std::vector<AskWebhook> questions_;
};

}  // namespace turnpike::signaling
