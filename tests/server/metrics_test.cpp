#include "server/metrics.h"

#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::server::test {

namespace {

class NoIce final : public signaling::IceSource {
 public:
  signaling::IceServers ice_servers(const signaling::IceRequest&, WallTime now_wall) override {
    return {{}, now_wall + seconds{3600}};
  }
};

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

}  // namespace

TEST_CASE("metrics tell of datagrams, rooms and the ways that calls took", "[server][metrics]") {
  using signaling::ConnectionId;
  constexpr Now now{Instant{seconds{1000}}, WallTime{seconds{1'800'000'000}}};
  NoIce ice;
  turnpike::test::SeededRandom random{7};
  const signaling::FixedTokenKeys keys{{}};
  signaling::Rooms::Settings settings;
  settings.auth = signaling::JoinAuth::open;
  signaling::Rooms rooms{settings, keys, ice, random};
  signaling::Effects effects;
  std::string other;
  for (const std::uint64_t id : {1U, 2U}) {
    rooms.on_connected(ConnectionId{id}, {IpAddress::v4(0xc6336401), ""}, now, effects);
    rooms.on_text(ConnectionId{id}, R"({"type":"join","room":"demo"})", now, effects);
    if (id == 1) other = rooms.peers("demo").front().peer;
  }
  rooms.on_text(ConnectionId{2},
                R"({"type":"path","peer":")" + other +
                    R"(","local":"relay","remote":"host","relayProtocol":"tls"})",
                now, effects);
  rooms.on_text(ConnectionId{2}, "no message", now, effects);
  ReasonTotals reasons{};
  reasons[static_cast<std::size_t>(turn::Reason::relayed_to_peer)] = 42;

  const std::string text = metrics_text(rooms, reasons);
  CHECK(has_line(text, R"(turnpike_datagrams_total{reason="relayed_to_peer"} 42)"));
  CHECK(has_line(text, "turnpike_rooms 1"));
  CHECK(has_line(text, "turnpike_room_peers 2"));
  CHECK(has_line(text, R"(turnpike_signal_messages_total{direction="in",type="join"} 2)"));
  CHECK(has_line(text, R"(turnpike_signal_rejected_total{code="bad_message"} 1)"));
  CHECK(has_line(text, R"(turnpike_call_paths_total{path="relayed-tls"} 1)"));
  CHECK(has_line(text, R"(turnpike_call_paths_total{path="direct"} 0)"));
  CHECK(text.find("demo") == std::string::npos);
}

}  // namespace turnpike::server::test
