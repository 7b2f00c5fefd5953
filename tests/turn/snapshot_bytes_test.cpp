// Snapshots as bytes: whole or refused.
#include "turn/snapshot_bytes.h"

#include "catch.h"
#include "turn/relay_counters.h"
#include "turn/settled.h"

namespace turnpike::test {

using turn::SnapshotError;

namespace {

Instant at(std::int64_t s) { return Instant{seconds{s}}; }

turn::ClientFlow flow(std::string_view client, std::uint8_t worker) {
  turn::ClientFlow flow;
  flow.tuple = {endpoint(client), endpoint("192.0.2.1:3478"), Transport::tls};
  flow.listener = turn::ListenerId{3};
  flow.worker = turn::WorkerId{worker};
  return flow;
}

turn::SavedAllocation udp_allocation() {
  turn::SavedAllocation saved;
  saved.serial = 6;
  saved.flow = flow("198.51.100.7:4000", 1);
  saved.flow.through = endpoint("192.0.2.99:5000");
  saved.transaction = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  saved.user = 1;
  saved.network = turn::NetworkId{0x1c63364};
  saved.opened_over = Transport::dtls;
  saved.reservation_token = 0x0102030405060708;
  saved.additional_error = 508;
  saved.started = at(11);
  saved.traffic = {21, 22, 23, 24};
  saved.paid_until = at(12);
  saved.new_peers = turn::SavedBucket{at(13), 1.5};
  saved.relays[0] = turn::SavedRelay{0, 50000, at(14)};
  saved.closed_relays[1] = endpoint("[2001:db8::1]:50001");
  saved.permissions = {{address("8.8.8.8"), at(15)}};
  saved.channels = {{0x4001, endpoint("[fe80::1%2]:7000"), at(16)}};
  saved.mobility = turn::SavedMobility{2, {}, at(17), flow("198.51.100.8:4001", 2)};
  saved.mobility->ticket.fill(0xaa);
  return saved;
}

turn::SavedAllocation tcp_allocation() {
  turn::SavedAllocation saved;
  saved.serial = 7;
  saved.flow = flow("198.51.100.9:4002", 1);
  saved.transport = turn::PeerTransport::tcp;
  saved.relays[1] = turn::SavedRelay{1, 50002, at(18)};
  return saved;
}

/// Something in every field.
turn::SavedState specimen() {
  turn::SavedServer server;
  server.worker = turn::WorkerId{1};
  server.last_serial = 8;
  server.users = {{"bob", "bob", std::nullopt}, {"1780000000:alice", "alice", 64'000}};
  server.slots = {{{1, 2}, udp_allocation()}, {{3, 4}, {}}, {{5, 6}, tcp_allocation()}};
  server.free_slots = {1};
  server.connections = {
      {7, turn::SavedConnection{2, endpoint("8.8.8.8:6000"), true, 0x11223344, true, at(19)}},
      {8, {}}};
  server.free_connections = {1};
  server.guests = {{flow("198.51.100.10:4003", 1), turn::WorkerId{2}, true, at(20)}};
  server.forgotten_relays = {{1, 3}};
  server.forgotten_connections = {{1, 7}};
  turn::SavedServer other;
  other.worker = turn::WorkerId{2};

  turn::SavedState state;
  state.ledger.addresses = {{address("192.0.2.1"), address("203.0.113.1")},
                            {address("2001:db8::1"), address("2001:db8::1")}};
  state.ledger.reservations = {{0x0102030405060708, 0, 50001, "alice", at(21)}};
  state.ledger.accounts = {{"carol", at(22)}};
  state.ledger.paid_until = at(23);
  state.servers = {server, other};
  return state;
}

/// As many as servers have.
void count_up(turn::SavedServer& server) {
  const std::size_t count = turn::growing_values(turn::RelayCounters{}).size();
  for (std::uint64_t i = 1; i <= count; ++i) server.counters.push_back(i << 32);
}

/// Where a counter stands that is the only one above 0.
template <class Count>
std::ptrdiff_t place_of(Count&& count) {
  turn::RelayCounters counters;
  ++count(counters);
  const auto values = turn::growing_values(counters);
  return std::find(values.begin(), values.end(), 1) - values.begin();
}

}  // namespace

TEST_CASE("version 1 of snapshots is these bytes", "[turn][snapshot]") {
  // When this fails, the format has changed: raise snapshot_version, in fuzz/make_snapshot_seeds.py
  // too, and put here what is written now.
  REQUIRE(turn::snapshot_version == 1);
  CHECK(to_hex(turn::encode_snapshot(specimen())) ==
        "7475726e70696b6500000001000000000000036c239ba7790000000201c000020101cb0071010220"
        "010db80000000000000000000000010220010db80000000000000000000000010000000101020304"
        "050607080000c35100000005616c69636500000004e3b2920000000001000000056361726f6c0000"
        "00051f4d5c00000000055ae82600000000020100000000000000080000000200000003626f620000"
        "0003626f620000000010313738303030303030303a616c69636500000005616c6963650100000000"
        "0000fa0000000003000000010000000201000000000000000601c63364070fa00000000001c00002"
        "010d96000000000200000003010101c0000263138800000000010102030405060708090a0b0c0000"
        "00010000000001c6336403000101020304050607080101fc000000028fa6ae000000000000000015"
        "00000000000000160000000000000017000000000000001800000002cb417800010000000306dc42"
        "003ff8000000000000010000c3500000000342770c000001000000000000000000000220010db800"
        "0000000000000000000001c35100000000000000010108080808000000037e11d600000000014001"
        "02fe8000000000000000000000000000011b580000000200000003b9aca0000100000002aaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa00000003f5476a000101c633"
        "64080fa10000000001c00002010d9600000000020000000302000000000300000004000000000500"
        "00000601000000000000000701c63364090fa20000000001c00002010d9600000000020000000301"
        "00010000000000000000000000000000000000000000000000000001000000000000000000000000"
        "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "010001c3520000000430e23400010000000000000000000001000000000000000000000000000000"
        "00000000000000010000000100000002000000070100000002010808080817700000000001112233"
        "440101000000046c7cfe00000000080000000001000000010000000101c633640a0fa30000000001"
        "c00002010d960000000002000000030100020100000004a817c80000000001000000010000000300"
        "00000100000001000000070000000002000000000000000000000000000000000000000000000000"
        "0000000000000000000000000000000000000000");
}

TEST_CASE("what is written is read again as it was, every field", "[turn][snapshot]") {
  turn::SavedState state = specimen();
  for (turn::SavedServer& server : state.servers) count_up(server);
  const Bytes written = turn::encode_snapshot(state);
  const auto read = turn::decode_snapshot(written);
  REQUIRE(read);
  CHECK(turn::encode_snapshot(*read) == written);
  CHECK(read->servers[0].users[1].account == "alice");
  CHECK(read->servers[0].slots[0].allocation->channels[0].peer == endpoint("[fe80::1%2]:7000"));
  CHECK(read->servers[0].counters == state.servers[0].counters);
}

TEST_CASE("a snapshot that is cut short anywhere is refused, and nothing of it taken",
          "[turn][snapshot]") {
  Settled settled;
  const Bytes whole = settled.world.snapshot();
  World other;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    REQUIRE(other.restart_from(part).has_value());
  }
  CHECK(other.balance().allocations == 0);
  CHECK(other.balance().charged == 0);
  Bytes longer = whole;
  longer.push_back(0);
  CHECK(other.restart_from(longer) == SnapshotError::wrong_size);
}

TEST_CASE("a snapshot with any bit flipped is refused", "[turn][snapshot]") {
  Settled settled;
  Bytes snapshot = settled.world.snapshot();
  for (std::size_t bit = 0; bit < 8 * snapshot.size(); ++bit) {
    const auto mask = static_cast<std::uint8_t>(1U << (bit % 8));
    snapshot[bit / 8] = static_cast<std::uint8_t>(snapshot[bit / 8] ^ mask);
    INFO("bit " << bit);
    REQUIRE_FALSE(turn::decode_snapshot(snapshot));
    snapshot[bit / 8] = static_cast<std::uint8_t>(snapshot[bit / 8] ^ mask);
  }
  CHECK(turn::decode_snapshot(snapshot));
}

TEST_CASE("a snapshot says what is wrong with it", "[turn][snapshot]") {
  Settled settled;
  const Bytes sound = settled.world.snapshot();
  const auto error_of = [&](std::size_t at) {
    Bytes damaged = sound;
    damaged[at] ^= 1;
    return turn::decode_snapshot(damaged).error();
  };
  CHECK(error_of(0) == SnapshotError::not_a_snapshot);
  CHECK(error_of(11) == SnapshotError::other_version);
  CHECK(error_of(19) == SnapshotError::wrong_size);
  CHECK(error_of(23) == SnapshotError::damaged);
  CHECK(error_of(sound.size() - 1) == SnapshotError::damaged);
  CHECK(to_string(SnapshotError::other_version) == "other_version");
}

TEST_CASE("a new counter raises the version of snapshots", "[turn][snapshot]") {
  // Another count or order, as of a new answer or reason to close, is another format: raise
  // snapshot_version along with the numbers here.
  CHECK(turn::snapshot_version == 1);
  CHECK(turn::growing_values(turn::RelayCounters{}).size() == 543);
  CHECK(place_of([](auto& c) -> auto& { return c.requests.back().back().back(); }) == 503);
  CHECK(place_of([](auto& c) -> auto& { return c.opened[0]; }) == 504);
  CHECK(place_of([](auto& c) -> auto& { return c.closed[0]; }) == 508);
  CHECK(place_of([](auto& c) -> auto& { return c.durations[0]; }) == 515);
  CHECK(place_of([](auto& c) -> auto& { return c.duration_seconds; }) == 525);
  CHECK(place_of([](auto& c) -> auto& { return c.relayed[0][0].packets; }) == 526);
  CHECK(place_of([](auto& c) -> auto& { return c.quota_rejections[0]; }) == 538);
}

}  // namespace turnpike::test
