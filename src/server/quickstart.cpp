#include "server/quickstart.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/crypto.h"
#include "base/hexadecimal.h"
#include "server/config_schema.h"
#include "server/ice_servers.h"

namespace turnpike::server {
namespace {

constexpr std::uint16_t stun_port = 3478;
constexpr seconds banner_lifetime{86'400};

std::string system_message(int error) { return std::generic_category().message(error); }

/// The value of a variable that is set and not empty.
std::optional<std::string> value_of(const std::map<std::string, std::string>& environment,
                                    const std::string& name) {
  const auto variable = environment.find(name);
  if (variable == environment.end() || variable->second.empty()) return std::nullopt;
  return variable->second;
}

std::string random_hex(std::size_t byte_count) {
  std::vector<std::uint8_t> bytes(byte_count);
  SecureRandom random;
  random.fill(bytes);
  return hex_of(bytes);
}

/// Writes all of `text` and makes sure it is on the disk. The error number, 0: none.
int write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(file) == 0 ? 0 : errno;
}

/// Creates `path` with mode 0600 and `text` in it; EEXIST when it is there already. A file that
/// could not be written whole is removed again: half a secret must not be taken for one later.
int create_private_file(const std::string& path, std::string_view text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return errno;
  const int error = write_all(file, text);
  ::close(file);
  if (error != 0) ::unlink(path.c_str());
  return error;
}

/// Makes `path` and its parents; the last one for the owner only.
std::error_code create_private_directory(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::is_directory(path, error)) return {};
  const fs::path parent = fs::path{path}.parent_path();
  if (!parent.empty()) fs::create_directories(parent, error);
  if (error) return error;
  fs::create_directory(path, error);
  if (!error) fs::permissions(path, fs::perms::owner_all, error);
  return error;
}

/// `listener` as a client on this host reaches it.
ServerAddress reachable(const ConfiguredListener& listener) {
  const auto& address = listener.address.address;
  const bool is_bound = address && !address->is_any();
  const bool is_ipv6 = address && address->family() == Family::ipv6;
  return {is_bound  ? address->to_string()
          : is_ipv6 ? "::1"
                    : "127.0.0.1",
          listener.address.port, listener.transport};
}

/// Lines that try out the first UDP server with other programs; none without one.
std::string lines_to_try(const IceServers& ice) {
  const auto is_udp = [](const ServerAddress& server) {
    return server.transport == Transport::udp;
  };
  const auto udp = std::find_if(ice.servers.begin(), ice.servers.end(), is_udp);
  if (udp == ice.servers.end()) return {};
  // -s, Send indications: the tool draws its channels from RFC 5766's range, three quarters of
  // which RFC 8656 §12 has us refuse.
  return fmt::format(
      "Try it:\n"
      "  turnpike stun {}\n"
      "  turnutils_uclient -y -s -u '{}' -w '{}' -p {} {}\n"
      "\n",
      udp->to_string(), ice.username, ice.credential, udp->port, udp->host);
}

/// Where the call page is; nothing without a TCP listener.
std::string page_to_open(const IceServers& ice) {
  const auto tcp = std::find_if(ice.servers.begin(), ice.servers.end(), [](const auto& server) {
    return server.transport == Transport::tcp;
  });
  if (tcp == ice.servers.end()) return {};
  return fmt::format(
      "Open http://{}/ in two windows of a browser on this machine: that is a call.\n"
      "What this network lets through: http://{}/nat\n"
      "\n",
      tcp->to_string(), tcp->to_string());
}

}  // namespace

std::string state_directory(const std::map<std::string, std::string>& environment, bool is_root) {
  if (const auto directories = value_of(environment, "STATE_DIRECTORY")) {
    return directories->substr(0, directories->find(':'));  // systemd separates several by colons
  }
  if (is_root) return "/var/lib/turnpike";
  if (const auto state_home = value_of(environment, "XDG_STATE_HOME"))
    return *state_home + "/turnpike";
  if (const auto home = value_of(environment, "HOME")) return *home + "/.local/state/turnpike";
  return {};
}

bool has_ipv6_loopback() {
  const int probe = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool bound =
      ::bind(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(probe);
  return bound;
}

Config quickstart_listeners(bool with_ipv6) {
  Config config;
  config.listen.udp = {ListenAddress{IpAddress::parse("127.0.0.1"), stun_port}};
  if (with_ipv6) config.listen.udp.push_back(ListenAddress{IpAddress::parse("::1"), stun_port});
  config.listen.tcp = config.listen.udp;
  return config;
}

Result<std::string, std::string> quickstart_secret(const std::string& state_dir) {
  const auto failed = [](std::string_view what, std::string_view why) {
    return Failure{
        fmt::format("{}: {}; set STATE_DIRECTORY to a directory that can be written, or write a "
                    "configuration and name it with --config",
                    what, why)};
  };
  if (state_dir.empty())
    return failed("the quickstart's secret", "there is no directory to keep it in");
  if (const auto error = create_private_directory(state_dir))
    return failed(state_dir, error.message());

  const std::string path = quickstart_secret_file(state_dir);
  const int error = create_private_file(path, random_hex(32) + "\n");
  if (error != 0 && error != EEXIST) return failed(path, system_message(error));
  auto secret = read_secret_file(path);
  if (secret) secret = check_secret(std::move(*secret));
  if (secret) return std::move(*secret);
  return Failure{fmt::format("{}: {}; {}, or remove the file to get a new one", path,
                             secret.error().problem, secret.error().remedy)};
}

std::string quickstart_secret_file(const std::string& state_dir) {
  return state_dir + "/quickstart.secret";
}

std::string quickstart_socket(const std::string& state_dir) { return state_dir + "/control.sock"; }

Result<Config, std::string> quickstart_config(const std::string& state_dir) {
  auto secret = quickstart_secret(state_dir);
  if (!secret) return Failure{std::move(secret.error())};
  Config config = quickstart_listeners(has_ipv6_loopback());
  config.auth.secrets.push_back({"quickstart", std::move(*secret)});
  config.control.socket = quickstart_socket(state_dir);
  return config;
}

std::string quickstart_banner(const Config& config, WallTime now) {
  std::vector<ServerAddress> servers;
  std::string listeners;
  for (const ConfiguredListener& listener : listeners_of(config.listen)) {
    servers.push_back(reachable(listener));
    listeners +=
        fmt::format("  {}  {}\n", to_string(listener.transport), servers.back().to_string());
  }
  const auto ice = mint_ice_servers(servers, config.auth.secrets.front().value, "quickstart",
                                    now + banner_lifetime);
  return fmt::format(
      "turnpike is running with its quickstart configuration (no configuration file was found).\n"
      "\n"
      "Listening on:\n"
      "{}"
      "\n"
      "{}"
      "Paste this into a page on this machine:\n"
      "\n"
      "{}\n"
      "\n"
      "{}"
      "Relaying to loopback and private addresses is refused unless it is configured.\n"
      "Stop it with Ctrl-C.\n",
      listeners, page_to_open(ice), to_javascript(ice), lines_to_try(ice));
}

}  // namespace turnpike::server
