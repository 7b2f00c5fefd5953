#include "server/ice_servers.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "auth/credentials.h"

namespace turnpike::server {
namespace {

using Json = nlohmann::ordered_json;

Json ice_servers_array(const IceServers& ice) {
  Json array = Json::array({Json{
      {"urls", ice.turn_urls()}, {"username", ice.username}, {"credential", ice.credential}}});
  // A browser throws on a server without URLs.
  if (const auto urls = ice.stun_urls(); !urls.empty()) array.push_back(Json{{"urls", urls}});
  return array;
}

/// Whatever was typed as a user name becomes valid JSON.
std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

void add_once(std::vector<ServerAddress>& servers, ServerAddress server) {
  if (std::find(servers.begin(), servers.end(), server) == servers.end())
    servers.push_back(std::move(server));
}

bool is_loopback(const ConfiguredListener& listener) {
  return listener.address.address && listener.address.address->is_loopback();
}

/// The names and addresses by which clients reach `listener`.
std::vector<std::string> hosts_of(const ConfiguredListener& listener, const Config& config) {
  if (!config.domain.empty()) return {config.domain};
  const auto& bound = listener.address.address;
  std::vector<std::string> hosts;
  if (bound && bound->needs_scope()) return hosts;     // browsers take no interface in a URL
  for (const IpAddress& address : config.public_ip) {  // a NAT in front has nothing on loopback
    if (!bound || (!bound->is_loopback() && bound->family() == address.family()))
      hosts.push_back(address.to_string());
  }
  if (hosts.empty() && bound && !bound->is_any()) hosts.push_back(bound->to_string());
  return hosts;
}

std::string turn_url(const ServerAddress& server) {
  const bool is_tls = server.transport == Transport::tls;
  const bool is_udp = server.transport == Transport::udp;
  return fmt::format("{}:{}?transport={}", is_tls ? "turns" : "turn", server.to_string(),
                     is_udp ? "udp" : "tcp");
}

}  // namespace

std::string ServerAddress::to_string() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::vector<ConfiguredListener> listeners_of(const Config::Listen& listen) {
  std::vector<ConfiguredListener> listeners;
  for (const ListenAddress& address : listen.udp) listeners.push_back({address, Transport::udp});
  for (const ListenAddress& address : listen.tcp) listeners.push_back({address, Transport::tcp});
  for (const ListenAddress& address : listen.tls) listeners.push_back({address, Transport::tls});
  return listeners;
}

std::vector<ServerAddress> servers_of(const Config& config) {
  const auto listeners = listeners_of(config.listen);
  const bool all_loopback = std::all_of(listeners.begin(), listeners.end(), is_loopback);
  std::vector<ServerAddress> servers;
  for (const ConfiguredListener& listener : listeners) {
    if (is_loopback(listener) && !all_loopback) continue;
    for (const std::string& host : hosts_of(listener, config))
      add_once(servers, {host, listener.address.port, listener.transport});
  }
  return servers;
}

std::vector<ServerAddress> servers_at(const std::string& host, const Config::Listen& listen) {
  Config config;
  config.domain = host;
  config.listen = listen;
  return servers_of(config);
}

std::vector<std::string> IceServers::turn_urls() const {
  std::vector<std::string> urls;
  for (const ServerAddress& server : servers) urls.push_back(turn_url(server));
  return urls;
}

std::vector<std::string> IceServers::stun_urls() const {
  std::vector<std::string> urls;
  for (const ServerAddress& server : servers) {
    if (server.transport == Transport::udp) urls.push_back("stun:" + server.to_string());
  }
  return urls;
}

IceServers mint_ice_servers(std::vector<ServerAddress> servers, std::string_view secret,
                            std::string_view user, WallTime expires_at) {
  std::string username = auth::time_limited_username(expires_at, user);
  std::string credential = auth::time_limited_password(secret, username);
  return {std::move(servers), std::move(username), std::move(credential), expires_at};
}

std::string to_json(const IceServers& ice, int indent) {
  return dump(Json{{"iceServers", ice_servers_array(ice)}, {"expiresAt", rfc3339(ice.expires_at)}},
              indent);
}

std::string to_javascript(const IceServers& ice) {
  return fmt::format("// valid until {}\nconst pc = new RTCPeerConnection({});",
                     rfc3339(ice.expires_at),
                     dump(Json{{"iceServers", ice_servers_array(ice)}}, 2));
}

std::string rfc3339(WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                     fmt::gmtime(static_cast<std::time_t>(time.time_since_epoch().count())));
}

}  // namespace turnpike::server
