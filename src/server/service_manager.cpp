#include "server/service_manager.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace turnpike::server {
namespace {

std::string value_of(const std::map<std::string, std::string>& environment, const char* name) {
  const auto variable = environment.find(name);
  return variable == environment.end() ? std::string{} : variable->second;
}

std::optional<std::int64_t> number_of(const std::string& text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (text.empty() || result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return number;
}

/// One line: a name or a message must not begin a second field.
std::string one_line(std::string_view text) {
  std::string line{text};
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

}  // namespace

ServiceManagerSettings ServiceManagerSettings::from(
    const std::map<std::string, std::string>& environment, std::int64_t pid) {
  ServiceManagerSettings settings;
  settings.socket = value_of(environment, "NOTIFY_SOCKET");
  const std::string watched = value_of(environment, "WATCHDOG_PID");
  const auto microseconds = number_of(value_of(environment, "WATCHDOG_USEC"));
  const bool is_meant = watched.empty() || number_of(watched) == pid;
  if (!settings.socket.empty() && is_meant && microseconds && *microseconds >= 1000) {
    settings.watchdog = milliseconds{*microseconds / 1000};
  }
  return settings;
}

ServiceManager::ServiceManager(const ServiceManagerSettings& settings) : address_(settings.socket) {
  const bool is_usable = address_.size() > 1 && address_.size() < sizeof(sockaddr_un::sun_path) &&
                         (address_.front() == '/' || address_.front() == '@');
  if (!is_usable) return;
  if (address_.front() == '@') address_.front() = '\0';  // the abstract namespace
  socket_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

ServiceManager::~ServiceManager() {
  if (socket_ >= 0) ::close(socket_);
}

void ServiceManager::ready(std::string_view status) const {
  send(fmt::format("READY=1\nSTATUS={}", one_line(status)));
}

void ServiceManager::reloading(Instant now) const {
  const auto since_boot =
      std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=Reading the configuration again",
                   since_boot.count()));
}

void ServiceManager::stopping(std::string_view status) const {
  send(fmt::format("STOPPING=1\nSTATUS={}", one_line(status)));
}

void ServiceManager::alive() const { send("WATCHDOG=1"); }

void ServiceManager::send(const std::string& lines) const {
  if (socket_ < 0) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  static_cast<void>(::sendto(socket_, lines.data(), lines.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&to), size));
}

}  // namespace turnpike::server
