#include "server/sandbox/plan.h"

#include <filesystem>
#include <optional>

#include "signaling/origin.h"

namespace turnpike::server {
namespace {

constexpr std::uint16_t dns_port = 53;  // by TCP where an answer is too long for UDP
constexpr std::uint16_t http_port = 80;
constexpr std::uint16_t https_port = 443;
constexpr std::uint16_t first_unprivileged_port = 1024;

/// The directory of `path`; "." for a bare name.
std::string directory_of(const std::string& path) {
  std::string directory = std::filesystem::path{path}.parent_path().string();
  return directory.empty() ? "." : directory;
}

/// The port of "https://[user@]host[:port]/…"; nothing when it cannot be told.
std::optional<std::uint16_t> port_of(const std::string& url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string::npos) return std::nullopt;
  const std::string authority =
      url.substr(scheme_end + 3, url.find_first_of("/?#", scheme_end + 3) - scheme_end - 3);
  const auto host = signaling::parse_host(authority.substr(authority.rfind('@') + 1));
  if (!host) return std::nullopt;
  return host->port.value_or(url.starts_with("https:") ? https_port : http_port);
}

/// Those that hook and webhook want, and a resolver's. Nothing: any.
std::optional<std::vector<std::uint16_t>> ports_of_others(const Config& config) {
  std::vector<std::uint16_t> ports;
  for (const std::string* const url : {&config.auth.hook, &config.signaling.webhook}) {
    if (url->empty()) continue;
    const auto port = port_of(*url);
    if (!port) return std::nullopt;
    ports.push_back(*port);
  }
  if (!ports.empty()) ports.push_back(dns_port);
  return ports;
}

/// For names of hosts and for certificates of others: the hook's and the webhook's.
void add_what_https_reads(SandboxPlan& plan) {
  // All of /etc, for files in it are replaced by others of the same name (resolv.conf), and the
  // resolver reads a dozen of them; the libraries, for it loads what nsswitch.conf names.
  for (const char* const path :
       {"/etc", "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib",
        "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/zoneinfo"}) {
    plan.readable.emplace_back(path);
  }
  plan.readable_files.emplace_back("/etc/resolv.conf");  // often a link to /run
}

}  // namespace

SandboxPlan plan_sandbox(const Config& config, const SandboxSurroundings& around) {
  SandboxPlan plan;
  plan.readable = {"/proc", "/sys/devices/system/cpu", "/dev/urandom"};
  plan.devices = {"/dev/null"};
  plan.readable_files = around.config_files;
  if (config.tls.is_configured()) {
    plan.readable_files.push_back(config.tls.certificate);
    plan.readable_files.push_back(config.tls.key);
  }
  if (!config.web.root.empty()) plan.readable.push_back(config.web.root);
  if (!around.store_key_file.empty()) {
    plan.readable_files.push_back(around.store_key_file);
    plan.writable.push_back(directory_of(config.store.path));
  }
  if (!config.control.socket.empty()) plan.removable.push_back(directory_of(config.control.socket));

  if (!config.auth.hook.empty() || !config.signaling.webhook.empty()) add_what_https_reads(plan);
  if (!config.relay.tcp) plan.connects_to = ports_of_others(config);
  plan.abstract_sockets = around.notify_socket.starts_with('@');
  plan.low_ports = config.relay.ports.first < first_unprivileged_port;
  return plan;
}

}  // namespace turnpike::server
