// TURN credentials for those who join a room, for this very server.
#pragma once

#include <string>
#include <vector>

#include "server/config.h"
#include "server/ice_servers.h"
#include "signaling/ice.h"

namespace turnpike::server {

/// Mints time-limited credentials ("1795219200:p_7Qk2@demo") with the secret that signs.
class SignalingIce final : public signaling::IceSource {
 public:
  /// `config` must have a secret, and outlive this.
  explicit SignalingIce(const Config& config);

  /// From now on `secret` signs.
  void use_secret(std::string secret) { secret_ = std::move(secret); }

  /// The URLs are those of the configuration. Where it does not tell by which name clients come
  /// (":3478" without a domain or public_ip), the host of the request is that name.
  [[nodiscard]] signaling::IceServers ice_servers(const signaling::IceRequest& request,
                                                  WallTime now_wall) override;

 private:
  const Config& config_;
  const std::vector<ServerAddress> servers_;
  std::string secret_;
};

}  // namespace turnpike::server
