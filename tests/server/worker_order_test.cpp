#include "server/worker_order.h"

#include "catch.h"
#include "server/traffic_samples.h"

namespace turnpike::server::test {
namespace {

AllocationRow row(std::uint8_t worker, std::uint64_t serial, std::uint64_t bytes,
                  std::uint64_t bitrate) {
  AllocationRow made;
  made.name = {turn::WorkerId{worker}, serial};
  made.traffic.bytes_to_peer = bytes;
  made.bitrate = bitrate;
  return made;
}

std::string names(const std::vector<AllocationRow>& rows) {
  std::string text;
  for (const AllocationRow& each : rows) text += to_string(each.name) + " ";
  return text;
}

}  // namespace

TEST_CASE("a page has the first of a list, in its order", "[server]") {
  const std::vector<AllocationRow> all{row(1, 1, 10, 5), row(0, 12, 30, 5), row(0, 2, 20, 9),
                                       row(0, 3, 30, 1)};
  const auto first = [&](AllocationOrder order, std::size_t limit) {
    std::vector<AllocationRow> rows = all;
    keep_first(rows, order, limit);
    return names(rows);
  };
  CHECK(first(AllocationOrder::name, 3) == "0-2 0-3 0-12 ");
  CHECK(first(AllocationOrder::bytes, 2) == "0-3 0-12 ");
  CHECK(first(AllocationOrder::bitrate, 9) == "0-2 0-12 1-1 0-3 ");
  CHECK(first(AllocationOrder::name, 0).empty());
}

TEST_CASE("a filter means what all its parts mean", "[server]") {
  turn::AllocationView view;
  view.username = "1795894841:mina";
  view.account = "mina";
  view.client.client = {IpAddress::v4(0xc6336407), 50000};
  view.transport = turn::PeerTransport::tcp;
  CHECK(AllocationFilter{}.fits(view));
  CHECK(AllocationFilter{.user = "mina"}.fits(view));
  CHECK(AllocationFilter{.user = "1795894841:mina"}.fits(view));
  CHECK_FALSE(AllocationFilter{.user = "min"}.fits(view));
  CHECK(AllocationFilter{.client = IpAddress::v4(0xc6336407)}.fits(view));
  CHECK_FALSE(AllocationFilter{.user = "mina", .client = IpAddress::v4(1)}.fits(view));
  CHECK_FALSE(AllocationFilter{.peer_transport = turn::PeerTransport::udp}.fits(view));
}

TEST_CASE("a bitrate is that of the time since the last look", "[server]") {
  TrafficSamples samples;
  const Instant start{seconds{100}};
  CHECK(samples.bitrate(7, 1000, start, start + seconds{2}) == 4000);
  CHECK(samples.bitrate(7, 9000, start, start + milliseconds{2500}) == 4000);  // too early
  CHECK(samples.bitrate(7, 9000, start, start + seconds{4}) == 32'000);
  CHECK(samples.bitrate(7, 9000, start, start + seconds{5}) == 0);
  samples.forget(7);
  CHECK(samples.size() == 0);
  CHECK(samples.bitrate(8, 5, start, start) == 0);  // no time has passed
}

}  // namespace turnpike::server::test
