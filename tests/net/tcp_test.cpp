#include "net/tcp.h"

#include <netinet/tcp.h>

#include "net/tcp_client.h"

namespace turnpike::net {
namespace {

TcpListener open_listener(std::string_view where = "127.0.0.1:0", bool reuse_port = false) {
  auto listener = TcpListener::open({endpoint(where), reuse_port});
  REQUIRE(listener.has_value());
  return std::move(*listener);
}

Accepted accept_one(TcpListener& listener) {
  REQUIRE(wait_for(listener.descriptor(), POLLIN));
  auto accepted = listener.accept();
  REQUIRE(accepted.has_value());
  return std::move(*accepted);
}

int option_of(int descriptor, int level, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  REQUIRE(getsockopt(descriptor, level, name, &value, &size) == 0);
  return value;
}

/// Reads once something is there.
Result<std::size_t, StreamStop> read_when_ready(TcpSocket& socket, MutableByteView out) {
  REQUIRE(wait_for(socket.descriptor(), POLLIN));
  return socket.read(out);
}

}  // namespace

TEST_CASE("an accepted connection knows both its ends", "[net]") {
  const std::string where =
      GENERATE(as<std::string>{}, "127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0");
  if (where[0] == '[' && !has_ipv6()) return;
  TcpListener listener = open_listener(where);
  CHECK(listener.local().port != 0);
  const std::string_view loopback = where[0] == '[' ? "::1" : "127.0.0.1";
  const Endpoint server{address(loopback), listener.local().port};
  const TcpClient client{server};
  const Accepted accepted = accept_one(listener);
  CHECK((accepted.client == client.local()));
  CHECK((accepted.local == server));  // never the wildcard
}

TEST_CASE("a listener's address connects out as well, to many at once, and still listens",
          "[net][rfc6062]") {
  const std::string where = GENERATE(as<std::string>{}, "127.0.0.1:0", "[::1]:0");
  if (where[0] == '[' && !has_ipv6()) return;
  auto shared = TcpListener::open({.bind = endpoint(where), .shares_with_connects = true});
  REQUIRE(shared.has_value());
  TcpListener first = open_listener(where);
  TcpListener second = open_listener(where);
  std::vector<TcpSocket> kept;
  for (TcpListener* const far : {&first, &second}) {
    auto socket = TcpSocket::connect(shared->local(), far->local());
    REQUIRE(socket.has_value());
    REQUIRE(wait_for(socket->descriptor(), POLLOUT));
    CHECK_FALSE(socket->take_error());
    CHECK((accept_one(*far).client == shared->local()));
    kept.push_back(std::move(*socket));
  }
  for (int i = 0; i < 20; ++i) {  // what listens gets them all, the connected sockets none
    const TcpClient client{shared->local()};
    CHECK((accept_one(*shared).client == client.local()));
  }
}

TEST_CASE("an address that is shared with connects is shared with no other listener",
          "[net][rfc6062]") {
  const TcpListener other = open_listener("127.0.0.1:0", true);
  const auto taken = TcpListener::open({.bind = other.local(), .shares_with_connects = true});
  CHECK(taken.error() == std::errc::address_in_use);
  const auto shared =
      TcpListener::open({.bind = endpoint("127.0.0.1:0"), .shares_with_connects = true});
  REQUIRE(shared.has_value());
  const auto again = TcpListener::open({.bind = shared->local(), .shares_with_connects = true});
  CHECK(again.error() == std::errc::address_in_use);
}

TEST_CASE("a relay's port is free again while its connections linger", "[net][rfc6062]") {
  auto shared = TcpListener::open({.bind = endpoint("127.0.0.1:0"), .shares_with_connects = true});
  REQUIRE(shared.has_value());
  const Endpoint at = shared->local();
  TcpListener far = open_listener();
  const auto socket = TcpSocket::connect(at, far.local());
  REQUIRE(socket.has_value());
  const Accepted accepted = accept_one(far);
  { const TcpListener gone = std::move(*shared); }
  CHECK(TcpListener::open({.bind = at, .shares_with_connects = true}).has_value());
}

TEST_CASE("a refused connect says why", "[net][rfc6062]") {
  const Endpoint nobody = open_listener().local();
  auto socket = TcpSocket::connect(endpoint("127.0.0.1:0"), nobody);
  REQUIRE(socket.has_value());
  REQUIRE(wait_for(socket->descriptor(), POLLOUT));
  CHECK(socket->take_error() == std::errc::connection_refused);
  CHECK(TcpSocket::connect(endpoint("192.0.2.1:0"), nobody).error() ==
        std::errc::address_not_available);
}

TEST_CASE("a listener without connections says so at once", "[net]") {
  TcpListener listener = open_listener();
  CHECK(listener.accept().error() == std::errc::operation_would_block);
  const TcpClient client{listener.local()};
  accept_one(listener);
  CHECK(listener.accept().error() == std::errc::operation_would_block);
}

TEST_CASE("accepted sockets wait for nobody: not for readers, writers or fuller segments",
          "[net]") {
  TcpListener listener = open_listener();
  const TcpClient client{listener.local()};
  const Accepted accepted = accept_one(listener);
  const int descriptor = accepted.socket.descriptor();
  CHECK((fcntl(descriptor, F_GETFL) & O_NONBLOCK) != 0);
  CHECK((fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(option_of(descriptor, IPPROTO_TCP, TCP_NODELAY) != 0);
  CHECK((fcntl(listener.descriptor(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((fcntl(listener.descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("bytes go both ways", "[net]") {
  TcpListener listener = open_listener();
  const TcpClient client{listener.local()};
  Accepted accepted = accept_one(listener);
  std::array<std::uint8_t, 64> buffer{};
  CHECK(accepted.socket.read(buffer).error() == StreamStop::would_block);
  client.send(bytes_of("hello"));
  REQUIRE(read_when_ready(accepted.socket, MutableByteView{buffer}.first(3)).value() == 3);
  CHECK(text_of(ByteView{buffer}.first(3)) == "hel");
  REQUIRE(accepted.socket.read(buffer).value() == 2);
  CHECK(text_of(ByteView{buffer}.first(2)) == "lo");
  REQUIRE(accepted.socket.write(bytes_of("welcome")).value() == 7);
  CHECK(text_of(client.receive_some()) == "welcome");
}

TEST_CASE("a write takes what the kernel has room for, then says that it would block", "[net]") {
  TcpListener listener = open_listener();
  const TcpClient client{listener.local()};
  Accepted accepted = accept_one(listener);
  const std::vector<std::uint8_t> much(1 << 20, 'x');
  std::size_t written = 0;
  auto count = accepted.socket.write(much);
  for (; count.has_value(); count = accepted.socket.write(much)) {
    REQUIRE(*count > 0);
    written += *count;
    REQUIRE(written < (std::size_t{256} << 20));
  }
  CHECK(count.error() == StreamStop::would_block);
  CHECK(written % much.size() != 0);  // the last write was a partial one
  std::size_t arrived = 0;
  while (arrived < written) arrived += client.receive_some().size();
  CHECK(arrived == written);
  REQUIRE(wait_for(accepted.socket.descriptor(), POLLOUT));
  CHECK(accepted.socket.write(much).has_value());
}

TEST_CASE("the end of a connection is told after all that came before it", "[net]") {
  TcpListener listener = open_listener();
  TcpClient client{listener.local()};
  Accepted accepted = accept_one(listener);
  std::array<std::uint8_t, 64> buffer{};
  client.send(bytes_of("bye"));
  client.finish();
  CHECK(read_when_ready(accepted.socket, buffer).value() == 3);
  CHECK(read_when_ready(accepted.socket, buffer).error() == StreamStop::ended);
  // It is half an end: the other direction goes on.
  CHECK(accepted.socket.write(bytes_of("still here")).has_value());
  accepted.socket.finish_writing();
  CHECK(text_of(client.receive_rest()) == "still here");
}

TEST_CASE("a reset connection has ended, for writers too and without a signal", "[net]") {
  TcpListener listener = open_listener();
  TcpClient client{listener.local()};
  Accepted accepted = accept_one(listener);
  client.reset();
  std::array<std::uint8_t, 64> buffer{};
  CHECK(read_when_ready(accepted.socket, buffer).error() == StreamStop::ended);
  CHECK(accepted.socket.write(bytes_of("hi")).error() == StreamStop::ended);  // EPIPE
}

TEST_CASE("after finish_writing there is FIN, and what comes in can be read", "[net]") {
  TcpListener listener = open_listener();
  const TcpClient client{listener.local()};
  Accepted accepted = accept_one(listener);
  accepted.socket.finish_writing();
  CHECK(client.receive_rest().empty());
  client.send(bytes_of("one more thing"));
  std::array<std::uint8_t, 64> buffer{};
  CHECK(read_when_ready(accepted.socket, buffer).value() == 14);
}

TEST_CASE("a socket closes with its owner, and moves with it", "[net]") {
  TcpListener listener = open_listener();
  const TcpClient first{listener.local()};
  Accepted one = accept_one(listener);
  const TcpClient second{listener.local()};
  Accepted two = accept_one(listener);
  {
    TcpSocket moved = std::move(one.socket);
    CHECK(moved.write(bytes_of("moved")).has_value());
    moved = std::move(two.socket);
    CHECK(moved.write(bytes_of("assigned")).has_value());
    two.socket = TcpSocket{-1};  // closes the first connection, which assigning has put there
    CHECK(text_of(first.receive_rest()) == "moved");
    CHECK(text_of(second.receive_some()) == "assigned");
    CHECK_FALSE(second.has_something());  // still open
  }
  CHECK(second.receive_rest().empty());
}

TEST_CASE("a listener moves, and closes with its owner", "[net]") {
  Endpoint where;
  {
    TcpListener first = open_listener();
    where = first.local();
    TcpListener second = std::move(first);
    CHECK((second.local() == where));
    first = open_listener();
    CHECK((first.local() != where));
    const TcpClient client{where};
    CHECK((accept_one(second).client == client.local()));
  }
  // Nobody listens any more; connections of the predecessor do not keep the port.
  const TcpListener successor = open_listener(where.to_string());
  CHECK((successor.local() == where));
}

TEST_CASE("a port that lingers in TIME_WAIT can be listened on again", "[net]") {
  Endpoint where;
  {
    TcpListener listener = open_listener();
    where = listener.local();
    const TcpClient client{where};
    const Accepted accepted = accept_one(listener);
    shutdown(accepted.socket.descriptor(), SHUT_WR);  // who ends first, waits
    CHECK(client.receive_rest().empty());
  }
  CHECK(TcpListener::open({where}).has_value());
}

TEST_CASE("opening where it is not possible says what the kernel says", "[net]") {
  const TcpListener listener = open_listener();
  CHECK(TcpListener::open({listener.local()}).error() == std::errc::address_in_use);
  CHECK(TcpListener::open({listener.local(), true}).error() == std::errc::address_in_use);
  CHECK(TcpListener::open({endpoint("192.0.2.1:0")}).error() == std::errc::address_not_available);
}

TEST_CASE("several listeners share a port when all of them want to", "[net]") {
  TcpListener first = open_listener("127.0.0.1:0", true);
  TcpListener second = open_listener(first.local().to_string(), true);
  std::vector<TcpClient> clients;
  for (int i = 0; i < 64; ++i) clients.emplace_back(first.local());
  int by_first = 0;
  int by_second = 0;
  while (first.accept().has_value()) ++by_first;
  while (second.accept().has_value()) ++by_second;
  CHECK(by_first + by_second == 64);
  CHECK(by_first > 0);
  CHECK(by_second > 0);
}

TEST_CASE("IPv6 listeners leave the IPv4 connections to others", "[net][P08]") {
  if (!has_ipv6()) return;
  TcpListener v6 = open_listener("[::]:0");
  TcpListener v4 = open_listener(Endpoint{address("0.0.0.0"), v6.local().port}.to_string());
  const TcpClient client{{address("127.0.0.1"), v6.local().port}};
  CHECK((accept_one(v4).client == client.local()));
  CHECK(v6.accept().error() == std::errc::operation_would_block);
}

TEST_CASE("no room for a connection is an error that leaves the connection waiting", "[net][Q11]") {
  TcpListener listener = open_listener();
  const TcpClient client{listener.local()};
  REQUIRE(wait_for(listener.descriptor(), POLLIN));
  {
    const NoDescriptors none;
    CHECK(listener.accept().error() == std::errc::too_many_files_open);
    CHECK(TcpListener::open({endpoint("127.0.0.1:0")}).error() == std::errc::too_many_files_open);
  }
  CHECK((accept_one(listener).client == client.local()));
}

TEST_CASE("a connection that was reset while it waited does no harm", "[net][F10]") {
  TcpListener listener = open_listener();
  TcpClient gone{listener.local()};
  gone.reset();
  const TcpClient here{listener.local()};
  REQUIRE(wait_for(listener.descriptor(), POLLIN));
  // Linux hands out the dead one too; other systems skip it.
  std::vector<Accepted> accepted;
  for (auto next = listener.accept(); next.has_value(); next = listener.accept()) {
    accepted.push_back(std::move(*next));
  }
  REQUIRE_FALSE(accepted.empty());
  CHECK((accepted.back().client == here.local()));
}

}  // namespace turnpike::net
