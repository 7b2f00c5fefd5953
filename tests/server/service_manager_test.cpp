#include "server/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "catch.h"
#include "server/scratch_directory.h"

using namespace turnpike;
using namespace turnpike::server;
using turnpike::test::ScratchDirectory;

namespace {

/// What systemd has: a datagram socket with a name.
class Listener {
 public:
  explicit Listener(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~Listener() { ::close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// The oldest message that has come; empty: none has.
  std::string next() {
    std::array<char, 512> bytes{};
    const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    return count < 0 ? std::string{} : std::string{bytes.data(), static_cast<std::size_t>(count)};
  }

 private:
  int socket_;
};

}  // namespace

TEST_CASE("the service manager hears what happens, one datagram each", "[server]") {
  const ScratchDirectory directory;
  const std::string path = directory.path() + "/notify";
  Listener systemd{path};
  const ServiceManager manager{{path}};
  manager.ready("Serving\non 2");
  CHECK(systemd.next() == "READY=1\nSTATUS=Serving on 2");
  manager.alive();
  CHECK(systemd.next() == "WATCHDOG=1");
  manager.reloading(Instant{std::chrono::seconds{3}});
  CHECK(systemd.next() ==
        "RELOADING=1\nMONOTONIC_USEC=3000000\nSTATUS=Reading the configuration again");
  manager.stopping("Draining");
  CHECK(systemd.next() == "STOPPING=1\nSTATUS=Draining");
  CHECK(systemd.next().empty());
}

TEST_CASE("without a service manager, or with a gone one, nothing happens", "[server]") {
  for (const std::string& socket : {std::string{}, std::string{"relative"},
                                    std::string{"/nonexistent/notify"}, std::string(200, '/')}) {
    const ServiceManager manager{{socket}};
    manager.ready("");
    manager.alive();
  }
}

TEST_CASE("the watchdog is for the process that it names, and for any when it names none",
          "[server]") {
  const auto watchdog = [](const std::string& usec, const std::string& pid) {
    return ServiceManagerSettings::from(
               {{"NOTIFY_SOCKET", "/run/n"}, {"WATCHDOG_USEC", usec}, {"WATCHDOG_PID", pid}}, 42)
        .watchdog;
  };
  CHECK(watchdog("30000000", "42") == milliseconds{30'000});
  CHECK(watchdog("30000000", "") == milliseconds{30'000});
  CHECK_FALSE(watchdog("30000000", "43"));
  CHECK_FALSE(watchdog("30000000", "x"));
  for (const char* usec : {"", "0", "-1", "soon", "999"}) CHECK_FALSE(watchdog(usec, "42"));
  CHECK_FALSE(ServiceManagerSettings::from({{"WATCHDOG_USEC", "30000000"}}, 42).watchdog);
  CHECK(ServiceManagerSettings::from({}, 42).socket.empty());
}
