#include "net/poller.h"

#include <thread>

#include "net/clock.h"
#include "net/loopback.h"
#include "net/send_queue.h"

namespace turnpike::net {
namespace {

using namespace std::chrono_literals;

void send_to_itself(UdpPort& port) {
  SendQueue queue;
  queue.queue_copy(port, port.local(), std::nullopt, bytes_of("hi"));
  queue.flush();
}

}  // namespace

TEST_CASE("a readable descriptor is reported with its token until it is read", "[net]") {
  UdpPort first = open_port();
  UdpPort second = open_port();
  Poller poller;
  REQUIRE_FALSE(poller.add(first.descriptor(), 11));
  REQUIRE_FALSE(poller.add(second.descriptor(), 22));
  CHECK(poller.wait(0ns).empty());

  send_to_itself(second);
  for (int round = 0; round < 2; ++round) {
    const auto events = poller.wait(5s);
    REQUIRE(events.size() == 1);
    CHECK(events[0].token == 22);
    CHECK(events[0].readable);
    CHECK_FALSE(events[0].error);
  }
  CHECK(receive_texts(second, 1) == std::vector<std::string>{"hi"});
  CHECK(poller.wait(0ns).empty());

  send_to_itself(first);
  send_to_itself(second);
  CHECK(poller.wait(std::nullopt).size() == 2);
}

TEST_CASE("a removed descriptor is not reported", "[net]") {
  UdpPort port = open_port();
  Poller poller;
  REQUIRE_FALSE(poller.add(port.descriptor(), 1));
  poller.remove(port.descriptor());
  send_to_itself(port);
  CHECK(poller.wait(0ns).empty());
}

TEST_CASE("a descriptor cannot be added twice", "[net]") {
  const UdpPort port = open_port();
  Poller poller;
  REQUIRE_FALSE(poller.add(port.descriptor(), 1));
  CHECK(poller.add(port.descriptor(), 2) == std::errc::file_exists);
}

TEST_CASE("an ICMP error is reported as an error until it is read", "[net]") {
  auto options = bound_to("127.0.0.1:0");
  options.report_icmp = true;
  UdpPort port = open_port(options);
  Poller poller;
  REQUIRE_FALSE(poller.add(port.descriptor(), 5));
  SendQueue queue;
  queue.queue_copy(port, closed_endpoint(), std::nullopt, bytes_of("anyone?"));
  queue.flush();
  const auto events = poller.wait(5s);
  REQUIRE(events.size() == 1);
  CHECK(events[0].token == 5);
  CHECK(events[0].error);
  ReceiveBatch batch;
  CHECK(port.receive(batch) == 0);
  CHECK(port.next_icmp().has_value());
  CHECK(poller.wait(0ns).empty());
}

TEST_CASE("waiting lasts as long as asked and no shorter", "[net]") {
  Poller poller;
  const nanoseconds timeout = GENERATE(1ns, 300000ns, 2000000ns);
  const Instant before = read_clock().instant;
  CHECK(poller.wait(timeout).empty());
  CHECK(read_clock().instant - before >= timeout);
}

TEST_CASE("a timeout that has passed does not wait", "[net]") {
  Poller poller;
  CHECK(poller.wait(-5s).empty());
}

TEST_CASE("another thread can wake a waiting poller", "[net]") {
  Poller poller;
  std::thread other{[&] { poller.wake(); }};
  const auto events = poller.wait(10s);
  other.join();
  REQUIRE(events.size() == 1);
  CHECK(events[0].token == Poller::wake_token);
  CHECK(events[0].readable);
  CHECK(poller.wait(0ns).empty());
}

TEST_CASE("waking before the wait is not lost, and several wakes are one event", "[net]") {
  Poller poller;
  poller.wake();
  poller.wake();
  poller.wake();
  CHECK(poller.wait(std::nullopt).size() == 1);
  CHECK(poller.wait(0ns).empty());
}

}  // namespace turnpike::net
