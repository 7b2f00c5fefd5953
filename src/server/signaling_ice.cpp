#include "server/signaling_ice.h"

#include "auth/credentials.h"
#include "signaling/origin.h"

namespace turnpike::server {
namespace {

/// The name or address in a Host header, as URLs of TURN spell it; empty when there is none.
std::string name_in(std::string_view host_header) {
  const auto host = signaling::parse_host(host_header);
  if (!host) return {};
  const std::string& name = host->name;
  return name.starts_with('[') ? name.substr(1, name.size() - 2) : name;
}

}  // namespace

SignalingIce::SignalingIce(const Config& config)
    : config_(config),
      servers_(servers_of(config)),
      secret_(config.auth.secrets.empty() ? "" : config.auth.secrets.front().value) {}

signaling::IceServers SignalingIce::ice_servers(const signaling::IceRequest& request,
                                                WallTime now_wall) {
  std::vector<ServerAddress> servers = servers_;
  if (servers.empty()) servers = servers_at(name_in(request.host), config_.listen);
  const std::string user = request.room.empty()
                               ? std::string{request.peer}
                               : auth::room_member_account(request.peer, request.room);
  const IceServers minted =
      mint_ice_servers(std::move(servers), secret_, user, now_wall + request.ttl);
  signaling::IceServers ice{{}, minted.expires_at};
  if (auto urls = minted.stun_urls(); !urls.empty())
    ice.servers.push_back({std::move(urls), "", ""});
  if (auto urls = minted.turn_urls(); !urls.empty()) {
    ice.servers.push_back({std::move(urls), minted.username, minted.credential});
  }
  return ice;
}

}  // namespace turnpike::server
