// What the parts of a server are set to, from its configuration.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "server/config.h"
#include "server/listening.h"
#include "server/user_source.h"
#include "turn/limits.h"
#include "turn/peer_policy.h"
#include "turn/server.h"

namespace turnpike::server {

[[nodiscard]] turn::Limits limits_of(const Config& config);
/// `insecure_allow`: of ServeOptions.
[[nodiscard]] turn::PeerPolicy::Settings policy_settings(
    const Config& config, const std::vector<IpPrefix>& insecure_allow,
    const std::vector<Listener>& listeners, const std::vector<turn::RelayAddress>& relays);
[[nodiscard]] turn::Server::Settings server_settings(const Config& config,
                                                     const std::vector<Listener>& listeners,
                                                     Random& random);
[[nodiscard]] UserSource::Settings user_source_settings(const Config& config, Random& random);
/// What decides where the store's key is.
[[nodiscard]] std::map<std::string, std::string> store_environment();

/// Those who join a room are handed credentials, so there must be a secret to make them with. One
/// that nobody has configured is made anew at each start.
[[nodiscard]] Config with_secret_for_rooms(Config config);
/// A secret that was made at the start stays, where the configuration still has none.
[[nodiscard]] Config with_secrets_of(const Config& start, Config config);

}  // namespace turnpike::server
