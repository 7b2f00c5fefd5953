// Where the join reply gets its iceServers: credentials are made elsewhere and handed in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace turnpike::signaling {

/// One entry of RTCConfiguration.iceServers. Without a username it is for STUN.
struct IceServer {
  std::vector<std::string> urls;
  std::string username;
  std::string credential;
};

/// For whom credentials are made. The views live during the call. Without a room they are for a
/// program that asked for them over REST: `peer` is then the user it named, and may be empty.
struct IceRequest {
  std::string_view peer;
  std::string_view room;
  std::string_view host;  ///< ClientInfo::host
  seconds ttl;
};

/// What a browser is handed, and until when its credentials serve.
struct IceServers {
  std::vector<IceServer> servers;
  WallTime expires_at;
};

/// Makes iceServers. The username is to name peer and room ("1795219200:p_7Qk2@demo"), so that an
/// allocation tells whose it is.
class IceSource {
 public:
  virtual ~IceSource() = default;
  [[nodiscard]] virtual IceServers ice_servers(const IceRequest& request, WallTime now_wall) = 0;

 protected:
  IceSource() = default;
  IceSource(const IceSource&) = default;
  IceSource& operator=(const IceSource&) = default;
};

}  // namespace turnpike::signaling
