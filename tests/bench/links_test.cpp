#include "bench/links.h"

#include <set>

#include "bench/failure.h"
#include "bench/udp_socket.h"
#include "catch.h"
#include "net/clock.h"

using namespace turnpike;
using Bytes = std::vector<std::uint8_t>;

namespace {

const IpAddress loopback = IpAddress::v4(0x7f000001);

IpPrefix prefix(const std::string& text) { return *IpPrefix::parse(text); }

/// A server's socket, which must hear something within a second.
struct Server {
  bench::UdpBuffers buffers;
  bench::UdpSocket socket = open(buffers);

  static bench::UdpSocket open(bench::UdpBuffers& buffers) {
    auto opened = bench::UdpSocket::open({{loopback, 0}, false}, buffers);
    REQUIRE(opened);
    return std::move(*opened);
  }
  /// The next datagrams, each with its sender, until there are `count`.
  std::vector<std::pair<Endpoint, Bytes>> hear(std::size_t count) {
    std::vector<std::pair<Endpoint, Bytes>> heard;
    const Instant until = net::read_clock().instant + seconds{1};
    while (heard.size() < count && net::read_clock().instant < until) {
      for (const bench::IncomingTrain& train : socket.receive()) {
        train.each([&](ByteView datagram) {
          heard.emplace_back(net::to_endpoint(train.from), Bytes{datagram.begin(), datagram.end()});
        });
      }
    }
    REQUIRE(heard.size() == count);
    return heard;
  }
};

struct Sink final : bench::MessageSink {
  std::vector<Bytes> messages;
  void on_message(ByteView message, Instant /*now*/) override {
    messages.emplace_back(message.begin(), message.end());
  }
};

void say(bench::Links& links, std::size_t client, std::string_view text) {
  links.add_message(client, bytes_of(text));
  links.flush();
}

}  // namespace

TEST_CASE("the addresses of a prefix are used without its first and last", "[bench]") {
  CHECK(bench::addresses_in(prefix("127.0.1.0/24")) == 254);
  CHECK(bench::address_in(prefix("127.0.1.0/24"), 0).to_string() == "127.0.1.1");
  CHECK(bench::address_in(prefix("127.0.1.0/24"), 253).to_string() == "127.0.1.254");
  CHECK(bench::address_in(prefix("127.0.1.0/24"), 254).to_string() == "127.0.1.1");
  CHECK(bench::addresses_in(prefix("127.0.0.5")) == 1);
  CHECK(bench::address_in(prefix("127.0.0.5"), 3).to_string() == "127.0.0.5");
  CHECK(bench::addresses_in(prefix("127.0.0.4/31")) == 2);
  CHECK(bench::address_in(prefix("127.0.0.4/31"), 1).to_string() == "127.0.0.5");
  CHECK(bench::addresses_in(prefix("127.0.0.4/30")) == 2);
}

TEST_CASE("many clients are of many networks", "[bench]") {
  CHECK(bench::addresses_in(prefix("127.1.0.0/16")) == 256 * 254);
  CHECK(bench::address_in(prefix("127.1.0.0/16"), 0).to_string() == "127.1.0.1");
  CHECK(bench::address_in(prefix("127.1.0.0/16"), 1).to_string() == "127.1.1.1");
  CHECK(bench::address_in(prefix("127.1.0.0/16"), 256).to_string() == "127.1.0.2");
  CHECK(bench::address_in(prefix("127.1.0.0/16"), 256 * 254 - 1).to_string() == "127.1.255.254");
  CHECK(bench::address_in(prefix("127.1.0.0/16"), 256 * 254).to_string() == "127.1.0.1");
  std::set<IpAddress> all;
  for (std::size_t i = 0; i < 4 * 254; ++i)
    all.insert(bench::address_in(prefix("127.1.4.0/22"), i));
  CHECK(all.size() == 4 * 254);
}

TEST_CASE("clients over UDP have an address each, or the same one and a port each", "[bench]") {
  Server server;
  const auto from = GENERATE(std::optional<IpPrefix>{}, prefix("127.0.1.0/24"),
                             prefix("127.0.1.0/30"), prefix("127.0.0.1"));
  const auto links = bench::open_links({server.socket.local(), Transport::udp, 5, "", from, false});
  std::set<Endpoint> senders;
  for (std::size_t client = 0; client < 5; ++client) {
    say(*links, client, "hello");
    const Endpoint sender = server.hear(1)[0].first;
    if (from) CHECK(from->contains(sender.address));
    senders.insert(sender);
  }
  CHECK(senders.size() == 5);
  say(*links, 3, "again");
  CHECK(senders.count(server.hear(1)[0].first) == 1);
}

TEST_CASE("a client that is renewed is somebody else", "[bench]") {
  Server server;
  const auto from = GENERATE(std::optional<IpPrefix>{}, prefix("127.0.1.0/29"));
  const auto links = bench::open_links({server.socket.local(), Transport::udp, 2, "", from, true});
  std::set<Endpoint> senders;
  for (int i = 0; i < 20; ++i) {
    say(*links, 0, "hello");
    senders.insert(server.hear(1)[0].first);
    links->renew(0);
  }
  CHECK(senders.size() == 20);
}

TEST_CASE("a train arrives as its datagrams, in order", "[bench]") {
  Server server;
  const auto links = bench::open_links(
      {server.socket.local(), Transport::udp, 1, "", prefix("127.0.1.0/24"), false});
  copy_bytes(bytes_of("aaaabbbbcc"), links->add(0, 10, 4));
  links->flush();
  const auto heard = server.hear(3);
  CHECK(text_of(heard[0].second) == "aaaa");
  CHECK(text_of(heard[1].second) == "bbbb");
  CHECK(text_of(heard[2].second) == "cc");
}

TEST_CASE("what the server sends comes to the sink", "[bench]") {
  Server server;
  const auto links = bench::open_links(
      {server.socket.local(), Transport::udp, 3, "", prefix("127.0.1.0/24"), false});
  say(*links, 2, "hello");
  const net::SocketAddress client = net::to_socket_address(server.hear(1)[0].first);
  copy_bytes(bytes_of("onetwo"), server.socket.add(client, 6, 3));
  server.socket.flush();
  Sink sink;
  const Instant until = net::read_clock().instant + seconds{1};
  while (sink.messages.size() < 2 && net::read_clock().instant < until) links->receive(sink);
  REQUIRE(sink.messages.size() == 2);
  CHECK(text_of(sink.messages[0]) == "one");
  CHECK(text_of(sink.messages[1]) == "two");
}

TEST_CASE("a connection that nobody takes ends the run with the server's name", "[bench]") {
  // A port that was free a moment ago.
  const Endpoint nobody = Server{}.socket.local();
  const auto links = bench::open_links({nobody, Transport::tcp, 1, "", std::nullopt, false});
  Sink sink;
  const auto try_it = [&] {
    say(*links, 0, "hello");
    const Instant until = net::read_clock().instant + seconds{1};
    while (net::read_clock().instant < until) links->receive(sink);
  };
  CHECK_THROWS_WITH(try_it(), nobody.to_string() + " over tcp: Connection refused");
}
