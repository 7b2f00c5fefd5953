#include "net/udp_port.h"

#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <set>

#include "net/loopback.h"
#include "net/poller.h"
#include "net/send_queue.h"

namespace turnpike::net {
namespace {

void send_text(UdpPort& from, const Endpoint& to, std::string_view text) {
  SendQueue queue;
  queue.queue_copy(from, to, std::nullopt, bytes_of(text));
  queue.flush();
}

UdpPort open_reporting_port() {
  auto options = bound_to("127.0.0.1:0");
  options.report_icmp = true;
  return open_port(options);
}

int option_of(const UdpPort& port, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(getsockopt(port.descriptor(), level, name, &value, &size) == 0);
  return value;
}

/// Sends ICMP "fragmentation needed" about a datagram that `from` is said to have sent to `to`.
/// False when we may not open raw sockets.
bool forge_fragmentation_needed(const Endpoint& from, const Endpoint& to, std::uint16_t mtu) {
  const int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
  if (raw < 0) return false;
  std::array<std::uint8_t, 8 + 20 + 8> message{};  // ICMP, IP, UDP
  const MutableByteView icmp{message};
  icmp[0] = ICMP_DEST_UNREACH;
  icmp[1] = ICMP_FRAG_NEEDED;
  store_be16(icmp.subspan(6), mtu);
  const MutableByteView ip = icmp.subspan(8);
  ip[0] = 0x45;
  store_be16(ip.subspan(2), 28);
  ip[9] = IPPROTO_UDP;
  copy_bytes(from.address.bytes(), ip.subspan(12));
  copy_bytes(to.address.bytes(), ip.subspan(16));
  store_be16(ip.subspan(20), from.port);
  store_be16(ip.subspan(22), to.port);
  store_be16(ip.subspan(24), 8);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < icmp.size(); i += 2) sum += load_be16(icmp.subspan(i));
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  store_be16(icmp.subspan(2), static_cast<std::uint16_t>(~sum));

  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const auto sent = sendto(raw, message.data(), message.size(), 0,
                           reinterpret_cast<const sockaddr*>(&target), sizeof target);
  close(raw);
  return sent == static_cast<ssize_t>(message.size());
}

}  // namespace

TEST_CASE("a port bound to port 0 tells which port it got", "[net]") {
  const UdpPort port = open_port("127.0.0.1:0");
  CHECK(port.local().address == address("127.0.0.1"));
  CHECK(port.local().port != 0);
  CHECK(port.descriptor() >= 0);
}

TEST_CASE("a taken port cannot be opened", "[net]") {
  const UdpPort first = open_port();
  UdpPortOptions options;
  options.bind = first.local();
  const auto second = UdpPort::open(options);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error() == std::errc::address_in_use);
}

TEST_CASE("an address of another host cannot be bound", "[net]") {
  const auto port = UdpPort::open(bound_to("203.0.113.7:0"));
  REQUIRE_FALSE(port.has_value());
  CHECK(port.error() == std::errc::address_not_available);
}

TEST_CASE("a moved port keeps its socket and the old object closes nothing", "[net]") {
  UdpPort first = open_port();
  const Endpoint where = first.local();
  UdpPort second = std::move(first);
  UdpPort third = open_port();
  third = std::move(second);
  CHECK(third.local() == where);
  UdpPort sender = open_port();
  send_text(sender, where, "still here");
  CHECK(receive_texts(third, 1) == std::vector<std::string>{"still here"});
}

TEST_CASE("a closed port can be opened again", "[net]") {
  UdpPortOptions options;
  options.bind = closed_endpoint();
  CHECK(UdpPort::open(options).has_value());
}

TEST_CASE("receiving from an idle port gives nothing at once", "[net]") {
  UdpPort port = open_port();
  ReceiveBatch batch;
  CHECK(port.receive(batch) == 0);
  CHECK(batch.datagrams().empty());
  CHECK(batch.truncated() == 0);
}

TEST_CASE("a batch asks for twice as many as it got, up to 64, and for as many as there were",
          "[net]") {
  UdpPort sender = open_port();
  UdpPort port = open_port();
  SendQueue queue;
  const auto send = [&](std::size_t count) {
    const std::string text(3, 'x');
    for (std::size_t i = 0; i < count; ++i)
      queue.queue_copy(sender, port.local(), std::nullopt, bytes_of(text));
    queue.flush();
    REQUIRE(wait_for(port.descriptor(), POLLIN));
  };
  ReceiveBatch batch;
  send(150);
  for (const std::size_t expected : {1U, 2U, 4U, 8U, 16U, 32U, 64U, 23U}) {
    REQUIRE(port.receive(batch) == expected);
  }
  CHECK(port.receive(batch) == 0);
  CHECK(batch.datagrams().empty());
  send(100);
  for (const std::size_t expected : {23U, 46U, 31U}) REQUIRE(port.receive(batch) == expected);
  send(2);
  REQUIRE(port.receive(batch) == 2);
  send(2);
  REQUIRE(port.receive(batch) == 2);
  CHECK(port.receive(batch) == 0);
}

TEST_CASE("a batch has datagrams in their order", "[net]") {
  UdpPort sender = open_port();
  UdpPort port = open_port();
  SendQueue queue;
  constexpr std::size_t total = 70;
  for (std::size_t i = 0; i < total; ++i) {
    queue.queue_copy(sender, port.local(), std::nullopt, bytes_of(std::to_string(i)));
  }
  queue.flush();

  ReceiveBatch batch;
  REQUIRE(wait_for(port.descriptor(), POLLIN));
  std::size_t taken = 0;
  while (port.receive(batch) > 0) {
    for (const Received& received : batch.datagrams()) {
      CHECK(text_of(received.bytes) == std::to_string(taken++));
      CHECK(received.from == sender.local());
      CHECK(received.to_address == port.local().address);
    }
  }
  CHECK(taken == total);
}

TEST_CASE("one batch serves ports of both families by turns", "[net]") {
  if (!has_ipv6()) return;
  UdpPort v4 = open_port("127.0.0.1:0");
  UdpPort v6 = open_port("[::1]:0");
  ReceiveBatch batch;
  for (int round = 0; round < 3; ++round) {
    send_text(v4, v4.local(), "four");
    send_text(v6, v6.local(), "six");
    REQUIRE(v6.receive(batch) == 1);
    CHECK(batch.datagrams()[0].from == v6.local());
    CHECK(batch.datagrams()[0].to_address == address("::1"));
    CHECK(text_of(batch.datagrams()[0].bytes) == "six");
    REQUIRE(v4.receive(batch) == 1);
    CHECK(batch.datagrams()[0].from == v4.local());
    CHECK(text_of(batch.datagrams()[0].bytes) == "four");
  }
}

TEST_CASE("empty and largest datagrams pass", "[net][S07]") {
  UdpPort sender = open_port();
  UdpPort port = open_port();
  std::string largest(65507, 'x');
  largest.front() = 'a';
  largest.back() = 'z';
  SendQueue queue;
  queue.queue_copy(sender, port.local(), std::nullopt, {});
  queue.queue_copy(sender, port.local(), std::nullopt, bytes_of(largest));
  queue.queue_copy(sender, port.local(), std::nullopt, {});
  queue.flush();
  const auto texts = receive_texts(port, 3);
  CHECK(texts[0].empty());
  CHECK((texts[1] == largest));  // extra parentheses: a failure must not print 64 KiB
  CHECK(texts[2].empty());
  CHECK(queue.stats().sent == 3);
}

TEST_CASE("a wildcard port takes a train apart and tells where it came to", "[net]") {
  auto options = bound_to("0.0.0.0:0");
  options.destination_address = true;
  options.receive_trains = true;
  UdpPort receiver = open_port(options);
  UdpPort sender = open_port();
  SendQueue queue;
  for (const std::string_view text : {"one", "two", "six", "10"}) {
    queue.queue_copy(sender, {address("127.0.0.9"), receiver.local().port}, std::nullopt,
                     bytes_of(text));
  }
  queue.flush();
  ReceiveBatch batch;
  REQUIRE(wait_for(receiver.descriptor(), POLLIN));
  REQUIRE(receiver.receive(batch) == 4);
  std::string texts;
  std::vector<bool> follow;
  for (const Received& datagram : batch.datagrams()) {
    CHECK(datagram.from == sender.local());
    CHECK(datagram.to_address == address("127.0.0.9"));
    texts.append(text_of(datagram.bytes)).append(" ");
    follow.push_back(datagram.follows);
  }
  CHECK(texts == "one two six 10 ");
  CHECK(follow == std::vector{false, true, true, true});
}

TEST_CASE("a wildcard port tells where a datagram came to and answers from there", "[net]") {
  auto options = bound_to("0.0.0.0:0");
  options.destination_address = true;
  UdpPort server = open_port(options);
  UdpPort client = open_port("127.0.0.1:0");
  for (const char* const host : {"127.0.0.2", "127.0.0.1", "127.9.8.7"}) {
    send_text(client, Endpoint{address(host), server.local().port}, "ping");
    const auto pings = receive(server, 1);
    CHECK(pings[0].to_address == address(host));

    SendQueue queue;
    queue.queue_copy(server, pings[0].from, pings[0].to_address, bytes_of("copied"));
    Outgoing outgoing;
    outgoing.to = pings[0].from;
    outgoing.from_address = pings[0].to_address;
    outgoing.set_from = true;
    outgoing.payload = bytes_of("gathered");
    queue.queue(server, outgoing);
    queue.flush();
    const auto answers = receive(client, 2);
    CHECK(answers[0].text == "copied");
    CHECK(answers[1].text == "gathered");
    for (const Datagram& answer : answers) {
      CHECK(answer.from == Endpoint{address(host), server.local().port});
    }
  }
}

TEST_CASE("an IPv6 wildcard port tells where a datagram came to and takes no IPv4", "[net]") {
  if (!has_ipv6()) return;
  auto options = bound_to("[::]:0");
  options.destination_address = true;
  UdpPort server = open_port(options);
  UdpPort client = open_port("[::1]:0");
  send_text(client, Endpoint{address("::1"), server.local().port}, "ping");
  const auto pings = receive(server, 1);
  CHECK(pings[0].to_address == address("::1"));
  CHECK(pings[0].from == client.local());

  SendQueue queue;
  queue.queue_copy(server, pings[0].from, pings[0].to_address, bytes_of("pong"));
  queue.flush();
  const auto answers = receive(client, 1);
  CHECK(answers[0].from == Endpoint{address("::1"), server.local().port});

  UdpPort v4_client = open_port("127.0.0.1:0");
  send_text(v4_client, Endpoint{address("127.0.0.1"), server.local().port}, "ping");
  CHECK(is_silent(server));
}

TEST_CASE("ports that share an address spread the senders among them", "[net]") {
  auto options = bound_to("127.0.0.1:0");
  options.reuse_port = true;
  UdpPort first = open_port(options);
  options.bind = first.local();
  UdpPort second = open_port(options);
  CHECK(first.local() == second.local());

  options.reuse_port = false;
  CHECK_FALSE(UdpPort::open(options).has_value());

  std::size_t received = 0;
  ReceiveBatch batch;
  std::set<const UdpPort*> receivers;
  for (int i = 0; i < 32; ++i) {  // the chance that all end at one of them is 2^-31
    UdpPort client = open_port();
    send_text(client, first.local(), "hello");
    for (UdpPort* const port : {&first, &second}) {
      const std::size_t count = port->receive(batch);
      received += count;
      if (count > 0) receivers.insert(port);
    }
  }
  CHECK(received == 32);
  CHECK(receivers.size() == 2);
}

TEST_CASE("buffer sizes are set when asked for", "[net]") {
  auto options = bound_to("127.0.0.1:0");
  options.receive_buffer_bytes = 50000;
  options.send_buffer_bytes = 60000;
  const UdpPort port = open_port(options);
  // Linux doubles both, for its own book-keeping (socket(7)).
  CHECK(option_of(port, SOL_SOCKET, SO_RCVBUF) == 100000);
  CHECK(option_of(port, SOL_SOCKET, SO_SNDBUF) == 120000);
}

TEST_CASE("a closed peer port is reported and disturbs neither receiving nor sending", "[net]") {
  UdpPort port = open_reporting_port();
  UdpPort peer = open_port();
  const Endpoint closed = closed_endpoint();
  send_text(port, closed, "anyone?");
  REQUIRE(wait_for(port.descriptor(), POLLERR));

  SECTION("the error says where and why, once") {
    const auto error = port.next_icmp();
    REQUIRE(error.has_value());
    CHECK(error->destination == closed);
    CHECK(error->type == 3);
    CHECK(error->code == 3);
    CHECK(error->mtu == 0);
    CHECK_FALSE(port.next_icmp().has_value());
  }
  SECTION("a waiting datagram is received in spite of it") {
    send_text(peer, port.local(), "I am");
    ReceiveBatch batch;
    REQUIRE(port.receive(batch) == 1);
    CHECK(text_of(batch.datagrams()[0].bytes) == "I am");
    CHECK(port.next_icmp().has_value());
  }
  SECTION("the next datagram is sent in spite of it") {
    SendQueue queue;
    queue.queue_copy(port, peer.local(), std::nullopt, bytes_of("and you?"));
    queue.flush();
    CHECK(queue.stats().sent == 1);
    CHECK(queue.stats().dropped_error == 0);
    CHECK(receive_texts(peer, 1) == std::vector<std::string>{"and you?"});
  }
  SECTION("nor do many of them") {
    SendQueue queue;
    for (int i = 0; i < 10; ++i) {
      queue.queue_copy(port, closed, std::nullopt, bytes_of("anyone?"));
      queue.queue_copy(port, peer.local(), std::nullopt, bytes_of(std::to_string(i)));
    }
    queue.flush();
    CHECK(queue.stats().sent == 20);
    CHECK(receive_texts(peer, 10).back() == "9");
    std::size_t errors = 0;
    while (port.next_icmp()) ++errors;
    CHECK(errors > 1);
    send_text(peer, port.local(), "fine");
    CHECK(receive_texts(port, 1) == std::vector<std::string>{"fine"});
  }
}

TEST_CASE("once a storm of ICMP errors has been read, nothing wakes the poller", "[net][F11]") {
  const bool with_data = GENERATE(false, true);
  UdpPort port = open_reporting_port();
  UdpPort peer = open_port();
  Poller poller;
  REQUIRE_FALSE(poller.add(port.descriptor(), 7));
  const Endpoint closed = closed_endpoint();
  // More of both than the socket's buffer takes, so that errors come for which there is no room.
  for (int i = 0; i < 2000; ++i) {
    if (with_data) send_text(peer, port.local(), std::string(1000, 'd'));
    send_text(port, closed, std::string(1000, 'e'));
  }
  std::size_t errors = 0;
  std::size_t datagrams = 0;
  int turns = 0;
  ReceiveBatch batch;
  for (auto events = poller.poll(); !events.empty(); events = poller.poll()) {
    REQUIRE(++turns < 50);
    if (events[0].error) {
      while (port.next_icmp()) ++errors;
    }
    if (events[0].readable) datagrams += port.receive(batch);
  }
  CHECK(errors > 0);
  CHECK((datagrams > 0) == with_data);
  send_text(peer, port.local(), "still there?");
  CHECK(receive_texts(port, 1) == std::vector<std::string>{"still there?"});
}

TEST_CASE("a closed IPv6 peer port is reported in ICMPv6's numbers", "[net]") {
  if (!has_ipv6()) return;
  auto options = bound_to("[::1]:0");
  options.report_icmp = true;
  UdpPort port = open_port(options);
  const Endpoint closed = open_port("[::1]:0").local();
  send_text(port, closed, "anyone?");
  REQUIRE(wait_for(port.descriptor(), POLLERR));
  const auto error = port.next_icmp();
  REQUIRE(error.has_value());
  CHECK(error->destination == closed);
  CHECK(error->type == 1);
  CHECK(error->code == 4);
  CHECK(error->mtu == 0);
}

TEST_CASE("without report_icmp a closed peer port goes unnoticed", "[net]") {
  UdpPort port = open_port();
  send_text(port, closed_endpoint(), "anyone?");
  CHECK_FALSE(port.next_icmp().has_value());
  send_text(port, port.local(), "myself");
  ReceiveBatch batch;
  CHECK(port.receive(batch) == 1);
}

TEST_CASE("a router's fragmentation needed is reported with its MTU", "[net]") {
  UdpPort port = open_reporting_port();
  const Endpoint peer = endpoint("127.0.0.1:9");
  if (!forge_fragmentation_needed(port.local(), peer, 1300)) {
    WARN("skipped: raw sockets are not allowed here");
    return;
  }
  REQUIRE(wait_for(port.descriptor(), POLLERR));
  const auto error = port.next_icmp();
  REQUIRE(error.has_value());
  CHECK(error->destination == peer);
  CHECK(error->type == ICMP_DEST_UNREACH);
  CHECK(error->code == ICMP_FRAG_NEEDED);
  CHECK(error->mtu == 1300);
}

}  // namespace turnpike::net
