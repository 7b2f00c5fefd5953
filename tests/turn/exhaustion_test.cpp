// What strangers and users can make the server keep: nothing for a request that is challenged,
// nothing for a port of a peer, and one allocation at a time where one is allowed.
#include <malloc.h>
#include <unistd.h>

#include <fstream>

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

/// How many bytes of the heap are in use. Sanitizers that replace malloc have it say 0 always.
std::size_t heap_bytes() { return mallinfo2().uordblks; }

/// How many bytes of memory the process has.
std::size_t resident_bytes() {
  std::ifstream pages{"/proc/self/statm"};
  std::size_t all = 0;
  std::size_t resident = 0;
  pages >> all >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void want_udp(stun::MessageBuilder& message) { message.put_requested_transport(17); }

}  // namespace

TEST_CASE("Allocates from a million sources leave not a byte on the heap", "[turn][Q01]") {
  WorldSettings settings;
  settings.limits.challenge_rate = 50;
  World world{settings};
  const Bytes request = world.client("198.51.100.7:4000").build(Method::allocate, want_udp);
  const Endpoint server = endpoint("192.0.2.1:3478");
  const turn::ListenerId listener = world.listener_of(server);
  turn::Effects effects;
  std::size_t challenged = 0;
  std::size_t dropped = 0;
  const auto flood = [&](std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      // 200 sources in each /24: four times what one network is challenged in a second.
      const IpAddress source = IpAddress::v4(0x0b000000 + i / 200 * 256 + i % 200);
      const turn::ClientFlow flow{{{source, 4000}, server, Transport::udp}, listener};
      const turn::Handled handled =
          world.server().on_client_datagram(flow, request, world.now(), effects);
      challenged += handled.reason == Reason::refused_no_credentials ? 1 : 0;
      dropped += handled.reason == Reason::dropped_challenge_budget ? 1 : 0;
      effects.clear();
    }
  };
  flood(1000);  // what is made once, and stays, is made now
  const Balance before = world.balance();
  const std::size_t resident_before = resident_bytes();
  const std::size_t heap_before = heap_bytes();
  challenged = 0;
  dropped = 0;
  flood(1'000'000);
  CHECK(heap_bytes() <= heap_before);
  CHECK(resident_bytes() < resident_before + (1U << 20));
  CHECK(world.balance() == before);
  CHECK(challenged + dropped == 1'000'000);
  CHECK(challenged > 0);
  CHECK(dropped > 0);
}

TEST_CASE("ten thousand connections one after the other never have more than their quota of one",
          "[turn][Q05]") {
  WorldSettings settings;
  settings.limits.max_allocations_per_user = 1;
  World world{settings};
  const Balance before = world.balance();
  auto second = world.client("198.51.100.8:4000", Transport::tcp);
  second.log_in();
  for (int i = 0; i < 10'000; ++i) {
    auto first = world.client("198.51.100.7:" + std::to_string(1024 + i), Transport::tcp);
    REQUIRE(first.allocate().code() == ok);
    REQUIRE(world.ledger().allocations_of("alice") == 1);
    if (i % 100 == 0) REQUIRE(second.allocate().code() == 486);
    world.lose(first);
    REQUIRE(world.ledger().allocations_of("alice") == 0);
    world.advance(1s);
  }
  CHECK(world.balance() == before);
}

TEST_CASE("a user in debt who comes again and again is in debt once", "[turn][Q08]") {
  turn::Ledger ledger{{}, PortRange{50000, 50001}, turn::Limits{}};
  const Instant now = Instant{} + 1000s;
  const auto come = [&](int times, std::size_t bytes) {
    for (int i = 0; i < times; ++i) {
      REQUIRE(ledger.charge("alice", {}, {}, now) == turn::Charge::accepted);
      ledger.bandwidth_of("alice").add(BandwidthLimit{8'000}, bytes, now);
      ledger.release("alice", {}, now);
    }
  };
  come(1, 1'000'000);
  come(100, 0);
  const std::size_t heap_before = heap_bytes();
  come(1000, 0);
  CHECK(heap_bytes() <= heap_before);
}

TEST_CASE("sixty-four thousand ports of a permitted peer cost nothing", "[turn][Q07]") {
  World world;
  auto alice = world.client("198.51.100.7:4000");
  REQUIRE(alice.allocate().code() == ok);
  REQUIRE(alice.permit("8.8.8.8").code() == ok);
  const auto visit = [&](std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t port = first; port <= last; ++port) {
      const std::string peer = "8.8.8.8:" + std::to_string(port);
      REQUIRE(alice.send(peer, "hi") == Reason::relayed_to_peer);
      REQUIRE(world.peer_sends(peer, alice, "hi") == Reason::relayed_to_client);
    }
  };
  visit(1024, 1123);
  const Balance before = world.balance();
  const std::size_t heap_before = heap_bytes();
  visit(1024, 65535);
  CHECK(heap_bytes() <= heap_before + 64);  // the longest strings that the world keeps of the last
  CHECK(world.balance() == before);
}

}  // namespace turnpike::test
