// One signaling::Rooms in virtual time, with clients that speak JSON, lose their connection and
// come back. Tests read as scripts of what each says and hears.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "base/seeded_random.h"
#include "signaling/json.h"
#include "signaling/rooms.h"

namespace turnpike::signaling::test {

using namespace std::chrono_literals;
using turnpike::test::seed_or;
using turnpike::test::SeededRandom;

/// The secret of the world's API key "k1".
inline constexpr std::string_view key_secret = "0123456789abcdef0123456789abcdef";

struct WorldSettings {
  std::uint64_t seed = 7;
  JoinAuth auth = JoinAuth::open;
  Limits limits = default_limits();  ///< joins without limit
  bool create_on_demand = true;
  bool reports_events = false;

  static Limits default_limits();
};

/// Credentials that tell whom they were made for.
class FakeIce final : public IceSource {
 public:
  IceServers ice_servers(const IceRequest& request, WallTime now_wall) override;
  int made = 0;
};

class World;

/// How a connection was ended by the server.
struct Closed {
  std::uint16_t code;
  std::string reason;
};

/// Someone with a browser. It answers pings unless told not to, and keeps ticket and lastSeq.
class Client {
 public:
  Client(World& world, std::string_view address);

  std::string name = "Mina";
  std::string token;
  Json meta = Json::object();
  bool answers_pings = true;

  // ---- the connection ----
  /// A new connection; the old one, if any, is not told.
  void connect();
  /// The connection breaks, or the browser closes it.
  void drop(std::uint16_t code = close_codes::abnormal);
  [[nodiscard]] bool is_connected() const { return connected_; }
  [[nodiscard]] const std::optional<Closed>& closed() const { return closed_; }
  [[nodiscard]] ConnectionId id() const { return id_; }

  // ---- what it says ----
  void say(const Json& message);
  void say_text(std::string_view text);
  /// Connects if need be, sends join and returns the answer.
  Json join(std::string_view room, const Json& more = Json::object());
  /// Connects anew and joins with the ticket; the answer.
  Json resume(const Json& more = Json::object());
  /// Says it and returns what comes back.
  Json ask(const Json& message);
  void signal(const Client& to, const Json& data) {
    say({{"type", "signal"}, {"to", to.peer}, {"data", data}});
  }
  void chat(std::string_view text) {
    say({{"type", "message"}, {"event", "chat"}, {"data", text}});
  }

  // ---- what it hears ----
  /// The next message; fails when there is none.
  Json hear();
  /// The next message, which must be of this type.
  Json hear(std::string_view type);
  [[nodiscard]] bool hears_nothing() const { return inbox_.empty(); }
  [[nodiscard]] std::size_t unheard() const { return inbox_.size(); }
  void ignore_all() { inbox_.clear(); }

  std::string room;
  std::string peer;
  std::string ticket;
  std::uint64_t last_seq = 0;
  std::string last_text;  ///< the last message as it came

 private:
  friend class World;
  void receive(const std::string& text);
  void end(Closed closed);

  World* world_;
  IpAddress address_;
  ConnectionId id_{};
  bool connected_ = false;
  std::optional<Closed> closed_;
  std::deque<Json> inbox_;
};

/// The rooms with everything around them.
class World {
 public:
  explicit World(WorldSettings settings = {});

  /// A client that has not connected yet.
  Client& client(std::string_view address = "198.51.100.7");
  /// A client in `room`, its join reply and the others' peer-joined read.
  Client& member(std::string_view room, std::string_view name = "Mina");
  /// The same with a token of this role.
  Client& with_role(std::string_view room, Role role, std::string_view subject = "");

  /// A token of key "k1" for `room`, valid for an hour.
  [[nodiscard]] Claims claims(std::string_view room) const;
  [[nodiscard]] std::string mint(const Claims& claims) const;

  void advance(milliseconds duration);
  [[nodiscard]] Now now() const;

  Rooms& rooms() { return rooms_; }
  FakeIce& ice() { return ice_; }
  SeededRandom& random() { return random_; }
  /// Webhook questions that wait for an answer.
  std::deque<AskWebhook>& questions() { return questions_; }
  void answer(const std::optional<WebhookAnswer>& answer);
  Effects& effects() { return effects_; }
  /// Carries out what has been asked for.
  void carry_out();
  /// Frames that foreign connections got: connection number, "t:" or "b:" and the frame.
  [[nodiscard]] std::vector<std::string>& foreign() { return foreign_; }
  [[nodiscard]] std::uint64_t rejected(ErrorCode code) const {
    return rooms_.counters().rejected[static_cast<std::size_t>(code)];
  }

 private:
  friend class Client;
  ConnectionId next_connection() { return ConnectionId{++last_connection_}; }

  SeededRandom random_;
  FakeIce ice_;
  FixedTokenKeys keys_;
  Rooms rooms_;
  Effects effects_;
  std::uint64_t last_connection_ = 0;
  nanoseconds elapsed_{0};
  std::vector<std::unique_ptr<Client>> clients_;
  std::map<ConnectionId, Client*> by_connection_;
  std::deque<AskWebhook> questions_;
  std::vector<std::string> foreign_;
};

}  // namespace turnpike::signaling::test
