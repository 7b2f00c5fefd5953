// TcpBridge over pairs of sockets: what it waits for, and in which order it ends.
#include "server/tcp_bridge.h"

#include <sys/socket.h>

#include <array>
#include <string>

#include "base/hex.h"
#include "catch.h"
#include "net/loopback.h"

namespace turnpike::server {
namespace {

using test::Bytes;

constexpr net::Interest nothing{.read = false, .write = false};
constexpr net::Interest reading{.read = true, .write = false};
constexpr TcpBridge::Ready ready{.readable = true};
constexpr TcpBridge::Ready hung_up{.readable = true, .hung_up = true};

/// A socket whose other end is `far`.
net::TcpSocket socket_to(int& far) {
  std::array<int, 2> ends{};
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  far = ends[1];
  return net::TcpSocket{ends[0]};
}

struct Fixture {
  Fixture() { bridge.bind(StreamSession{std::move(near_client), {}, nullptr}); }
  ~Fixture() {
    ::close(client);
    ::close(peer);
  }

  void move(TcpBridge::Ready of_client, TcpBridge::Ready of_peer) {
    bridge.move(of_client, of_peer, scratch);
  }
  static void send(int end, std::string_view text) {
    REQUIRE(::send(end, text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  /// What waits at `end` now; "EOF" when the other side has finished.
  std::string read(int end) {
    const ssize_t count = recv(end, scratch.data(), scratch.size(), 0);
    if (count == 0) return "EOF";
    return std::string{text_of(ByteView{scratch}.first(count < 0 ? 0 : std::size_t(count)))};
  }
  /// Sends from `from` until neither the bridge nor the kernel takes more; how many bytes.
  std::size_t clog(int from, TcpBridge::Ready of_client, TcpBridge::Ready of_peer) {
    const std::string much(16384, 'x');
    std::size_t sent = 0;
    for (int idle = 0; idle < 3; ++idle) {
      for (;; idle = 0) {
        const ssize_t count = ::send(from, much.data(), much.size(), MSG_NOSIGNAL);
        if (count <= 0) break;
        sent += static_cast<std::size_t>(count);
      }
      move(of_client, of_peer);
    }
    return sent;
  }

  int client = -1;
  int peer = -1;
  Bytes scratch = Bytes(65536);
  net::TcpSocket near_client = socket_to(client);
  TcpBridge bridge{socket_to(peer)};
};

}  // namespace

TEST_CASE("a bridge without its client asks nothing of the peer", "[server][rfc6062-5.3]") {
  int peer = -1;
  const TcpBridge bridge{socket_to(peer)};
  CHECK_FALSE(bridge.is_bound());
  CHECK((bridge.peer_interest() == nothing));
  ::close(peer);
}

TEST_CASE("bytes go both ways and count as movement", "[server][rfc6062-5.4]") {
  Fixture fixture;
  CHECK((fixture.bridge.client_interest() == reading));
  CHECK((fixture.bridge.peer_interest() == reading));
  Fixture::send(fixture.client, "to peer");
  Fixture::send(fixture.peer, "to client");
  fixture.move(ready, ready);
  CHECK(fixture.read(fixture.peer) == "to peer");
  CHECK(fixture.read(fixture.client) == "to client");
  CHECK(fixture.bridge.moved_bytes() == 16);
  CHECK_FALSE(fixture.bridge.is_ending());
}

TEST_CASE("a side is not read while the other one is full", "[server][rfc6062-3]") {
  Fixture fixture;
  SECTION("the client's") {
    fixture.clog(fixture.client, ready, {});
    CHECK((fixture.bridge.client_interest() == nothing));
    CHECK((fixture.bridge.peer_interest() == net::Interest{.read = true, .write = true}));
    CHECK(fixture.bridge.client().data().size() < 2 * TcpBridge::mark_bytes);
    while (!fixture.read(fixture.peer).empty()) fixture.move(ready, {});
    CHECK((fixture.bridge.client_interest() == reading));
    CHECK((fixture.bridge.peer_interest() == reading));
  }
  SECTION("the peer's") {
    fixture.clog(fixture.peer, {}, ready);
    CHECK((fixture.bridge.peer_interest() == nothing));
    CHECK((fixture.bridge.client_interest() == net::Interest{.read = true, .write = true}));
    CHECK(fixture.bridge.client().queued_bytes() < 2 * TcpBridge::mark_bytes);
    while (!fixture.read(fixture.client).empty()) fixture.move({}, ready);
    CHECK((fixture.bridge.client_interest() == reading));
    CHECK((fixture.bridge.peer_interest() == reading));
  }
}

TEST_CASE("FIN is passed on behind the last byte, and each way by itself",
          "[server][rfc6062-5.5]") {
  Fixture fixture;
  const bool is_client_first = GENERATE(true, false);
  const int first = is_client_first ? fixture.client : fixture.peer;
  const int second = is_client_first ? fixture.peer : fixture.client;
  Fixture::send(first, "bye");
  shutdown(first, SHUT_WR);
  for (int i = 0; i < 2; ++i) fixture.move(ready, ready);
  CHECK(fixture.read(second) == "bye");
  CHECK(fixture.read(second) == "EOF");
  CHECK(fixture.bridge.is_ending());
  Fixture::send(second, "wait");
  fixture.move(ready, ready);
  CHECK(fixture.read(first) == "wait");
  CHECK_FALSE(fixture.bridge.is_over());
  shutdown(second, SHUT_WR);
  fixture.move(ready, ready);
  CHECK(fixture.read(first) == "EOF");
  CHECK(fixture.bridge.is_over());
}

TEST_CASE("FIN does not overtake bytes that wait", "[server][rfc6062-5.5]") {
  Fixture fixture;
  const std::size_t sent = fixture.clog(fixture.client, ready, {});
  shutdown(fixture.client, SHUT_WR);
  std::size_t received = 0;
  std::string some;
  for (int i = 0; i < 100'000 && some != "EOF"; ++i) {
    fixture.move(ready, {});
    some = fixture.read(fixture.peer);
    if (some != "EOF") received += some.size();
  }
  CHECK(some == "EOF");
  CHECK(received == sent);
}

TEST_CASE("a side that is gone both ways is not waited for again", "[server][rfc6062-5.5]") {
  Fixture fixture;
  SECTION("the client") {
    ::close(std::exchange(fixture.client, -1));
    fixture.move(hung_up, {});
    CHECK((fixture.bridge.client_interest() == nothing));
    CHECK(fixture.read(fixture.peer) == "EOF");
    Fixture::send(fixture.peer, "anyone?");
    fixture.move({}, ready);
    CHECK((fixture.bridge.peer_interest() == reading));  // until it has followed
    shutdown(fixture.peer, SHUT_WR);
    fixture.move({}, ready);
  }
  SECTION("the peer") {
    ::close(std::exchange(fixture.peer, -1));
    fixture.move({}, hung_up);
    CHECK((fixture.bridge.peer_interest() == nothing));
    CHECK(fixture.read(fixture.client) == "EOF");
    Fixture::send(fixture.client, "anyone?");
    fixture.move(ready, {});
    CHECK(fixture.bridge.client().data().empty());
    shutdown(fixture.client, SHUT_WR);
    fixture.move(ready, {});
  }
  CHECK(fixture.bridge.is_over());
}

}  // namespace turnpike::server
