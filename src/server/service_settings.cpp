#include "server/service_settings.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/crypto.h"
#include "net/interfaces.h"
#include "server/credentials.h"

namespace turnpike::server {
namespace {

/// One connection has what one user has, and a member of a full room has one with each other.
std::uint32_t max_allocations_per_member(const Config& config) {
  const std::uint64_t connections = config.signaling.max_peers - 1;
  const std::uint64_t allocations = connections * config.relay.max_allocations_per_user;
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(allocations, UINT32_MAX));
}

}  // namespace

turn::Limits limits_of(const Config& config) {
  turn::Limits limits;
  limits.max_lifetime = config.relay.max_lifetime;
  limits.max_allocations = config.relay.max_allocations;
  limits.max_allocations_per_user = config.relay.max_allocations_per_user;
  limits.max_allocations_per_member = max_allocations_per_member(config);
  limits.max_allocations_per_network = config.relay.max_allocations_per_network;
  limits.max_permissions = config.relay.max_permissions_per_allocation;
  limits.max_channels = config.relay.max_channels_per_allocation;
  limits.new_peers_per_second = config.relay.new_peers_per_second;
  limits.bandwidth_per_allocation = config.relay.bandwidth_per_allocation;
  limits.bandwidth_per_user = config.relay.bandwidth_per_user;
  limits.bandwidth_total = config.relay.bandwidth_total;
  limits.challenge_rate = config.limits.challenge_rate;
  return limits;
}

turn::PeerPolicy::Settings policy_settings(const Config& config,
                                           const std::vector<IpPrefix>& insecure_allow,
                                           const std::vector<Listener>& listeners,
                                           const std::vector<turn::RelayAddress>& relays) {
  turn::PeerPolicy::Settings settings;
  settings.allow = config.relay.allow_peers;
  settings.deny = config.relay.deny_peers;
  settings.peer_ports = config.relay.peer_ports;
  settings.insecure_allow = insecure_allow;
  for (const Listener& listener : listeners) {
    settings.own_listeners.push_back(listener.endpoint);
    for (const IpAddress& public_ip : config.public_ip) {  // the same port seen through 1:1 NAT
      if (!listener.endpoint.address.is_loopback()) {
        settings.own_listeners.push_back({public_ip, listener.endpoint.port});
      }
    }
  }
  for (const DiscoveryAddress& address : config.nat_discovery.addresses) {
    settings.own_listeners.push_back({address.advertised, config.nat_discovery.ports.at(0)});
    settings.own_listeners.push_back({address.advertised, config.nat_discovery.ports.at(1)});
  }
  settings.own_addresses = net::interface_addresses();
  for (const DiscoveryAddress& address : config.nat_discovery.addresses) {
    settings.own_addresses.push_back(address.advertised);
  }
  for (const auto& relay : relays) {
    settings.own_addresses.push_back(relay.bind);
    settings.own_addresses.push_back(relay.advertised);
  }
  settings.own_addresses.insert(settings.own_addresses.end(), config.public_ip.begin(),
                                config.public_ip.end());
  return settings;
}

turn::Server::Settings server_settings(const Config& config, const std::vector<Listener>& listeners,
                                       Random& random) {
  turn::Server::Settings settings;
  settings.limits = limits_of(config);
  settings.strict_expiry = config.auth.strict_expiry;
  settings.tcp_relays = config.relay.tcp;
  settings.address_family = config.relay.address_family == AddressFamilyPolicy::strict
                                ? turn::AddressFamilyRule::strict
                                : turn::AddressFamilyRule::follow_client;
  settings.alternates = {config.relay.alternate_servers, config.relay.alternate_tls_servers,
                         config.relay.alternate_domain};
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if (const auto square = discovery_square(config, listeners, family)) {
      settings.nat_discovery.push_back(*square);
    }
  }
  settings.authentication.nonce_lifetime = config.auth.nonce_lifetime;
  settings.authentication.max_failures_per_minute = config.auth.max_failures_per_minute;
  settings.authentication.hash_seed = HashSeed{random.next_u64()};
  random.fill(settings.authentication.nonce_key);
  if (config.relay.mobility) random.fill(settings.ticket_key.emplace());
  return settings;
}

UserSource::Settings user_source_settings(const Config& config, Random& random) {
  UserSource::Settings settings;
  settings.realm = config.effective_realm();
  settings.has_hook = !config.auth.hook.empty();
  settings.hook.url = config.auth.hook;
  settings.hook.secret = config.auth.hook_secret;
  settings.hook.timeout = config.auth.hook_timeout;
  settings.cache.ttl = config.auth.hook_ttl;
  settings.cache.negative_ttl = std::min(settings.cache.negative_ttl, config.auth.hook_ttl);
  settings.cache.hash_seed = HashSeed{random.next_u64()};
  return settings;
}

std::map<std::string, std::string> store_environment() {
  const char* const directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr) return {};
  return {{"CREDENTIALS_DIRECTORY", directory}};
}

Config with_secret_for_rooms(Config config) {
  if (!config.signaling.enabled || !config.auth.secrets.empty()) return config;
  constexpr std::size_t secret_bytes = 32;
  std::array<std::uint8_t, secret_bytes> bytes{};
  SecureRandom random;
  random.fill(bytes);
  config.auth.secrets.push_back({std::string{makeshift_secret_id}, base64_encode(bytes)});
  return config;
}

Config with_secrets_of(const Config& start, Config config) {
  const bool has_makeshift =
      !start.auth.secrets.empty() && start.auth.secrets.front().id == makeshift_secret_id;
  if (has_makeshift && config.auth.secrets.empty()) config.auth.secrets = start.auth.secrets;
  return config;
}

}  // namespace turnpike::server
