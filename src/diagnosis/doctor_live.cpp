// The part of the doctor that talks to the server: listeners, relays, and who has the ports.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "auth/credentials.h"
#include "base/crypto.h"
#include "client/binding.h"
#include "conformance/connection.h"
#include "diagnosis/doctor.h"
#include "diagnosis/turn_path.h"
#include "net/interfaces.h"
#include "server/ice_servers.h"

namespace turnpike::diagnosis {
namespace {

namespace fs = std::filesystem;
using conformance::clock_now;
using conformance::Connection;
using conformance::Socket;
using conformance::Stop;
using server::Config;

enum class Speaks : std::uint8_t { stun, http, metrics };

/// One socket that should be there.
struct Door {
  std::string name;  ///< "udp:127.0.0.1:3478"
  Transport transport = Transport::udp;
  Endpoint endpoint;
  Speaks speaks = Speaks::stun;
  bool is_optional = false;  ///< the server starts without it
};

enum class Heard : std::uint8_t {
  answer,    ///< of the right kind
  stranger,  ///< of another kind
  silence,
  refusal,
};

// --- Who has a port ------------------------------------------------------------------------------

/// The inodes of the sockets on `port`, from a table like /proc/net/udp.
void add_inodes(const std::string& table, std::uint16_t port, std::set<std::string>& inodes) {
  std::ifstream stream{table};
  const std::string ending = fmt::format(":{:04X}", port);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words{line};
    std::vector<std::string> columns;
    for (std::string word; words >> word;) columns.push_back(word);
    if (columns.size() > 9 && columns[1].ends_with(ending)) inodes.insert(columns[9]);
  }
}

bool has_one_of(const fs::path& process, const std::set<std::string>& inodes) {
  std::error_code error;
  for (fs::directory_iterator file{process / "fd", error};
       !error && file != fs::directory_iterator{}; file.increment(error)) {
    std::error_code unreadable;
    const std::string target = fs::read_symlink(file->path(), unreadable).string();
    constexpr std::string_view prefix = "socket:[";
    if (!target.starts_with(prefix)) continue;
    if (inodes.contains(target.substr(prefix.size(), target.size() - prefix.size() - 1)))
      return true;
  }
  return false;
}

// --- What is said at a door ----------------------------------------------------------------------

std::vector<Endpoint> endpoints_of(const server::ListenAddress& address) {
  if (address.address) {
    if (address.address->needs_scope()) return {};
    if (!address.address->is_any()) return {{*address.address, address.port}};
  }
  std::vector<Endpoint> endpoints;
  constexpr std::size_t enough = 8;
  for (const IpAddress& one : net::interface_addresses()) {
    const bool is_meant = !address.address || address.address->family() == one.family();
    if (is_meant && endpoints.size() < enough) endpoints.push_back({one, address.port});
  }
  return endpoints;
}

void add_doors(const server::ListenAddress& address, Transport transport, std::string_view name,
               Speaks speaks, bool is_optional, std::vector<Door>& doors) {
  for (const Endpoint& endpoint : endpoints_of(address)) {
    doors.push_back({fmt::format("{}:{}", name, endpoint.to_string()), transport, endpoint, speaks,
                     is_optional});
  }
}

std::vector<Door> doors_of(const Config& config) {
  std::vector<Door> doors;
  const auto add_all = [&](const std::vector<server::ListenAddress>& addresses,
                           Transport transport) {
    for (const server::ListenAddress& address : addresses) {
      if (config.expects_proxy({transport, address})) continue;
      add_doors(address, transport, to_string(transport), Speaks::stun, false, doors);
    }
  };
  add_all(config.listen.udp, Transport::udp);
  add_all(config.listen.tcp, Transport::tcp);
  add_all(config.listen.tls, Transport::tls);
  add_all(config.listen.dtls, Transport::dtls);
  for (const server::ListenAddress& address : config.listen.http) {
    add_doors(address, Transport::tcp, "http", Speaks::http, false, doors);
  }
  if (config.metrics.listen) {
    add_doors(*config.metrics.listen, Transport::tcp, "metrics", Speaks::metrics,
              config.metrics.is_default, doors);
  }
  return doors;
}

std::string_view request_of(Speaks speaks) {
  return speaks == Speaks::metrics
             ? "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
             : "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
}

Heard hear_http(Connection& connection, Speaks speaks) {
  connection.send(bytes_of(request_of(speaks)));
  const auto received = connection.receive(clock_now() + seconds{2});
  if (!received) return received.error() == Stop::closed ? Heard::stranger : Heard::silence;
  const std::string_view text = text_of(received->bytes);
  if (speaks == Speaks::metrics) {
    return text.starts_with("HTTP/1.1 200") ? Heard::answer : Heard::stranger;
  }
  return text.starts_with("HTTP/1.") ? Heard::answer : Heard::stranger;
}

Heard hear_stun(Connection& connection) {
  SecureRandom random;
  stun::TransactionId id{};
  random.fill(id);
  bool heard_anything = false;
  constexpr int attempts = 3;
  for (int i = 0; i < attempts; ++i) {
    connection.send(client::binding_request(id));
    const Instant until = clock_now() + milliseconds{400};
    while (const auto received = connection.receive(until)) {
      heard_anything = true;
      if (client::parse_binding_answer(received->bytes, id)) return Heard::answer;
    }
  }
  return heard_anything ? Heard::stranger : Heard::silence;
}

/// A UDP port where nothing listens says so by ICMP.
bool is_udp_closed(const Endpoint& endpoint) {
  auto socket = Socket::udp({IpAddress::any(endpoint.family()), 0});
  if (!socket || !socket->connect(endpoint)) return true;
  socket->send(bytes_of("\0"), clock_now());
  const auto received = socket->receive(clock_now() + milliseconds{100});
  return !received && received.error() == Stop::closed;
}

Heard listen_at(const Door& door) {
  if (!is_stream(door.transport) && is_udp_closed(door.endpoint)) return Heard::refusal;
  conformance::ConnectionOptions options;
  options.transport = door.transport;
  options.server = door.endpoint;
  auto connection = Connection::open(options, clock_now() + seconds{3});
  if (!connection) {
    if (connection.error().handshake) return Heard::stranger;
    return connection.error().text.find("refused") != std::string::npos ? Heard::refusal
                                                                        : Heard::silence;
  }
  return door.speaks == Speaks::stun ? hear_stun(**connection)
                                     : hear_http(**connection, door.speaks);
}

// --- What it means -------------------------------------------------------------------------------

/// Nothing answers: could the server listen there? Empty: yes.
std::string obstacle_at(const Door& door) {
  const auto socket =
      is_stream(door.transport) ? Socket::listen(door.endpoint) : Socket::udp(door.endpoint);
  return socket ? "" : socket.error();
}

std::string owner_text(const Door& door) {
  const auto owner = owner_of_port(!is_stream(door.transport), door.endpoint.port);
  return owner ? fmt::format("{} (pid {})", owner->name, owner->pid) : "another program";
}

Finding judge_door(const Door& door, Heard heard, bool is_running) {
  const std::string check = "listener " + door.name;
  const Level bad = door.is_optional ? Level::warning : Level::problem;
  switch (heard) {
    case Heard::answer:
      return {Level::ok, check, door.speaks == Speaks::stun ? "answers STUN" : "answers HTTP", ""};
    case Heard::stranger:
      return {bad, check, owner_text(door) + " is there, and does not speak what the server would",
              "stop that program, or give the server another port"};
    case Heard::silence:
      return {bad, check, fmt::format("no answer; {} has the port", owner_text(door)),
              "stop that program, give the server another port, or open the port in this host's "
              "firewall"};
    case Heard::refusal:
      break;
  }
  if (is_running) {
    return {bad, check, "nothing listens there, although the server runs",
            "restart the server if the listener is new in its configuration; see its log"};
  }
  const std::string obstacle = obstacle_at(door);
  if (obstacle.empty()) return {Level::ok, check, "free for the server to take", ""};
  const bool is_taken = obstacle == "Address already in use";
  const bool is_foreign = obstacle == "Cannot assign requested address";
  return {bad, check,
          is_taken ? fmt::format("taken by {}", owner_text(door))
                   : fmt::format("the server could not listen there: {}", obstacle),
          is_taken     ? "stop that program, or give the server another port"
          : is_foreign ? "name addresses that `ip address` shows, or leave the address out"
                       : "ports below 1024 take CAP_NET_BIND_SERVICE: run doctor and server as the "
                         "systemd unit does, or as root"};
}

// --- The relay -----------------------------------------------------------------------------------

/// A credential that the configuration makes valid.
std::optional<conformance::User> user_of(const DoctorPlan& plan) {
  const Config::Auth& auth = plan.loaded.config.auth;
  if (!auth.secrets.empty()) {
    const std::string name = auth::time_limited_username(plan.now + seconds{600}, "doctor");
    return conformance::User{name, auth::time_limited_password(auth.secrets.front().value, name)};
  }
  if (auth.users.empty()) return std::nullopt;
  return conformance::User{auth.users.front().name, auth.users.front().password};
}

/// One door of each transport and family is enough.
std::vector<Door> relay_doors(const Config& config) {
  std::vector<Door> chosen;
  for (const Door& door : doors_of(config)) {
    if (door.speaks != Speaks::stun) continue;
    const bool is_there = std::any_of(chosen.begin(), chosen.end(), [&door](const Door& one) {
      return one.transport == door.transport && one.endpoint.family() == door.endpoint.family();
    });
    if (!is_there) chosen.push_back(door);
  }
  return chosen;
}

std::string family_name(const Endpoint& endpoint) {
  return endpoint.family() == Family::ipv4 ? "ipv4" : "ipv6";
}

Finding judge_path(const Door& door, const PathResult& result) {
  const std::string check =
      fmt::format("allocation {} {}", to_string(door.transport), family_name(door.endpoint));
  switch (result.state) {
    case PathState::ok:
      return {Level::ok, check, "made and given back", ""};
    case PathState::certificate:
      return {Level::note, check, "not tried: " + result.detail, ""};
    case PathState::credentials_refused:
      return {Level::problem, check,
              "the running server refuses a credential made with this configuration",
              "it was started with another configuration or secret: reload or restart it"};
    case PathState::no_capacity:
      return {Level::warning, check, "the server makes no more allocations: " + result.detail,
              "raise relay.max_allocations, or widen relay.ports"};
    default:
      return {Level::problem, check, result.detail.empty() ? "none" : result.detail,
              "see the server's log"};
  }
}

Finding judge_echo(const std::string& family, const RelayResult& relay) {
  const std::string check = "relay " + family;
  if (!relay.problem.empty()) {
    return {Level::problem, check, "no echo between two allocations: " + relay.problem,
            "see the server's log, and relay.addresses and public_ip"};
  }
  return {Level::ok, check,
          fmt::format("two allocations reach each other through {}", relay.relayed->to_string()),
          ""};
}

/// What comes from outside a relay. Many routers do not lead their own public address back in.
Finding judge_hairpin(const Config& config, const std::string& family, const RelayResult& relay) {
  const std::string check = "relay-ports " + family;
  const bool is_translated =
      std::find(config.public_ip.begin(), config.public_ip.end(), relay.relayed->address) !=
          config.public_ip.end() &&
      relay.relayed->address != conformance::route_to(relay.relayed->address);
  switch (relay.is_reachable) {
    case client::Trial::yes:
      return {Level::ok, check, "what is sent to the relayed address arrives", ""};
    case client::Trial::no:
      return {is_translated ? Level::note : Level::problem, check,
              fmt::format("what this host sends to {} does not arrive", relay.relayed->to_string()),
              is_translated ? "many routers do not lead their own public address back in: test it "
                              "from outside"
                            : "open the relay ports (relay.ports, UDP) in this host's firewall"};
    case client::Trial::inconclusive:
      break;
  }
  return {Level::note, check,
          "whether they are open cannot be tried from here: the server relays nothing to itself",
          ""};
}

}  // namespace

std::optional<PortOwner> owner_of_port(bool is_udp, std::uint16_t port) {
  std::set<std::string> inodes;
  for (const std::string family : {"", "6"}) {
    add_inodes(fmt::format("/proc/net/{}{}", is_udp ? "udp" : "tcp", family), port, inodes);
  }
  if (inodes.empty()) return std::nullopt;
  std::error_code error;
  for (fs::directory_iterator process{"/proc", error};
       !error && process != fs::directory_iterator{}; process.increment(error)) {
    const std::string name = process->path().filename().string();
    PortOwner owner;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), owner.pid);
    if (bad != std::errc{} || end != name.data() + name.size()) continue;
    if (!has_one_of(process->path(), inodes)) continue;
    std::ifstream comm{process->path() / "comm"};
    std::getline(comm, owner.name);
    return owner;
  }
  return std::nullopt;
}

Live check_listeners(const Config& config) {
  const std::vector<Door> doors = doors_of(config);
  std::vector<Heard> heard(doors.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < doors.size(); ++i) {
    threads.emplace_back([&doors, &heard, i] { heard[i] = listen_at(doors[i]); });
  }
  for (std::thread& thread : threads) thread.join();

  Live live;
  for (std::size_t i = 0; i < doors.size(); ++i) {
    if (heard[i] != Heard::answer) continue;
    const auto owner = owner_of_port(!is_stream(doors[i].transport), doors[i].endpoint.port);
    // Another STUN server on our port is no running Turnpike; what cannot be seen is believed.
    if (owner && owner->name != "turnpike") {
      heard[i] = Heard::stranger;
      continue;
    }
    live.is_running = true;
    if (owner) live.pid = owner->pid;
  }
  live.findings.push_back(
      live.is_running
          ? Finding{Level::ok, "server", "it is running", ""}
          : Finding{Level::warning, "server",
                    "it is not running: configuration and host are checked, relays are not",
                    "start it: systemctl start turnpike, or turnpike serve"});
  for (std::size_t i = 0; i < doors.size(); ++i) {
    live.findings.push_back(judge_door(doors[i], heard[i], live.is_running));
  }
  for (const server::ListenerName& name : config.listen.proxy_protocol) {
    live.findings.push_back({Level::note, "listener " + name.to_string(),
                             "not tried: it answers load balancers only (PROXY protocol)", ""});
  }
  return live;
}

Findings check_relay(const DoctorPlan& plan) {
  const Config& config = plan.loaded.config;
  const auto user = user_of(plan);
  if (!user) {
    return {{Level::note, "relay", "not tried: the configuration has no secret and no user", ""}};
  }
  SecureRandom random;
  const TurnTester tester{user, random};
  Findings findings;
  std::set<Family> echoed;
  for (const Door& door : relay_doors(config)) {
    const TurnPath path{door.transport, door.endpoint, config.domain, false};
    const PathResult result = try_path(path, tester);
    findings.push_back(judge_path(door, result));
    if (result.state != PathState::ok || !echoed.insert(door.endpoint.family()).second) continue;
    const RelayResult relay = try_relay(path, tester);
    const std::string family = family_name(door.endpoint);
    findings.push_back(judge_echo(family, relay));
    if (relay.relayed) findings.push_back(judge_hairpin(config, family, relay));
  }
  return findings;
}

Findings outside_view(const Config& config) {
  const std::string host = config.domain.empty()
                               ? (config.public_ip.empty() ? std::string{"ADDRESS"}
                                                           : config.public_ip.front().to_string())
                               : config.domain;
  const std::string secret =
      config.auth.secrets.empty() ? "--user NAME --password @FILE" : "--secret @FILE";
  return {{Level::note, "outside",
           "a cloud provider's firewall, a router's port forwarding and what other networks let "
           "through cannot be seen from inside",
           fmt::format("on another network run: turnpike nat-test {} {}", host, secret)}};
}

}  // namespace turnpike::diagnosis
