// `turnpike doctor`: a configured server and its host, looked at from this host. Each function is
// one group of checks; run_doctor() runs them all.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/time.h"
#include "diagnosis/finding.h"
#include "server/config.h"
#include "server/config_load.h"

namespace turnpike::diagnosis {

struct DoctorPlan {
  server::LoadedConfig loaded;
  std::string origin;  ///< of the configuration: a file's name, "quickstart", "environment"
  WallTime now;
};

/// Takes a few seconds. Sends to this host's own addresses, to `public_ip`, and asks for `domain`
/// in DNS.
[[nodiscard]] Findings run_doctor(const DoctorPlan& plan);

// --- Configuration (doctor_config.cpp) ---

/// Warnings of the configuration, and how strong the secrets are.
[[nodiscard]] Findings check_configuration(const DoctorPlan& plan);
/// Chain, key, dates and name. Nothing without a certificate.
[[nodiscard]] Findings check_certificate(const server::Config& config, WallTime now);
/// `public_ip` and `domain` against the addresses that this host has.
[[nodiscard]] Findings check_addresses(const server::Config& config,
                                       const std::vector<IpAddress>& interfaces);
/// The addresses of relays are this host's, so that sockets can be bound to them.
[[nodiscard]] Findings check_relay_addresses(const server::Config& config);

// --- The host (doctor_host.cpp). Texts are of files in /proc. ---

/// `limits` is /proc/PID/limits of the server, or of this process: `is_of_server` says which.
[[nodiscard]] Findings check_open_files(const server::Config& config, std::string_view limits,
                                        bool is_of_server);
[[nodiscard]] Findings check_socket_buffers(std::string_view rmem_max, std::string_view wmem_max);
/// Empty texts: the kernel tracks no connections.
[[nodiscard]] Findings check_conntrack(const server::Config& config, std::string_view count,
                                       std::string_view max);
[[nodiscard]] Findings check_local_ports(const server::Config& config, std::string_view range,
                                         std::string_view reserved);
/// What adjtimex says, and whether the time can be right at all.
[[nodiscard]] Findings check_clock(WallTime now, std::optional<WallTime> newest_file,
                                   bool is_synchronised);
/// `ruleset` is what `nft -j list ruleset` prints; nothing: it could not be asked.
[[nodiscard]] Findings check_firewall(const server::Config& config,
                                      const std::optional<std::string>& ruleset);
/// All of them, on this host.
[[nodiscard]] Findings check_host(const DoctorPlan& plan, std::optional<int> server_pid);

// --- The running server (doctor_live.cpp) ---

struct Live {
  Findings findings;
  bool is_running = false;
  std::optional<int> pid;  ///< of the server, where that can be seen
};
/// Every listener: does it answer, as what it should?
[[nodiscard]] Live check_listeners(const server::Config& config);
/// An allocation over each transport with a credential of the configuration, and an echo.
/// Precondition: the server runs.
[[nodiscard]] Findings check_relay(const DoctorPlan& plan);
/// What to run elsewhere, for what cannot be seen from here.
[[nodiscard]] Findings outside_view(const server::Config& config);

/// The process that has a socket on `port`: "coturn (pid 17)". Nothing when there is none, or when
/// it may not be seen.
struct PortOwner {
  int pid = 0;
  std::string name;
};
[[nodiscard]] std::optional<PortOwner> owner_of_port(bool is_udp, std::uint16_t port);

}  // namespace turnpike::diagnosis
