// A signaling server without sockets: for the tests of doors.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

#include "base/seeded_random.h"
#include "signaling/api_keys.h"
#include "signaling/doors.h"
#include "signaling/native_door.h"
#include "signaling/websocket_client.h"

namespace turnpike::signaling::test {

/// The secret of the house's one API key, "web".
inline constexpr std::string_view api_secret = "0123456789abcdef0123456789abcdef";

class NoIce final : public IceSource {
 public:
  IceServers ice_servers(const IceRequest&, WallTime now_wall) override {
    return {{}, now_wall + seconds{3600}};
  }
};

/// Rooms, doors and connections, driven as a server would: everything but the sockets. The native
/// door is there; further ones are added before the first client comes.
class House {
 public:
  explicit House(JoinAuth auth = JoinAuth::open) : rooms(settings(auth), keys_, ice_, random_) {
    doors.add(native_);
  }

  /// A client whose TCP connection is open.
  std::uint64_t connect() {
    if (!site_) site_.emplace(OriginPolicy{}, StaticFiles{}, doors.routes());
    auto connection = std::make_unique<HttpConnection>(*site_, limits, now().instant);
    const ConnectionId id = doors.on_connected(*connection, IpAddress::v4(0xc6336407), peer);
    connections_.emplace(id, std::move(connection));
    return static_cast<std::uint64_t>(id);
  }
  /// A client whose WebSocket at `path` has been asked for.
  std::uint64_t connect_socket(std::string_view path, std::string_view headers = "") {
    const std::uint64_t client = connect();
    receive(client, "GET " + std::string{path} + " HTTP/1.1\r\nHost: turn.example\r\n" +
                        std::string{headers} +
                        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    return client;
  }
  /// A client whose WebSocket speaks turnpike.v1.
  std::uint64_t connect_native(std::string_view headers = "") {
    return connect_socket("/v1/ws",
                          std::string{headers} + "Sec-WebSocket-Protocol: turnpike.v1\r\n");
  }
  void receive(std::uint64_t client, std::string_view bytes) {
    std::vector<ConnectionEvent> events;
    at(client).receive(bytes_of(bytes), now(), events);
    doors.on_events(ConnectionId{client}, events, now());
  }
  /// A text message on a WebSocket.
  void say(std::uint64_t client, std::string_view text) {
    receive(client, client_frame(opcode::text, text));
  }
  void lose(std::uint64_t client) {
    doors.on_gone(ConnectionId{client}, now());
    connections_.erase(ConnectionId{client});
  }
  /// What the server has sent it, as it is on the wire.
  std::string read(std::uint64_t client) {
    HttpConnection& connection = at(client);
    std::string bytes{text_of(connection.output())};
    connection.take_output(bytes.size(), now().instant);
    return bytes;
  }
  /// The same, frame by frame; without the answer to the opening.
  std::string hear(std::uint64_t client) {
    std::string bytes = read(client);
    if (bytes.starts_with("HTTP/1.1 101")) bytes.erase(0, bytes.find("\r\n\r\n") + 4);
    return describe_frames(bytes);
  }
  std::string join(std::string_view room) {
    const std::uint64_t client = connect_native();
    say(client, R"({"type":"join","room":")" + std::string{room} + R"("})");
    return hear(client);
  }
  void advance(milliseconds duration) {
    elapsed_ += duration;
    doors.on_deadline(now());
  }
  /// What the webhook is asked, which answer() then answers; empty: nothing.
  std::string asked() {
    for (AskWebhook& question : doors.take_questions()) questions_.push_back(std::move(question));
    return questions_.empty() ? "" : questions_.front().body;
  }
  void answer(const std::optional<WebhookAnswer>& answer) {
    if (asked().empty()) throw std::runtime_error("the webhook was not asked");
    const ConnectionId member = questions_.front().connection;
    questions_.pop_front();
    doors.on_webhook_answer(member, answer, now());
  }
  [[nodiscard]] const ApiKeys& keys() const { return keys_; }
  HttpConnection& at(std::uint64_t client) { return *connections_.at(ConnectionId{client}); }
  [[nodiscard]] Now now() const {
    return {Instant{seconds{1000}} + elapsed_,
            WallTime{seconds{1'800'000'000}} + std::chrono::duration_cast<seconds>(elapsed_)};
  }

 private:
  static Rooms::Settings settings(JoinAuth auth) {
    Rooms::Settings all;
    all.auth = auth;
    all.limits.joins_per_minute = 0;
    return all;
  }

  FixedApiKeys keys_{{{"web", std::string{api_secret}}}};
  NoIce ice_;
  turnpike::test::SeededRandom random_{7};
  std::optional<Site> site_;
  std::deque<AskWebhook> questions_;
  milliseconds elapsed_{0};
  std::map<ConnectionId, std::unique_ptr<HttpConnection>> connections_;

 public:
  Doors::Peer peer = Doors::Peer::client;  // what connect() connects
  ConnectionLimits limits;
  Rooms rooms;
  Doors doors{rooms};

 private:
  NativeDoor native_{doors};
};

inline bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace turnpike::signaling::test
