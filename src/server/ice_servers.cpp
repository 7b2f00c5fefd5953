#include "server/ice_servers.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "auth/credentials.h"

namespace turnpike::server {
namespace {

using Json = nlohmann::ordered_json;

Json ice_servers_array(const IceServers& ice) {
  return Json::array({
      Json{{"urls", ice.turn_urls()}, {"username", ice.username}, {"credential", ice.credential}},
      Json{{"urls", ice.stun_urls()}},
  });
}

/// Whatever was typed as a user name becomes valid JSON.
std::string dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string ServerAddress::to_string() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::vector<std::string> IceServers::turn_urls() const {
  std::vector<std::string> urls;
  for (const ServerAddress& server : servers)
    urls.push_back("turn:" + server.to_string() + "?transport=udp");
  return urls;
}

std::vector<std::string> IceServers::stun_urls() const {
  std::vector<std::string> urls;
  for (const ServerAddress& server : servers) urls.push_back("stun:" + server.to_string());
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
