#include "net/send_queue.h"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

#include "net/loopback.h"

namespace turnpike::net {
namespace {

using Texts = std::vector<std::string>;

/// Payload `text` to `to`; `text` must live until the flush.
Outgoing outgoing_to(const Endpoint& to, std::string_view text) {
  Outgoing outgoing;
  outgoing.to = to;
  outgoing.payload = bytes_of(text);
  return outgoing;
}

Outgoing unfragmented_to(const Endpoint& to, std::string_view text) {
  Outgoing outgoing = outgoing_to(to, text);
  outgoing.dont_fragment = true;
  return outgoing;
}

UdpPort open_reporting_port(std::string_view where) {
  auto options = bound_to(where);
  options.report_icmp = true;
  return open_port(options);
}

/// Sends from whichever address of this host it is told.
UdpPort open_sender_of_any_address() {
  auto options = bound_to("0.0.0.0:0");
  options.destination_address = true;
  return open_port(options);
}

/// Sees the IP headers of all UDP datagrams that come to this host; needs CAP_NET_RAW.
class Sniffer {
 public:
  Sniffer() : descriptor_(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP)) {}
  ~Sniffer() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Sniffer(const Sniffer&) = delete;
  Sniffer& operator=(const Sniffer&) = delete;

  [[nodiscard]] bool is_allowed() const { return descriptor_ >= 0; }

  /// The DF bit of the next datagram to `port`.
  bool next_dont_fragment(std::uint16_t port) {
    for (;;) {
      REQUIRE(wait_for(descriptor_, POLLIN));
      std::array<std::uint8_t, 2048> packet{};
      const auto size = recv(descriptor_, packet.data(), packet.size(), 0);
      REQUIRE(size >= 28);
      const std::size_t header_bytes = (packet[0] & 0x0fU) * 4U;
      if (load_be16(ByteView{packet}.subspan(header_bytes + 2)) != port) continue;
      return (load_be16(ByteView{packet}.subspan(6)) & IP_DF) != 0;
    }
  }

 private:
  int descriptor_;
};

}  // namespace

TEST_CASE("nothing leaves before the flush", "[net]") {
  UdpPort sender = open_port();
  UdpPort receiver = open_port();
  SendQueue queue;
  queue.queue(sender, outgoing_to(receiver.local(), "one"));
  CHECK(is_silent(receiver));
  queue.flush();
  CHECK(receive_texts(receiver, 1) == Texts{"one"});
  queue.flush();
  CHECK(is_silent(receiver));
  CHECK(queue.stats().sent == 1);
}

TEST_CASE("header, payload and padding arrive as one datagram", "[net]") {
  UdpPort sender = open_port();
  UdpPort receiver = open_port();
  SendQueue queue;
  Outgoing outgoing = outgoing_to(receiver.local(), "payload");
  outgoing.header = bytes_of("header:");
  outgoing.padding_bytes = 1;
  queue.queue(sender, outgoing);
  outgoing.header = bytes_of("changed later:");  // the queue has its own copy of the first header
  outgoing.padding_bytes = 3;
  queue.queue(sender, outgoing);
  outgoing.payload = {};
  outgoing.padding_bytes = 0;
  queue.queue(sender, outgoing);
  outgoing.header = {};
  queue.queue(sender, outgoing);
  queue.flush();
  using namespace std::string_literals;
  CHECK(receive_texts(receiver, 4) ==
        Texts{"header:payload\0"s, "changed later:payload\0\0\0"s, "changed later:", ""});
}

TEST_CASE("datagrams of one port keep their order among those of others", "[net]") {
  UdpPort first = open_port();
  UdpPort second = open_port();
  UdpPort receiver = open_port();
  SendQueue queue;
  for (int i = 0; i < 50; ++i) {
    queue.queue_copy(first, receiver.local(), std::nullopt, bytes_of("a" + std::to_string(i)));
    queue.queue_copy(second, receiver.local(), std::nullopt, bytes_of("b" + std::to_string(i)));
  }
  queue.flush();
  Texts from_first;
  Texts from_second;
  for (const Datagram& datagram : receive(receiver, 100)) {
    (datagram.from == first.local() ? from_first : from_second).push_back(datagram.text);
  }
  for (std::size_t i = 0; i < 50; ++i) {
    CHECK(from_first.at(i) == "a" + std::to_string(i));
    CHECK(from_second.at(i) == "b" + std::to_string(i));
  }
}

TEST_CASE("a full queue flushes by itself", "[net]") {
  UdpPort sender = open_port();
  auto options = bound_to("127.0.0.1:0");
  options.receive_buffer_bytes = 1 << 20;
  UdpPort receiver = open_port(options);
  SendQueue queue;
  for (std::size_t i = 0; i < SendQueue::capacity; ++i) {
    queue.queue(sender, outgoing_to(receiver.local(), "early"));
  }
  CHECK(queue.stats().sent == 0);
  queue.queue(sender, outgoing_to(receiver.local(), "late"));
  CHECK(queue.stats().sent == SendQueue::capacity);
  CHECK(receive_texts(receiver, SendQueue::capacity).back() == "early");
  CHECK(is_silent(receiver));
  queue.flush();
  CHECK(receive_texts(receiver, 1) == Texts{"late"});
}

TEST_CASE("a full arena flushes by itself", "[net]") {
  UdpPort sender = open_port();
  UdpPort receiver = open_port();
  SendQueue queue;
  const std::string half(SendQueue::arena_bytes / 2, 'h');
  queue.queue_copy(sender, receiver.local(), std::nullopt, bytes_of(half));
  queue.queue_copy(sender, receiver.local(), std::nullopt, bytes_of(half));
  CHECK(queue.stats().sent == 0);
  queue.queue_copy(sender, receiver.local(), std::nullopt, bytes_of("x"));
  CHECK(queue.stats().sent == 2);
  queue.flush();
  const Texts texts = receive_texts(receiver, 3);
  CHECK((texts == Texts{half, half, "x"}));
}

TEST_CASE("queued copies do not need their source", "[net]") {
  UdpPort sender = open_port();
  UdpPort receiver = open_port();
  SendQueue queue;
  std::string source = "first";
  queue.queue_copy(sender, receiver.local(), std::nullopt, bytes_of(source));
  source = "other";
  queue.queue_copy(sender, receiver.local(), std::nullopt, bytes_of(source));
  source.assign(5, '?');
  queue.flush();
  CHECK(receive_texts(receiver, 2) == Texts{"first", "other"});
}

TEST_CASE("forgetting a port drops its datagrams only", "[net]") {
  UdpPort first = open_port();
  UdpPort second = open_port();
  UdpPort third = open_port();
  UdpPort receiver = open_port();
  SendQueue queue;
  for (UdpPort* const port : {&first, &second, &first, &third}) {
    queue.queue(*port, outgoing_to(receiver.local(), port == &second ? "second" : "not second"));
  }
  queue.forget(first);
  queue.forget(first);
  queue.queue(second, outgoing_to(receiver.local(), "second again"));
  queue.forget(third);
  queue.flush();
  CHECK(receive_texts(receiver, 2) == Texts{"second", "second again"});
  CHECK(is_silent(receiver));

  queue.queue(first, outgoing_to(receiver.local(), "first is back"));
  queue.flush();
  CHECK(receive_texts(receiver, 1) == Texts{"first is back"});
  CHECK(queue.stats().sent == 3);
}

TEST_CASE("a port may close while its datagrams are queued", "[net]") {
  UdpPort receiver = open_port();
  UdpPort other = open_port();
  SendQueue queue;
  {
    UdpPort closing = open_port();
    queue.queue(closing, outgoing_to(receiver.local(), "lost"));
    queue.queue(other, outgoing_to(receiver.local(), "kept"));
    queue.queue(closing, outgoing_to(receiver.local(), "lost too"));
  }
  queue.flush();
  CHECK(receive_texts(receiver, 1) == Texts{"kept"});
  CHECK(is_silent(receiver));
}

TEST_CASE("a port outlives a queue that still held its datagrams", "[net]") {
  UdpPort receiver = open_port();
  UdpPort sender = open_port();
  {
    SendQueue queue;
    queue.queue(sender, outgoing_to(receiver.local(), "lost"));
  }
  SendQueue queue;
  queue.queue(sender, outgoing_to(receiver.local(), "kept"));
  queue.flush();
  CHECK(receive_texts(receiver, 1) == Texts{"kept"});
}

// --- Trains --------------------------------------------------------------------------------------

/// A port that is given trains whole by the kernel; take_whole() does not take them apart.
UdpPort open_train_port() {
  auto options = bound_to("127.0.0.1:0");
  options.receive_trains = true;
  return open_port(options);
}

std::string take_whole(const UdpPort& port) {
  REQUIRE(wait_for(port.descriptor(), POLLIN));
  std::string bytes(65536, '\0');
  const auto size = recv(port.descriptor(), bytes.data(), bytes.size(), 0);
  REQUIRE(size >= 0);
  bytes.resize(static_cast<std::size_t>(size));
  return bytes;
}

TEST_CASE("datagrams of one size to one destination leave as a train, the last may be smaller",
          "[net]") {
  UdpPort sender = open_port();
  UdpPort receiver = open_train_port();
  SendQueue queue;
  REQUIRE(queue.sends_trains());
  const Texts texts{"aaaa", "bbbb", "cc", "dddd", "eeeee", "ffff"};
  for (const auto& text : texts) queue.queue(sender, outgoing_to(receiver.local(), text));
  SECTION("so that the kernel has four to pass on") {
    queue.flush();
    CHECK(take_whole(receiver) == "aaaabbbbcc");
    CHECK(take_whole(receiver) == "dddd");
    CHECK(take_whole(receiver) == "eeeeeffff");
    CHECK(is_silent(receiver));
  }
  SECTION("which a receiver takes apart") {
    queue.flush();
    CHECK(receive_texts(receiver, texts.size()) == texts);
  }
  CHECK(queue.stats().sent == texts.size());
  CHECK(queue.stats().refused_trains == 0);
}

TEST_CASE("the headers and padding of a train stay with their datagrams", "[net]") {
  UdpPort sender = open_port();
  UdpPort receiver = open_port();  // the kernel takes the train apart
  SendQueue queue;
  for (const std::string_view header : {"1:", "2:", "3:"}) {
    Outgoing outgoing = outgoing_to(receiver.local(), "text");
    outgoing.header = bytes_of(header);
    outgoing.padding_bytes = 2;
    queue.queue(sender, outgoing);
  }
  queue.flush();
  using namespace std::string_literals;
  CHECK(receive_texts(receiver, 3) == Texts{"1:text\0\0"s, "2:text\0\0"s, "3:text\0\0"s});
}

TEST_CASE("a train has one destination, one DF bit, one source, and nothing empty", "[net]") {
  UdpPort sender = open_sender_of_any_address();
  UdpPort receiver = open_train_port();
  UdpPort other = open_port();
  SendQueue queue;
  queue.queue(sender, outgoing_to(receiver.local(), "1"));
  queue.queue(sender, outgoing_to(other.local(), "2"));
  queue.queue(sender, outgoing_to(receiver.local(), "3"));
  queue.queue(sender, unfragmented_to(receiver.local(), "4"));
  queue.queue(sender, unfragmented_to(receiver.local(), "5"));
  queue.queue_copy(sender, receiver.local(), address("127.0.0.5"), bytes_of("6"));
  queue.queue_copy(sender, receiver.local(), address("127.0.0.6"), bytes_of("7"));
  queue.queue(sender, outgoing_to(receiver.local(), ""));
  queue.queue(sender, outgoing_to(receiver.local(), ""));
  queue.queue(sender, outgoing_to(receiver.local(), "8"));
  queue.flush();
  for (const std::string_view whole : {"1", "3", "45", "6", "7", "", "", "8"}) {
    CHECK(take_whole(receiver) == whole);
  }
  CHECK(receive_texts(other, 1) == Texts{"2"});
  CHECK(queue.stats().sent == 10);
}

TEST_CASE("what is queued next goes the way of the datagram before it, with bytes of its own",
          "[net]") {
  UdpPort sender = open_sender_of_any_address();
  UdpPort receiver = open_train_port();
  UdpPort other = open_port();
  SendQueue queue;
  queue.queue(sender, outgoing_to(other.local(), "other"));
  queue.queue_copy(sender, receiver.local(), address("127.0.0.5"), bytes_of("first."));
  queue.queue_next(sender, bytes_of("head:"), bytes_of("x"), 0);
  queue.queue_next(sender, {}, bytes_of("pad"), 1);
  queue.queue_next(sender, {}, bytes_of("longer than the others"), 0);
  queue.flush();
  CHECK(take_whole(receiver) == std::string_view{"first.head:xpad\0", 16});
  CHECK(take_whole(receiver) == "longer than the others");
  CHECK(receive_texts(other, 1) == Texts{"other"});
  CHECK(queue.stats().sent == 5);
}

TEST_CASE("the way is still known when the queue was full", "[net]") {
  UdpPort sender = open_port();
  auto options = bound_to("127.0.0.1:0");
  options.receive_buffer_bytes = 4 << 20;
  UdpPort receiver = open_port(options);
  UdpPort other = open_port();
  SendQueue queue;
  queue.queue(sender, outgoing_to(other.local(), "elsewhere"));
  for (std::size_t i = 1; i < SendQueue::capacity; ++i) {
    queue.queue(sender, outgoing_to(receiver.local(), "before"));
  }
  queue.queue_next(sender, {}, bytes_of("after"), 0);
  queue.queue_next(sender, {}, bytes_of("after"), 0);
  queue.flush();
  const Texts all = receive_texts(receiver, SendQueue::capacity + 1);
  CHECK(all[SendQueue::capacity - 2] == "before");
  CHECK(all[SendQueue::capacity - 1] == "after");
  CHECK(all[SendQueue::capacity] == "after");
}

TEST_CASE("a train ends where the kernel's limits are", "[net]") {
  UdpPort sender = open_port();
  auto options = bound_to("127.0.0.1:0");
  options.receive_trains = true;
  options.receive_buffer_bytes = 4 << 20;
  UdpPort receiver = open_port(options);
  SendQueue queue;
  SECTION("64 datagrams") {
    for (int i = 0; i < 100; ++i) queue.queue(sender, outgoing_to(receiver.local(), "x"));
    queue.flush();
    CHECK(take_whole(receiver).size() == 64);
    CHECK(take_whole(receiver).size() == 36);
  }
  SECTION("the bytes of a datagram") {
    const std::string full(1400, 'x');
    for (int i = 0; i < 60; ++i) queue.queue(sender, outgoing_to(receiver.local(), full));
    queue.flush();
    CHECK(take_whole(receiver).size() == std::size_t{46} * 1400);
    CHECK(take_whole(receiver).size() == std::size_t{14} * 1400);
  }
  SECTION("what Ethernet carries") {
    const std::string fits(1452, 'x');
    const std::string too_long(1453, 'x');
    for (int i = 0; i < 2; ++i) queue.queue(sender, outgoing_to(receiver.local(), fits));
    for (int i = 0; i < 2; ++i) queue.queue(sender, outgoing_to(receiver.local(), too_long));
    queue.flush();
    CHECK(take_whole(receiver).size() == std::size_t{2} * 1452);
    CHECK(take_whole(receiver).size() == 1453);
    CHECK(take_whole(receiver).size() == 1453);
  }
  CHECK(queue.stats().dropped_error == 0);
}

TEST_CASE("the datagrams of a train that the kernel refuses are sent one by one", "[net]") {
  UdpPort sender = open_port();
  const int on = 1;  // the kernel takes no trains without checksums
  REQUIRE(setsockopt(sender.descriptor(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on) == 0);
  UdpPort receiver = open_train_port();
  SendQueue queue;
  const Texts texts{"alone", "aa", "bb", "cc", "longer", "dd", "ee"};
  for (const auto& text : texts) queue.queue(sender, outgoing_to(receiver.local(), text));
  queue.flush();
  for (const auto& text : texts) CHECK(take_whole(receiver) == text);
  CHECK(queue.stats().sent == texts.size());
  CHECK(queue.stats().refused_trains == 1);
  CHECK(queue.stats().dropped_error == 0);
  CHECK(queue.sends_trains());  // other ports and destinations may do
}

TEST_CASE("a datagram that cannot be sent is skipped and counted", "[net]") {
  UdpPort sender = open_port();
  UdpPort receiver = open_port();
  const std::string too_big(65508, 'x');
  SendQueue queue;
  queue.queue(sender, outgoing_to(receiver.local(), "before"));
  queue.queue(sender, outgoing_to(receiver.local(), too_big));
  queue.queue(sender, outgoing_to(receiver.local(), "between"));
  queue.queue(sender, outgoing_to(endpoint("127.0.0.1:0"), "no such port"));
  queue.queue(sender, outgoing_to(endpoint("[::1]:9"), "other family"));
  queue.queue(sender, outgoing_to(receiver.local(), "after"));
  queue.flush();
  CHECK(receive_texts(receiver, 3) == Texts{"before", "between", "after"});
  CHECK(queue.stats().sent == 3);
  CHECK(queue.stats().dropped_error == 3);
  CHECK(queue.stats().dropped_full == 0);
}

TEST_CASE("a foreign source address is refused for that datagram only", "[net]") {
  UdpPort sender = open_sender_of_any_address();
  UdpPort receiver = open_port();
  SendQueue queue;
  queue.queue_copy(sender, receiver.local(), address("203.0.113.7"), bytes_of("forged"));
  queue.queue_copy(sender, receiver.local(), address("::1"), bytes_of("other family"));
  queue.queue_copy(sender, receiver.local(), address("127.0.0.5"), bytes_of("own"));
  queue.flush();
  const auto datagrams = receive(receiver, 1);
  CHECK(datagrams[0].text == "own");
  CHECK(datagrams[0].from == Endpoint{address("127.0.0.5"), sender.local().port});
  CHECK(queue.stats().dropped_error == 2);
}

TEST_CASE("when the socket's buffer is full the rest of that port is dropped", "[net]") {
  if (!has_ipv6()) return;
  // The smallest send buffer: a datagram of two fragments (loopback's MTU is 65,536) does not fit.
  auto options = bound_to("[::1]:0");
  options.send_buffer_bytes = 1;
  UdpPort tight = open_port(options);
  UdpPort roomy = open_port("[::1]:0");
  UdpPort receiver = open_port("[::1]:0");
  const std::string two_fragments(65507, 'x');
  SendQueue queue;
  queue.queue(tight, outgoing_to(receiver.local(), "before"));
  queue.queue(tight, outgoing_to(receiver.local(), two_fragments));
  queue.queue(tight, outgoing_to(receiver.local(), "after"));
  queue.queue(roomy, outgoing_to(receiver.local(), "other port"));
  queue.flush();
  CHECK(receive_texts(receiver, 2) == Texts{"before", "other port"});
  CHECK(queue.stats().sent == 2);
  CHECK(queue.stats().dropped_full == 2);
  CHECK(queue.stats().dropped_error == 0);
}

TEST_CASE("datagrams leave with DF=0 unless asked otherwise", "[net]") {
  Sniffer sniffer;
  if (!sniffer.is_allowed()) {
    WARN("skipped: raw sockets are not allowed here");
    return;
  }
  UdpPort sender = open_port();
  UdpPort receiver = open_port();
  SendQueue queue;
  // Each longer than the one before, for the sniffer sees a train as one.
  queue.queue(sender, outgoing_to(receiver.local(), "0"));
  queue.queue(sender, unfragmented_to(receiver.local(), "1"));
  queue.queue(sender, unfragmented_to(receiver.local(), "22"));
  queue.queue(sender, outgoing_to(receiver.local(), "333"));
  queue.flush();
  queue.queue(sender, outgoing_to(receiver.local(), "4444"));
  queue.flush();
  CHECK(receive_texts(receiver, 5) == Texts{"0", "1", "22", "333", "4444"});
  for (const bool expected : {false, true, true, false, false}) {
    CHECK(sniffer.next_dont_fragment(receiver.local().port) == expected);
  }
}

TEST_CASE("too big a datagram with DF=1 is not sent and reported once", "[net]") {
  if (!has_ipv6()) return;
  UdpPort sender = open_reporting_port("[::1]:0");
  UdpPort receiver = open_port("[::1]:0");
  const std::string two_fragments(65507, 'x');  // loopback's MTU is 65,536
  SendQueue queue;
  queue.queue(sender, outgoing_to(receiver.local(), two_fragments));
  queue.queue(sender, unfragmented_to(receiver.local(), "small"));
  queue.queue(sender, unfragmented_to(receiver.local(), two_fragments));
  queue.queue(sender, unfragmented_to(receiver.local(), "small again"));
  queue.queue(sender, outgoing_to(receiver.local(), two_fragments));
  queue.flush();
  const Texts texts = receive_texts(receiver, 4);
  CHECK((texts == Texts{two_fragments, "small", "small again", two_fragments}));
  CHECK(queue.stats().sent == 4);
  CHECK(queue.stats().dropped_error == 1);

  const auto error = sender.next_icmp();
  REQUIRE(error.has_value());
  CHECK(error->destination == receiver.local());
  CHECK(error->type == 2);
  CHECK(error->code == 0);
  CHECK(error->mtu == 65536);
  CHECK_FALSE(sender.next_icmp().has_value());
}

}  // namespace turnpike::net
