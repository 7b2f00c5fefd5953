#include "server/metrics.h"

#include <unistd.h>

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
  signaling::Rooms::Entry entry{"other", "", "", std::nullopt, "relay"};
  REQUIRE(rooms.enter(ConnectionId{3}, {IpAddress::v4(0xc6336401), ""}, entry, now, effects));
  ServerNumbers numbers;
  numbers.reasons[static_cast<std::size_t>(turn::Reason::relayed_to_peer)] = 42;

  const std::string text = metrics_text(rooms, numbers);
  CHECK(has_line(text, R"(turnpike_datagrams_total{reason="relayed_to_peer"} 42)"));
  CHECK(has_line(text, "turnpike_rooms 2"));
  CHECK(has_line(text, R"(turnpike_room_peers{door="native"} 2)"));
  CHECK(has_line(text, R"(turnpike_room_peers{door="socketio"} 0)"));
  CHECK(has_line(text, R"(turnpike_room_peers{door="relay"} 1)"));
  CHECK(has_line(text, R"(turnpike_signal_messages_total{direction="in",type="join"} 2)"));
  CHECK(has_line(text, R"(turnpike_signal_rejected_total{code="bad_message"} 1)"));
  const auto taken = [](const char* labels) {
    return "turnpike_call_paths_total{" + std::string{labels} + "} ";
  };
  CHECK(has_line(text, taken(R"(local="relay",remote="host",relay_protocol="tls")") + "1"));
  CHECK(has_line(text, taken(R"(local="host",remote="host",relay_protocol="none")") + "0"));
  CHECK(text.find("demo") == std::string::npos);
}

TEST_CASE("metrics tell of allocations, volume, users and what is about to run out",
          "[server][metrics]") {
  using turn::Reason;
  NoIce ice;
  turnpike::test::SeededRandom random{7};
  const signaling::FixedTokenKeys keys{{}};
  const signaling::Rooms rooms{{}, keys, ice, random};
  ServerNumbers numbers;
  numbers.reasons[static_cast<std::size_t>(Reason::refused_wrong_password)] = 3;
  numbers.reasons[static_cast<std::size_t>(Reason::dropped_no_permission)] = 4;
  numbers.relays.relays[static_cast<std::size_t>(Transport::tls)][1] = 5;
  numbers.relays.answers_to(stun::Method::allocate)[0][turn::answer_code_index(486)] = 6;
  numbers.relays.answers_to(stun::Method::allocate)[0][turn::answer_code_index(200)] = 13;
  numbers.relays.opened[0] = 12;
  numbers.relays.answers_to(stun::Method::channel_bind)[2][turn::answer_code_index(403)] = 14;
  numbers.relays.closed[static_cast<std::size_t>(turn::CloseReason::killed)] = 7;
  numbers.relays.durations[turn::duration_class(seconds{20})] = 2;
  numbers.relays.durations[turn::duration_class(seconds{100'000})] = 1;
  numbers.relays.duration_seconds = 100'040;
  numbers.relays.volume(turn::RelayDirection::to_client, turn::RelayPath::channel) = {8, 900};
  numbers.relay_ports = 100;
  numbers.relay_ports_in_use = 10;
  numbers.connections.handshakes_refused = 11;
  numbers.unsent = {15, 16, 17, 18};
  numbers.certificate_not_after = WallTime{seconds{1'900'000'000}};
  numbers.started = WallTime{seconds{1'800'000'000}};
  std::string text = metrics_text(rooms, numbers);
  CHECK(has_line(text, R"(turnpike_auth_failures_total{reason="wrong_password"} 3)"));
  CHECK(has_line(text, R"(turnpike_relay_dropped_total{reason="no_permission"} 4)"));
  CHECK(has_line(text, R"(turnpike_send_dropped_total{reason="full"} 15)"));
  CHECK(has_line(text, R"(turnpike_send_dropped_total{reason="refused"} 16)"));
  CHECK(has_line(text, R"(turnpike_send_dropped_total{reason="slow_client"} 17)"));
  CHECK(has_line(text, R"(turnpike_send_dropped_total{reason="between_workers"} 18)"));
  CHECK(has_line(text, R"(turnpike_allocations{family="ipv6",transport="tls"} 5)"));
  CHECK(has_line(text, R"(turnpike_allocations_total{code="486",transport="udp"} 6)"));
  CHECK(has_line(text, R"(turnpike_allocations_total{code="200",transport="udp"} 12)"));
  CHECK(has_line(
      text, R"(turnpike_stun_requests_total{code="200",method="allocate",transport="udp"} 13)"));
  CHECK(has_line(
      text,
      R"(turnpike_stun_requests_total{code="403",method="channel_bind",transport="tls"} 14)"));
  CHECK(has_line(text, R"(turnpike_allocations_closed_total{reason="killed"} 7)"));
  CHECK(has_line(text, R"(turnpike_allocation_duration_seconds_bucket{le="60"} 2)"));
  CHECK(has_line(text, R"(turnpike_allocation_duration_seconds_bucket{le="+Inf"} 3)"));
  CHECK(has_line(text, "turnpike_allocation_duration_seconds_count 3"));
  CHECK(has_line(text, "turnpike_allocation_duration_seconds_sum 100040"));
  CHECK(has_line(text, R"(turnpike_relay_bytes_total{direction="to_client",path="channel"} 900)"));
  CHECK(has_line(text, R"(turnpike_relay_packets_total{direction="to_client",path="channel"} 8)"));
  CHECK(has_line(text, "turnpike_relay_ports 100"));
  CHECK(has_line(text, "turnpike_relay_ports_in_use 10"));
  CHECK(has_line(text, R"(turnpike_tls_handshakes_total{result="refused"} 11)"));
  CHECK(has_line(text, "turnpike_certificate_not_after_seconds 1900000000"));
  CHECK(has_line(text, "process_start_time_seconds 1800000000"));
  CHECK(text.find("auth_hook") == std::string::npos);
  CHECK(text.find("config_reload") == std::string::npos);

  numbers.users = UserTotals{.found = 1, .hook_asked = 5, .hook_failed = 2, .is_hook_up = false};
  numbers.reload_succeeded = false;
  text = metrics_text(rooms, numbers);
  CHECK(has_line(text, R"(turnpike_users_asked_total{result="found"} 1)"));
  CHECK(has_line(text, R"(turnpike_auth_hook_requests_total{result="answered"} 3)"));
  CHECK(has_line(text, "turnpike_auth_hook_up 0"));
  CHECK(has_line(text, "turnpike_config_reload_success 0"));
}

TEST_CASE("the process's own numbers come from the kernel", "[server][metrics]") {
  const ProcessTotals process = ProcessReader{}.read();
  CHECK(process.cpu_seconds > 0);
  CHECK(process.resident_bytes > 1'000'000);
  CHECK(process.open_descriptors >= 3);
  CHECK(process.max_descriptors >= process.open_descriptors);
  CHECK(ProcessReader{false}.read().open_descriptors == process.open_descriptors);
}

TEST_CASE("where descriptors have to be listed, that is not done again and again",
          "[server][metrics]") {
  ProcessReader reader{false};
  const auto first = reader.read().open_descriptors;
  const int another = ::dup(2);
  REQUIRE(another >= 0);
  CHECK(reader.read().open_descriptors == first);  // 0.1 ms to list are 10 ms without
  CHECK(ProcessReader{false}.read().open_descriptors == first + 1);
  ::close(another);
}

}  // namespace turnpike::server::test
