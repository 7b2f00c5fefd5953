// A server of nothing but the Socket.IO door, for tests with clients that others wrote: one thread,
// one poll loop, 127.0.0.1. Usage: turnpike_socketio_server <port>
// [echo <ms within which a ping wants its answer>]

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "signaling/doors.h"
#include "signaling/socketio_door.h"

namespace {

using namespace turnpike;
using namespace turnpike::signaling;

class NoIce final : public IceSource {
 public:
  IceServers ice_servers(const IceRequest&, WallTime wall) override { return {{}, wall}; }
};

Now read_clocks() {
  return {Instant{std::chrono::steady_clock::now().time_since_epoch()},
          std::chrono::floor<seconds>(std::chrono::system_clock::now())};
}

SocketIoDoor::Settings echo_settings(int ping_timeout_ms) {
  SocketIoDoor::Settings settings;
  settings.profiles = {echo_profile()};
  settings.engineio_echo = true;
  settings.engine.ping_interval = milliseconds{300};
  settings.engine.ping_timeout = milliseconds{ping_timeout_ms};
  return settings;
}

Rooms::Settings open_house() {
  Rooms::Settings settings;
  settings.auth = JoinAuth::open;
  settings.limits.joins_per_minute = 0;
  return settings;
}

struct Client {
  int fd;
  std::unique_ptr<HttpConnection> connection;
};

class Server {
 public:
  Server(std::uint16_t port, SocketIoDoor::Settings settings)
      : rooms_(open_house(), keys_, ice_, random_), door_(doors_, random_, std::move(settings)) {
    doors_.add(door_);
    OriginPolicy origins;
    origins.allow_any = true;
    site_ = std::make_unique<Site>(origins, StaticFiles{}, doors_.routes());
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    const int yes = 1;
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
        listen(listener_, 128) != 0) {
      std::perror("listen");
      std::exit(1);
    }
  }

  void run_once() {
    std::vector<pollfd> wanted{{listener_, POLLIN, 0}};
    std::vector<ConnectionId> ids{ConnectionId{0}};
    for (auto& [id, client] : clients_) {
      const bool has_output = !client.connection->output().empty();
      wanted.push_back({client.fd, static_cast<short>(POLLIN | (has_output ? POLLOUT : 0)), 0});
      ids.push_back(id);
    }
    ::poll(wanted.data(), wanted.size(), 10);
    if (wanted[0].revents != 0) accept_one();
    for (std::size_t i = 1; i < wanted.size(); ++i) {
      if ((wanted[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0) read_from(ids[i]);
    }
    doors_.on_deadline(read_clocks());
    std::vector<ConnectionId> all;
    for (const auto& [id, client] : clients_) all.push_back(id);
    for (const ConnectionId id : all) look_after(id);
    (void)doors_.take_touched();
  }

 private:
  void accept_one() {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
    if (fd < 0) return;
    auto connection = std::make_unique<HttpConnection>(*site_, limits_, read_clocks().instant);
    const ConnectionId id = doors_.on_connected(*connection, IpAddress::v4(0x7f000001));
    clients_.emplace(id, Client{fd, std::move(connection)});
  }
  void read_from(ConnectionId id) {
    Client& client = clients_.at(id);
    std::array<std::uint8_t, 65'536> buffer;
    const ssize_t size = ::recv(client.fd, buffer.data(), buffer.size(), 0);
    if (size <= 0) return drop(id);
    std::vector<ConnectionEvent> events;
    const Now now = read_clocks();
    client.connection->receive(ByteView{buffer}.first(static_cast<std::size_t>(size)), now, events);
    doors_.on_events(id, events, now);
  }
  void look_after(ConnectionId id) {
    HttpConnection& connection = *clients_.at(id).connection;
    const Now now = read_clocks();
    const auto due = connection.next_deadline();
    if (due && *due <= now.instant) {
      std::vector<ConnectionEvent> events;
      connection.on_deadline(now, events);
      doors_.on_events(id, events, now);
    }
    const ByteView output = connection.output();
    if (!output.empty()) {
      const ssize_t sent = ::send(clients_.at(id).fd, output.data(), output.size(), MSG_NOSIGNAL);
      if (sent > 0) connection.take_output(static_cast<std::size_t>(sent), now.instant);
    }
    if (connection.wants_close()) drop(id);
  }
  void drop(ConnectionId id) {
    doors_.on_gone(id, read_clocks());
    ::close(clients_.at(id).fd);
    clients_.erase(id);
  }

  FixedTokenKeys keys_{{}};
  NoIce ice_;
  SecureRandom random_;
  ConnectionLimits limits_;
  Rooms rooms_;
  Doors doors_{rooms_};
  SocketIoDoor door_;
  std::unique_ptr<Site> site_;
  int listener_ = -1;
  std::map<ConnectionId, Client> clients_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 1;
  const bool is_echo = argc > 3 && std::string_view{argv[2]} == "echo";
  Server server{static_cast<std::uint16_t>(std::atoi(argv[1])),
                is_echo ? echo_settings(std::atoi(argv[3])) : SocketIoDoor::Settings{}};
  for (;;) server.run_once();
}
