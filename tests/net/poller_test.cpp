#include "net/poller.h"

#include <sys/socket.h>
#include <unistd.h>

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

/// The first events, for which it waits so long at most.
std::span<const Event> wait_for(Poller& poller, nanoseconds timeout) {
  return poller.wait_until(read_clock().instant + timeout);
}

/// Two ends of a stream that do not block.
struct StreamPair {
  StreamPair() {
    std::array<int, 2> ends{};
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    here = ends[0];
    there = ends[1];
  }
  ~StreamPair() {
    ::close(here);
    if (there >= 0) ::close(there);
  }
  StreamPair(const StreamPair&) = delete;
  StreamPair& operator=(const StreamPair&) = delete;

  int here = -1;
  int there = -1;
};

}  // namespace

TEST_CASE("a readable descriptor is reported with its token until it is read", "[net]") {
  UdpPort first = open_port();
  UdpPort second = open_port();
  Poller poller;
  REQUIRE_FALSE(poller.add(first.descriptor(), 11));
  REQUIRE_FALSE(poller.add(second.descriptor(), 22));
  CHECK(poller.poll().empty());

  send_to_itself(second);
  for (int round = 0; round < 2; ++round) {
    const auto events = wait_for(poller, 5s);
    REQUIRE(events.size() == 1);
    CHECK(events[0].token == 22);
    CHECK(events[0].readable);
    CHECK_FALSE(events[0].error);
  }
  CHECK(receive_texts(second, 1) == std::vector<std::string>{"hi"});
  CHECK(poller.poll().empty());

  send_to_itself(first);
  send_to_itself(second);
  CHECK(poller.wait_until(std::nullopt).size() == 2);
}

TEST_CASE("a removed descriptor is not reported", "[net]") {
  UdpPort port = open_port();
  Poller poller;
  REQUIRE_FALSE(poller.add(port.descriptor(), 1));
  poller.remove(port.descriptor());
  send_to_itself(port);
  CHECK(poller.poll().empty());
}

TEST_CASE("a descriptor cannot be added twice", "[net]") {
  const UdpPort port = open_port();
  Poller poller;
  REQUIRE_FALSE(poller.add(port.descriptor(), 1));
  CHECK(poller.add(port.descriptor(), 2) == std::errc::file_exists);
}

TEST_CASE("only who asks is told that a descriptor takes more bytes", "[net]") {
  StreamPair pair;
  Poller poller;
  REQUIRE_FALSE(poller.add(pair.here, 7));
  CHECK(poller.poll().empty());

  poller.watch_writable(pair.here, 8, true);
  for (int round = 0; round < 2; ++round) {  // until it is no longer asked for
    const auto events = wait_for(poller, 5s);
    REQUIRE(events.size() == 1);
    CHECK(events[0].token == 8);
    CHECK(events[0].writable);
    CHECK_FALSE(events[0].readable);
    CHECK_FALSE(events[0].error);
  }
  REQUIRE(::write(pair.there, "hi", 2) == 2);
  {
    const auto events = wait_for(poller, 5s);
    REQUIRE(events.size() == 1);
    CHECK(events[0].writable);
    CHECK(events[0].readable);
  }
  poller.watch_writable(pair.here, 7, false);
  const auto events = wait_for(poller, 5s);
  REQUIRE(events.size() == 1);
  CHECK(events[0].token == 7);
  CHECK_FALSE(events[0].writable);
  CHECK(events[0].readable);  // reading is always watched
}

TEST_CASE("a descriptor that is watched for nothing is left alone, hang-ups included", "[net]") {
  constexpr Interest nothing{.read = false, .write = false};
  constexpr Interest writing{.read = false, .write = true};
  constexpr Interest reading{.read = true, .write = false};
  StreamPair pair;
  Poller poller;
  REQUIRE_FALSE(poller.change(pair.here, 7, nothing, writing));
  REQUIRE(wait_for(poller, 5s).size() == 1);
  REQUIRE_FALSE(poller.change(pair.here, 7, writing, nothing));
  ::close(pair.there);
  pair.there = -1;
  CHECK(poller.poll().empty());
  REQUIRE_FALSE(poller.change(pair.here, 8, nothing, reading));
  const auto events = wait_for(poller, 5s);
  REQUIRE(events.size() == 1);
  CHECK(events[0].token == 8);
  CHECK(events[0].error);
  CHECK_FALSE(poller.change(pair.here, 8, reading, reading));
  CHECK(poller.change(pair.here, 8, nothing, reading) == std::errc::file_exists);
}

TEST_CASE("a full descriptor becomes writable when the other side reads", "[net]") {
  StreamPair pair;
  Poller poller;
  REQUIRE_FALSE(poller.add(pair.here, 7));
  const std::string much(4096, 'x');
  while (::write(pair.here, much.data(), much.size()) > 0) continue;
  poller.watch_writable(pair.here, 7, true);
  CHECK(poller.poll().empty());
  std::string taken(4096, ' ');
  while (::read(pair.there, taken.data(), taken.size()) > 0) continue;
  const auto events = wait_for(poller, 5s);
  REQUIRE(events.size() == 1);
  CHECK(events[0].writable);
}

TEST_CASE("a hang-up is an error that can be read", "[net]") {
  StreamPair pair;
  Poller poller;
  REQUIRE_FALSE(poller.add(pair.here, 7));
  ::close(pair.there);
  pair.there = -1;
  const auto events = wait_for(poller, 5s);
  REQUIRE(events.size() == 1);
  CHECK(events[0].error);
  CHECK(events[0].readable);
  CHECK_FALSE(events[0].writable);
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
  const auto events = wait_for(poller, 5s);
  REQUIRE(events.size() == 1);
  CHECK(events[0].token == 5);
  CHECK(events[0].error);
  ReceiveBatch batch;
  CHECK(port.receive(batch) == 0);
  CHECK(port.next_icmp().has_value());
  CHECK(poller.poll().empty());
}

TEST_CASE("waiting ends at the deadline and no earlier", "[net]") {
  Poller poller;
  for (const nanoseconds timeout : {2000000ns, 1ns, 300000ns}) {
    const Instant deadline = read_clock().instant + timeout;
    CHECK(poller.wait_until(deadline).empty());
    CHECK(read_clock().instant >= deadline);
  }
}

TEST_CASE("a deadline that has passed ends the wait at once, again and again", "[net]") {
  Poller poller;
  CHECK(poller.wait_until(Instant{}).empty());
  CHECK(poller.wait_until(read_clock().instant - 5s).empty());
  CHECK(poller.wait_until(read_clock().instant - 5s).empty());
}

TEST_CASE("a deadline before that of an earlier wait is kept", "[net]") {
  UdpPort port = open_port();
  Poller poller;
  REQUIRE_FALSE(poller.add(port.descriptor(), 1));
  send_to_itself(port);
  REQUIRE(wait_for(poller, 1h).size() == 1);
  CHECK(receive_texts(port, 1) == std::vector<std::string>{"hi"});
  CHECK(wait_for(poller, 1ms).empty());
}

TEST_CASE("a deadline that nobody waits for any more may end a wait once, and is no event",
          "[net]") {
  UdpPort port = open_port();
  Poller poller;
  REQUIRE_FALSE(poller.add(port.descriptor(), 1));
  send_to_itself(port);
  const Instant given_up = read_clock().instant + 1ms;
  REQUIRE(poller.wait_until(given_up).size() == 1);
  CHECK(receive_texts(port, 1) == std::vector<std::string>{"hi"});
  CHECK(poller.wait_until(std::nullopt).empty());
  CHECK(read_clock().instant >= given_up);
  poller.wake();
  CHECK(poller.wait_until(std::nullopt).size() == 1);
}

TEST_CASE("another thread can wake a waiting poller", "[net]") {
  Poller poller;
  std::thread other{[&] { poller.wake(); }};
  const auto events = wait_for(poller, 10s);
  other.join();
  REQUIRE(events.size() == 1);
  CHECK(events[0].token == Poller::wake_token);
  CHECK(events[0].readable);
  CHECK(poller.poll().empty());
}

TEST_CASE("waking before the wait is not lost, and several wakes are one event", "[net]") {
  Poller poller;
  poller.wake();
  poller.wake();
  poller.wake();
  CHECK(poller.wait_until(std::nullopt).size() == 1);
  CHECK(poller.poll().empty());
}

}  // namespace turnpike::net
