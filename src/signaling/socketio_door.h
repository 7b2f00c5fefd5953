// The door for clients of Socket.IO 3 and later: Engine.IO v4 sessions at /socket.io/, and on them
// what rules say about events.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/deadline_queue.h"
#include "base/endpoint.h"
#include "base/random.h"
#include "signaling/door.h"
#include "signaling/doors.h"
#include "signaling/engineio_request.h"
#include "signaling/engineio_session.h"
#include "signaling/error_code.h"
#include "signaling/rate.h"
#include "signaling/room.h"
#include "signaling/socketio_packet.h"
#include "signaling/socketio_rules.h"

namespace turnpike::signaling {

/// Sessions, the sockets on them (one per namespace), and their places in rooms. Each place is a
/// member of Rooms of its own, for a socket may be in several rooms.
///
/// Requests and sessions are in socketio_door.cpp, packets and events in socketio_events.cpp.
class SocketIoDoor final : public Door {
 public:
  struct Settings {
    EngineIoSettings engine{};
    SocketIoLimits packets{};
    /// From the session's opening to the first CONNECT.
    milliseconds connect_timeout{45'000};
    std::size_t max_sessions = 10'000;
    std::size_t max_sessions_per_address = 200;  ///< IPv6: per /64; 0: no limit
    std::size_t max_rooms_per_socket = 8;
    std::size_t max_waiting_events = 16;  ///< of one socket, while the webhook is asked about it
    /// Packets of one session, whatever they are; what is relayed counts with Rooms as well. What
    /// is over is dropped, a flood closes the session.
    RateMeter::Rate packet_rate{milliseconds{10}, 500};
    std::vector<Profile> profiles{zoom_profile(), codelab_profile()};
    /// Serves /engine.io/ too, where a message is sent back: what the official test suite of
    /// Engine.IO v4 wants of a server.
    bool engineio_echo = false;
  };

  /// `doors` and `random` must outlive it.
  SocketIoDoor(Doors& doors, Random& random, Settings settings);

  [[nodiscard]] std::vector<Route> routes() const override;
  void on_asked(ConnectionId id, const Asked& asked, Now now) override;
  void on_withdrawn(ConnectionId id, Now now) override;
  void on_opened(ConnectionId id, const Opened& opened, Now now) override;
  void on_text(ConnectionId id, std::string_view text, Now now) override;
  void on_binary(ConnectionId id, std::string_view bytes, Now now) override;
  void on_ended(ConnectionId id, std::uint16_t code, Now now) override;
  void perform(ConnectionId member, const Effect& effect, Now now) override;
  void on_deadline(Now now) override;
  [[nodiscard]] std::optional<Instant> next_deadline() const override { return deadlines_.next(); }

  [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }

 private:
  struct Place {
    std::string room;
    ConnectionId member;
  };
  /// A join for which the webhook is asked.
  struct Joining {
    const Rule* rule;
    SocketIoPacket packet;
    std::string room;
    ConnectionId member;
  };
  struct Socket {
    std::string nsp;
    std::string sid;
    std::string token;
    std::vector<Place> places;
    std::optional<Joining> joining;
    std::deque<SocketIoPacket> waiting;           // events that came after that join
    std::weak_ptr<const std::string> last_frame;  // who shares two rooms with it hears it once
  };
  struct Session {
    Session(std::string sid, const Settings& settings, Instant instant)
        : engine(std::move(sid), settings.engine, instant),
          reader(settings.packets),
          connect_due(instant + settings.connect_timeout) {}

    std::uint32_t slot = 0;
    EngineIoSession engine;
    SocketIoReader reader;
    Instant connect_due;
    bool has_connected = false;  // once, to any namespace
    bool is_echo = false;        // of /engine.io/
    ClientInfo client;
    RateMeter packets;
    std::map<std::string, Socket, std::less<>> sockets;  // by namespace
    std::vector<ConnectionId> connections;               // GET that waits, WebSockets
  };
  /// Whose place in a room a member is.
  struct Owner {
    Session* session;
    std::string nsp;
  };
  /// An event being handled.
  struct Event {
    Session& session;
    Socket& socket;
    const SocketIoPacket& packet;
    std::string name{};
    std::vector<std::string_view> elements{};  // of the payload: the name, then the arguments
    Now now;
  };

  // socketio_door.cpp
  void refuse(ConnectionId id, EngineIoError error, Now now);
  [[nodiscard]] Session* find(const EngineIoQuery& query, bool is_echo) const;
  [[nodiscard]] Session* session_on(ConnectionId id) const;
  [[nodiscard]] bool has_room_for(const IpAddress& address) const;
  Session& add_session(ConnectionId id, const Request& request, bool is_echo, Now now);
  void attach(Session& session, ConnectionId id);
  void detach(ConnectionId id);
  /// Looks at what came in, sends what is to be sent, and forgets the session when it is over.
  void settle(Session& session, EngineIoOutput& out, Now now);
  void carry_out(const EngineIoAction& action, Now now);
  void erase(Session& session);
  [[nodiscard]] std::string new_id();

  // socketio_events.cpp
  /// False when the session cannot go on.
  [[nodiscard]] bool on_message(Session& session, const EngineIoMessage& message, Now now);
  [[nodiscard]] bool on_packet(Session& session, const SocketIoPacket& packet, Now now);
  void connect(Session& session, const SocketIoPacket& packet);
  void leave_all(Socket& socket);
  [[nodiscard]] static Event read_event(Session& session, Socket& socket,
                                        const SocketIoPacket& packet, Now now);
  void on_event(const Event& event);
  void act(const Rule& rule, const Event& event);
  void join(const Rule& rule, const Event& event);
  /// What a join has come to.
  struct Entered {
    Result<ConnectionId, ErrorCode> member;
    bool is_again = false;  ///< it was there already
  };
  void tell_joined(const Rule& rule, const Event& event, const std::string& room,
                   const Entered& entered);
  void tell_codelab_joined(const Rule& rule, const Event& event, const std::string& room,
                           const Entered& entered);
  void on_answer(Session& session, Socket& socket, const EntryAnswer& answer, Now now);
  void relay(const Rule& rule, const Event& event);
  /// The socket's place in `room`, entered if need be. Nothing: the webhook is asked, and
  /// on_answer() goes on.
  [[nodiscard]] std::optional<Entered> enter(const Rule& rule, const Event& event,
                                             const std::string& room);
  void forget(ConnectionId member);
  /// To the others of the room, in turn with what is relayed.
  void tell_others(ConnectionId member, std::string_view json);
  void emit(Session& session, const Socket& socket, std::string json);
  void log(const Event& event, const std::string& line);
  void acknowledge(const Event& event, std::string json, std::vector<std::string> attachments = {});
  void report(const Event& event, ErrorCode code);
  static void send(Session& session, const SocketIoPacket& packet);

  Doors& doors_;
  Random& random_;
  const Settings settings_;
  SlotTable<Session> sessions_;
  std::unordered_map<std::string, Session*> by_sid_;
  std::unordered_map<ConnectionId, Session*> by_connection_;
  std::unordered_map<ConnectionId, Owner> members_;
  std::map<IpAddress, std::size_t> sessions_of_;  // by network
  DeadlineQueue deadlines_;                       // by slot
};

}  // namespace turnpike::signaling
