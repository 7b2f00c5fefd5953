// What systemd is told about the service: sd_notify(3), which is a datagram to a Unix socket.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"

namespace turnpike::server {

/// Who started the service, as far as it wants to hear from it.
struct ServiceManagerSettings {
  std::string socket;                      ///< $NOTIFY_SOCKET; empty: nobody listens
  std::optional<milliseconds> watchdog{};  ///< how long it waits for a sign of life

  /// From $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID, where `pid` is this process.
  [[nodiscard]] static ServiceManagerSettings from(
      const std::map<std::string, std::string>& environment, std::int64_t pid);
};

/// Tells the service manager. Without one, nothing happens; what it does not take is lost, for
/// there is nobody else to tell.
class ServiceManager {
 public:
  explicit ServiceManager(const ServiceManagerSettings& settings);
  ~ServiceManager();
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  /// The service serves. `status` is one line for `systemctl status`.
  void ready(std::string_view status) const;
  /// The configuration is being read again, since `now`; ready() ends it.
  void reloading(Instant now) const;
  /// It has begun to stop.
  void stopping(std::string_view status) const;
  /// It is alive.
  void alive() const;

 private:
  void send(const std::string& lines) const;

  std::string address_;  ///< as it stands in sockaddr_un::sun_path
  int socket_ = -1;
};

}  // namespace turnpike::server
