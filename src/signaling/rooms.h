// The rooms as a function of messages and time: no sockets, no clock, no threads. This file is the
// dispatch; joining, presence, what passes between members, administration and the way in for other
// protocols have a file each beside it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/deadline_queue.h"
#include "base/random.h"
#include "base/result.h"
#include "signaling/effects.h"
#include "signaling/error_code.h"
#include "signaling/ice.h"
#include "signaling/limits.h"
#include "signaling/protocol.h"
#include "signaling/room.h"
#include "signaling/room_event.h"
#include "signaling/token.h"
#include "signaling/webhook.h"

namespace turnpike::signaling {

/// How joins are authorised.
enum class JoinAuth : std::uint8_t {
  open,     ///< everyone; the first in a room is its owner
  token,    ///< who holds a room token
  webhook,  ///< whom the operator's service lets in
};

/// All rooms of one server, and the connections of those who speak turnpike.v1 (SIGNALING.md §2.2).
///
/// Feed it connections, their text messages, their ends, webhook answers and deadlines; carry out
/// the effects it collects, in order. Each input costs at most the members of one room. A
/// connection that has not joined costs its record and nothing else.
class Rooms {
 public:
  struct Settings {
    Limits limits;
    JoinAuth auth = JoinAuth::token;
    bool create_on_demand = true;  ///< false: only rooms made with create() can be joined
    std::string version;           ///< these three are told in the join reply
    std::string node;
    std::string region;
    HashSeed hash_seed;
    bool reports_events = false;  ///< true: whoever drives the rooms calls take_events()
  };

  /// Everything since the start, for metrics.
  struct Counters {
    std::array<std::uint64_t, client_types> received{};  ///< by ClientBody's index
    std::array<std::uint64_t, error_codes> rejected{};
    std::array<std::uint64_t, call_paths> paths{};  ///< by index_of()
    std::uint64_t sent = 0;                         ///< frames handed out, one per receiver
    std::uint64_t resumed = 0;
    std::uint64_t resume_failed = 0;
  };

  /// The referenced objects must outlive the rooms.
  Rooms(Settings settings, const TokenKeys& keys, IceSource& ice, Random& random);
  Rooms(const Rooms&) = delete;
  Rooms& operator=(const Rooms&) = delete;

  // ---- what arrives (all ignore connections that are not known) ----
  /// A WebSocket with the subprotocol turnpike.v1 is open; its Origin is allowed.
  void on_connected(ConnectionId id, const ClientInfo& client, Now now, Effects& effects);
  /// One text message. Binary messages have no meaning in turnpike.v1: close with 1003 instead.
  void on_text(ConnectionId id, std::string_view text, Now now, Effects& effects);
  /// The connection is gone. `code` is the close code the client sent; 1000 says that it leaves for
  /// good, anything else may come back with its ticket.
  void on_closed(ConnectionId id, std::uint16_t code, Now now, Effects& effects);
  /// What the webhook said to an AskWebhook; nothing: it failed or made no sense.
  void on_webhook_answer(ConnectionId id, const std::optional<WebhookAnswer>& answer, Now now,
                         Effects& effects);
  /// Does what has become due. Call it when next_deadline() has come.
  void on_deadline(Now now, Effects& effects);
  /// When on_deadline() is needed next. O(1).
  [[nodiscard]] std::optional<Instant> next_deadline() const { return deadlines_.next(); }

  // ---- the operator ----
  struct RoomSettings {
    std::string id;
    std::optional<std::uint32_t> max;
    bool locked = false;
    std::string meta_json = "{}";  ///< a JSON object
    std::string key_id;
  };
  enum class Created : std::uint8_t { made, exists, invalid, over_limit };
  /// Makes a room that stays when it is empty, until end().
  [[nodiscard]] Created create(const RoomSettings& room);
  /// The rest are false when there is no such room, or no such peer in it.
  bool end(std::string_view room, Effects& effects);
  bool kick(std::string_view room, std::string_view peer, Effects& effects);
  /// What is to be different about a room. Whoever is in it stays, and is not told.
  struct RoomChange {
    std::optional<std::uint32_t> max{};
    std::optional<bool> locked{};
    std::optional<std::string> meta_json{};  ///< a JSON object
  };
  enum class Changed : std::uint8_t { done, not_found, invalid };
  /// All of it or nothing.
  [[nodiscard]] Changed change(std::string_view room, const RoomChange& change);
  /// A message to everyone in the room, from "server"; how many are there to get it now.
  /// `data_json` must be JSON. Nothing when there is no such room, or it is of foreign members.
  std::optional<std::size_t> post(std::string_view room, std::string_view event,
                                  std::string_view data_json, Now now, Effects& effects);

  static constexpr std::size_t max_rooms_listed = 1000;
  struct RoomInfo {
    std::string id;
    DoorKind door;
    std::uint32_t max;
    bool locked;
    std::string meta_json;
    std::size_t peers;
  };
  struct PeerInfo {
    std::string peer;
    std::uint32_t n;
    std::string name;
    std::string subject;
    Role role;
    bool away;
  };
  /// By name: at most `limit`, of those that come after `after`.
  [[nodiscard]] std::vector<RoomInfo> rooms(std::string_view after = {},
                                            std::size_t limit = max_rooms_listed) const;
  [[nodiscard]] std::optional<RoomInfo> room(std::string_view id) const;
  /// By n; empty when there is no such room.
  [[nodiscard]] std::vector<PeerInfo> peers(std::string_view room) const;

  /// What has happened since the last call, in order; always empty unless Settings::reports_events.
  [[nodiscard]] std::vector<RoomEvent> take_events() { return std::exchange(events_, {}); }

  /// Asks everyone to go elsewhere: goaway at once, then closes them one by one over
  /// Limits::drain_spread. Nobody joins any more. `url` may be empty.
  void drain(std::string_view url, Now now, Effects& effects);
  /// Whoever comes is let in again. Those who have been asked to go still go.
  void end_drain() { draining_ = false; }
  [[nodiscard]] bool is_draining() const { return draining_; }

  // ---- other doors: protocols that bring their own messages ----
  struct Entry {
    std::string room;
    std::string token;
    std::string name;
    std::optional<std::uint32_t> max;  ///< what the door's own protocol allows, e.g. two
    /// The door's name. Members of one room speak one protocol: who names another one is
    /// `forbidden`.
    std::string protocol{};
  };
  /// Makes `id` a member of a room of foreign members; its peer id. No on_connected() before.
  /// There is no resume: a member whose connection ends has left.
  ///
  /// Empty where the webhook is asked: an EntryAnswer follows, unless leave() or on_closed() do.
  [[nodiscard]] Result<std::string, ErrorCode> enter(ConnectionId id, const ClientInfo& client,
                                                     const Entry& entry, Now now, Effects& effects);
  enum class FrameKind : std::uint8_t { text, binary };
  /// Passes `frame` untouched to every other member of the sender's room; how many those were.
  /// Error: not_joined, rate_limited.
  [[nodiscard]] Result<std::size_t, ErrorCode> forward(ConnectionId from, const Frame& frame,
                                                       FrameKind kind, Now now, Effects& effects);
  /// The other members of its room, by n.
  [[nodiscard]] std::vector<ConnectionId> others(ConnectionId id) const;
  /// Takes a foreign member out of its room; the connection is the door's to close.
  void leave(ConnectionId id);

  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] std::size_t room_count() const { return rooms_.size(); }
  [[nodiscard]] std::size_t member_count() const { return members_.size(); }
  /// By the door that they came in by: "native", or the protocol of foreign members. O(rooms).
  [[nodiscard]] std::map<std::string, std::size_t, std::less<>> members_by_door() const;
  [[nodiscard]] std::size_t connection_count() const { return connections_.size(); }
  /// Frames and bytes kept for replay, of all members.
  struct Kept {
    std::size_t frames = 0;
    std::size_t bytes = 0;
  };
  [[nodiscard]] Kept kept() const;

 private:
  /// A message on its way through a procedure.
  struct Request {
    Connection& from;
    std::string_view id_json;
    Now now;
    Effects& effects;
  };
  /// Why a request is refused.
  struct Refusal {
    ErrorCode code;
    std::string text;
    bool fatal = false;
    std::optional<milliseconds> retry_after = std::nullopt;
  };

  // rooms.cpp: connections, dispatch, refusals
  [[nodiscard]] Connection* find(ConnectionId id) const;
  [[nodiscard]] bool is_within_rate(const Request& request);
  void dispatch(const Request& request, ClientMessage& message);
  /// Tells the client; ends the connection when fatal, and then `request.from` is gone.
  void refuse(const Request& request, const Refusal& refusal);
  void ack(const Request& request, std::optional<std::size_t> delivered = std::nullopt);
  void send(const Connection& to, const Frame& frame, Effects& effects);
  /// To the members of `room` that are there, except one.
  void tell_others(const Room& room, const Member* except, std::string text, Effects& effects);
  /// Closes and forgets; a member must have been taken off before.
  void close(Connection& connection, std::uint16_t code, std::string_view reason, Effects& effects);
  void forget(Connection& connection);
  /// `reason` is for those who hear of events.
  void erase_member(Member& member, std::string_view reason);
  void report(RoomEvent::Kind kind, const Room& room);
  void report(RoomEvent::Kind kind, const Member& member, std::string_view reason = {});
  /// The member that sent this and has `right`; else refuses and returns nullptr.
  [[nodiscard]] Member* member_with(const Request& request, std::optional<Right> right);
  void schedule(const Connection& connection);
  void schedule(const Member& member);
  void on_connection_due(Connection& connection, Now now, Effects& effects);
  void on_member_due(Member& member, Now now, Effects& effects);
  void heard_from(Connection& connection, Now now);
  [[nodiscard]] RateMeter::Rate message_rate() const;

  // foreign_members.cpp
  Connection& add_foreign(ConnectionId id, const ClientInfo& client);
  [[nodiscard]] std::optional<ErrorCode> find_obstacle_to_entry(const std::string& id,
                                                                std::string_view protocol,
                                                                const Grant& grant) const;
  const Member& seat_foreign(const std::string& id, const std::string& protocol, const Grant& grant,
                             Connection& connection, Effects& effects);
  void refuse_entry(Connection& connection, ErrorCode code, Effects& effects);
  /// `decision`: what the webhook granted, or why not.
  void settle_entry(Connection& connection, const PendingJoin& pending,
                    Result<Grant, ErrorCode> decision, Effects& effects);

  // join.cpp
  void on_join(const Request& request, Join& join);
  [[nodiscard]] Result<Grant, Refusal> authorise(const Join& join, Now now) const;
  void ask_webhook(const Request& request, Join& join);
  [[nodiscard]] bool may_ask_webhook() const;
  void ask_webhook(Connection& from, PendingJoin pending, Now now, Effects& effects);
  [[nodiscard]] std::optional<Refusal> find_obstacle(const Room* room, const Grant& grant,
                                                     DoorKind door) const;
  [[nodiscard]] std::optional<Refusal> find_obstacle_to_new_room(std::string_view key_id) const;
  void admit(const Request& request, const Join& join, const Grant& grant);
  /// Gives it a place in the room `id`, which is made when it is not there. No obstacle may be
  /// left.
  Member& seat(const std::string& id, const Grant& grant, Connection& connection, Effects& effects);
  Room& make_room(std::string_view id, DoorKind door, std::uint32_t max, std::string_view key_id);
  Member& add_member(Room& room, Connection& connection, const Grant& grant);
  void welcome(const Request& request, Member& member, bool resumed);
  [[nodiscard]] std::string new_peer_id(const Room& room);
  [[nodiscard]] std::string random_text(std::string_view prefix, std::size_t bytes);

  // resume.cpp
  void on_resume(const Request& request, const Join& join);
  void attach(Member& member, Connection& connection, Now now);
  /// The connection of `member` broke: it is away, and may come back.
  void detach(Member& member, Now now, Effects& effects);
  [[nodiscard]] IceServers fresh_ice(Member& member, Now now);
  void send_ping(Connection& connection, Now now, Effects& effects);
  void on_pong(Connection& connection, const Pong& pong);

  // relay.cpp: between members
  void on_signal(const Request& request, const Signal& signal);
  void on_message(const Request& request, const Message& message);
  void on_update(const Request& request, Update& update);
  void on_path(const Request& request, const Path& path);
  void on_want_ice(const Request& request);
  /// Sends a numbered frame, or keeps it when the member is away; true when it was sent.
  bool deliver(Member& to, std::uint64_t seq, const Frame& frame, Effects& effects);
  [[nodiscard]] std::size_t deliver_to_room(Room& room, const Member* except,
                                            const MessageView& message, Effects& effects);

  // presence.cpp: leaving and being made to
  void on_leave(const Request& request);
  void on_kick(const Request& request, const Kick& kick);
  void on_lock(const Request& request, const Lock& lock);
  void on_end(const Request& request);
  void kick_member(Member& member, Effects& effects);
  void end_room(Room& room, Effects& effects);
  /// Ends what is there of its connection, with an error the client can read.
  void replace(Member& member, Effects& effects);
  void remove_member(Member& member, LeaveReason reason, Effects& effects);
  void erase_if_unused(Room& room);
  void erase_room(Room& room);
  [[nodiscard]] Room* find_room(std::string_view id);
  [[nodiscard]] const Room* find_room(std::string_view id) const;
  [[nodiscard]] static Member* find_peer(const Room& room, std::string_view peer);

  const Settings settings_;
  const TokenKeys& keys_;
  IceSource& ice_;
  Random& random_;
  JoinBudget joins_;
  Counters counters_;
  SlotTable<Connection> connections_;
  SlotTable<Member> members_;
  std::unordered_map<std::uint64_t, Connection*> by_id_;
  std::map<std::string, Room, std::less<>> rooms_;
  std::map<std::string, std::uint32_t, std::less<>> rooms_of_key_;
  std::size_t webhook_questions_ = 0;
  bool draining_ = false;
  std::vector<RoomEvent> events_;
  DeadlineQueue deadlines_;  // connections have even ids, members odd ones
};

}  // namespace turnpike::signaling
