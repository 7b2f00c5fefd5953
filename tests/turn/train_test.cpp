// Trains: datagrams that the network or the kernel has put together. What holds for the first holds
// for those that follow it, and nothing else does.
#include <algorithm>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

constexpr std::uint16_t ch = 0x4000;
constexpr std::uint16_t other_ch = 0x4001;
constexpr std::string_view peer = "8.8.8.8:5000";
constexpr std::string_view other_peer = "8.8.8.8:5001";

Client allocated(World& world) {
  auto client = world.client("198.51.100.7:4000");
  REQUIRE(client.allocate().code() == ok);
  REQUIRE(client.bind_channel(ch, peer).code() == ok);
  REQUIRE(client.bind_channel(other_ch, other_peer).code() == ok);
  return client;
}

Bytes channel_data(std::uint16_t channel, std::string_view payload) {
  Bytes message(turn::channel_data_header_bytes);
  turn::put_channel_data_header(message, stun::ChannelNumber{channel}, payload.size());
  message.insert(message.end(), payload.begin(), payload.end());
  return message;
}

Bytes payload(std::string_view text) { return copy_of(bytes_of(text)); }

/// Of the only allocation.
turn::Traffic traffic(World& world) {
  turn::Traffic found;
  world.server().for_each_allocation(
      0, 16, [&](const turn::AllocationView& allocation) { found = allocation.traffic; });
  return found;
}

}  // namespace

TEST_CASE("what follows in a client's train goes to the peer of the first, and is counted",
          "[turn][rfc8656-12.6]") {
  World world;
  auto alice = allocated(world);
  const auto fate = world.train_from(
      alice, {channel_data(ch, "one"), channel_data(ch, "two"), channel_data(ch, "")});
  CHECK(fate.reasons == std::vector<Reason>(3, Reason::relayed_to_peer));
  CHECK(fate.payloads == std::vector{"one"s, "two"s, ""s});
  CHECK(fate.not_judged_anew == 2);
  CHECK(world.at_peer()->to == endpoint(peer));
  CHECK(traffic(world).packets_to_peer == 3);
  CHECK(traffic(world).bytes_to_peer == 6);
}

TEST_CASE("what follows in a peer's train goes to the client, each under a header of its own",
          "[turn][rfc8656-12.7]") {
  World world;
  auto alice = allocated(world);
  const auto fate = world.train_from(peer, alice, {payload("four"), payload("four"), payload("2")});
  CHECK(fate.reasons == std::vector<Reason>(3, Reason::relayed_to_client));
  CHECK(fate.payloads == std::vector{"four"s, "four"s, "2"s});
  CHECK(fate.not_judged_anew == 2);
  CHECK(to_hex(alice.data()->bytes) == "40000001" + to_hex(bytes_of("2")));
  CHECK(traffic(world).packets_to_client == 3);
  CHECK(traffic(world).bytes_to_client == 9);
}

TEST_CASE("another channel in a train goes to its own peer", "[turn][rfc8656-12.6]") {
  World world;
  auto alice = allocated(world);
  const auto fate = world.train_from(
      alice, {channel_data(ch, "one"), channel_data(other_ch, "two"), channel_data(ch, "three")});
  CHECK(fate.payloads == std::vector{"one"s, "two"s, "three"s});
  CHECK(fate.not_judged_anew == 0);
  world.train_from(alice, {channel_data(ch, "one"), channel_data(other_ch, "two")});
  CHECK(world.at_peer()->to == endpoint(other_peer));
}

TEST_CASE("what is no ChannelData of the same channel in a train is judged as ever",
          "[turn][rfc8656-12.5]") {
  World world;
  auto alice = allocated(world);
  Bytes cut = channel_data(ch, "cut");
  cut.pop_back();
  const auto fate =
      world.train_from(alice, {channel_data(ch, "one"), cut, channel_data(0x4fff, "unbound"),
                               payload("nonsense"), Bytes{}, channel_data(ch, "two")});
  CHECK(fate.reasons == std::vector{Reason::relayed_to_peer, Reason::dropped_malformed,
                                    Reason::dropped_unbound_channel, Reason::dropped_not_turn,
                                    Reason::dropped_not_turn, Reason::relayed_to_peer});
  CHECK(fate.not_judged_anew == 0);
}

TEST_CASE("a request in a train is answered, and what comes after it is judged by what it changed",
          "[turn][rfc8656-7.2]") {
  World world;
  auto alice = allocated(world);
  REQUIRE(alice.refresh(600s).code() == ok);
  stun::TransactionId id{};
  Bytes buffer(512);
  stun::MessageBuilder request{buffer, stun::Class::request, Method::refresh, id};
  request.put_lifetime(0s);
  alice.sign(request);
  const auto fate = world.train_from(
      alice, {channel_data(ch, "one"), copy_of(request.bytes()), channel_data(ch, "two")});
  CHECK(fate.reasons == std::vector{Reason::relayed_to_peer, Reason::answered_delete,
                                    Reason::dropped_no_allocation});
  CHECK(alice.receive()->code() == ok);
}

TEST_CASE("nothing follows what was dropped, nor a Data indication, which has an ID of its own",
          "[turn][rfc8656-11.3]") {
  World world;
  auto alice = allocated(world);
  const std::vector<Bytes> train{payload("one"), payload("two")};
  const auto strangers = world.train_from("9.9.9.9:5000", alice, train);
  CHECK(strangers.reasons == std::vector<Reason>(2, Reason::dropped_no_permission));
  CHECK(strangers.not_judged_anew == 0);

  const auto indications = world.train_from("8.8.8.8:6000", alice, train);  // no channel
  CHECK(indications.reasons == std::vector<Reason>(2, Reason::relayed_to_client));
  CHECK(indications.payloads == std::vector{"one"s, "two"s});
  CHECK(indications.not_judged_anew == 0);
}

TEST_CASE("a train is shaped like datagrams that come one by one", "[turn][Q03]") {
  const bool from_peer = GENERATE(false, true);
  WorldSettings settings;
  settings.limits.bandwidth_per_allocation = 64'000;  // and 64 kB at once
  const std::string text(1200, 'x');
  const auto passed = [](const std::vector<Reason>& reasons) {
    return std::count_if(reasons.begin(), reasons.end(), [](Reason reason) {
      return reason == Reason::relayed_to_peer || reason == Reason::relayed_to_client;
    });
  };

  World together{settings};
  auto alice = allocated(together);
  const std::vector<Bytes> train(64, from_peer ? payload(text) : channel_data(ch, text));
  const auto fate =
      from_peer ? together.train_from(peer, alice, train) : together.train_from(alice, train);
  World apart{settings};
  auto other = allocated(apart);
  std::vector<Reason> reasons;
  for (std::size_t i = 0; i < train.size(); ++i) {
    reasons.push_back(from_peer ? apart.peer_sends(peer, other, text)
                                : other.send_channel(ch, text));
  }
  CHECK(fate.reasons == reasons);
  CHECK(fate.reasons.back() == Reason::dropped_bandwidth);
  CHECK(fate.not_judged_anew == static_cast<std::size_t>(passed(reasons)) - 1);
}

TEST_CASE("over a stream what follows is padded as the first is", "[turn][rfc8656-12.5]") {
  World world;
  auto alice = world.client("198.51.100.7:4000", Transport::tcp);
  REQUIRE(alice.allocate().code() == ok);
  REQUIRE(alice.bind_channel(ch, peer).code() == ok);
  world.train_from(peer, alice, {payload("four"), payload("12345")});
  CHECK(to_hex(alice.data()->bytes) == "40000005" + to_hex(bytes_of("12345")) + "000000");
}

}  // namespace turnpike::test
