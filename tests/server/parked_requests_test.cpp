#include "server/parked_requests.h"

#include "catch.h"

namespace turnpike::server {
namespace {

using Outcome = ParkedRequests::Outcome;
using namespace std::chrono_literals;

constexpr Instant start{1'000'000s};
constexpr std::array<std::uint8_t, 3> request{1, 2, 3};

turn::ClientFlow flow(std::uint16_t port) {
  return {{{IpAddress::v4(0xc6336407), port}, {IpAddress::v4(0xc0000201), 3478}, Transport::udp}};
}

}  // namespace

TEST_CASE("requests wait by user, and leave together in their order", "[server]") {
  ParkedRequests parked;
  CHECK(parked.park("dora", flow(1), request, start) == Outcome::parked_first);
  CHECK(parked.park("boots", flow(2), request, start) == Outcome::parked_first);
  CHECK(parked.park("dora", flow(3), request, start) == Outcome::parked);
  const auto taken = parked.take("dora");
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].flow.tuple == flow(1).tuple);
  CHECK(taken[1].flow.tuple == flow(3).tuple);
  CHECK(taken[0].bytes == std::vector<std::uint8_t>{1, 2, 3});
  CHECK(parked.take("dora").empty());
  CHECK(parked.take("nobody").empty());
  CHECK(parked.park("dora", flow(1), request, start) == Outcome::parked_first);
}

TEST_CASE("there is room for so many users, so many requests and so many bytes", "[server]") {
  ParkedRequests parked;
  const std::vector<std::uint8_t> long_request(ParkedRequests::max_bytes + 1);
  CHECK(parked.park("dora", flow(1), long_request, start) == Outcome::no_room);
  for (std::size_t i = 0; i < ParkedRequests::max_users; ++i) {
    CHECK(parked.park(std::to_string(i), flow(1), request, start) == Outcome::parked_first);
  }
  CHECK(parked.park("dora", flow(1), request, start) == Outcome::no_room);
  for (std::size_t i = 1; i < ParkedRequests::max_requests_of_user; ++i) {
    CHECK(parked.park("7", flow(1), request, start) == Outcome::parked);
  }
  CHECK(parked.park("7", flow(1), request, start) == Outcome::no_room);
}

TEST_CASE("what a client sent does not outlive its connection", "[server]") {
  ParkedRequests parked;
  parked.park("dora", flow(1), request, start);
  parked.park("dora", flow(2), request, start);
  parked.drop(flow(1).tuple);
  const auto taken = parked.take("dora");
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].flow.tuple == flow(2).tuple);
}

TEST_CASE("who is not answered about in time is given up", "[server]") {
  ParkedRequests parked;
  CHECK_FALSE(parked.next_deadline());
  parked.park("dora", flow(1), request, start);
  parked.park("boots", flow(2), request, start + 1s);
  parked.park("dora", flow(3), request, start + 2s);
  CHECK(parked.next_deadline() == start + ParkedRequests::patience);
  CHECK(parked.take_overdue(start + ParkedRequests::patience - 1ns).empty());
  CHECK(parked.take_overdue(start + ParkedRequests::patience).size() == 2);
  CHECK(parked.take("dora").empty());
  CHECK(parked.take("boots").size() == 1);
}

}  // namespace turnpike::server
