#include "server/reload.h"

#include <algorithm>
#include <string_view>

#include "server/config_schema.h"
#include "server/config_value.h"

namespace turnpike::server {
namespace {

/// A key that a running server takes up.
struct LiveKey {
  std::string_view path;
  bool (*differs)(const Config&, const Config&);
  void (*copy)(Config& to, const Config& from);
};

template <auto Section, auto Key>
constexpr LiveKey live(std::string_view path) {
  return {path,
          [](const Config& a, const Config& b) { return !(a.*Section.*Key == b.*Section.*Key); },
          [](Config& to, const Config& from) { to.*Section.*Key = from.*Section.*Key; }};
}

constexpr LiveKey live_keys[]{
    live<&Config::tls, &Config::Tls::certificate>("tls.certificate"),
    live<&Config::tls, &Config::Tls::key>("tls.key"),
    live<&Config::relay, &Config::Relay::allow_peers>("relay.allow_peers"),
    live<&Config::relay, &Config::Relay::deny_peers>("relay.deny_peers"),
    live<&Config::relay, &Config::Relay::peer_ports>("relay.peer_ports"),
    live<&Config::relay, &Config::Relay::max_allocations>("relay.max_allocations"),
    live<&Config::relay, &Config::Relay::max_allocations_per_user>(
        "relay.max_allocations_per_user"),
    live<&Config::relay, &Config::Relay::max_lifetime>("relay.max_lifetime"),
    live<&Config::auth, &Config::Auth::secrets>("auth.secrets"),
    live<&Config::auth, &Config::Auth::users>("auth.users"),
    live<&Config::auth, &Config::Auth::api_keys>("auth.api_keys"),
    live<&Config::auth, &Config::Auth::algorithms>("auth.algorithms"),
    live<&Config::log, &Config::Log::level>("log.level"),
};

/// Secrets are shown hidden, so they are compared by themselves.
bool is_same(const ConfigKey& key, const Config& a, const Config& b) {
  if (key.path == "auth.hook_secret") return a.auth.hook_secret == b.auth.hook_secret;
  if (key.path == "signaling.webhook_secret") {
    return a.signaling.webhook_secret == b.signaling.webhook_secret;
  }
  return to_toml(key.show(a)) == to_toml(key.show(b));
}

}  // namespace

ReloadPlan plan_reload(const Config& running, const Config& wanted) {
  ReloadPlan plan{running, {}, {}};
  for (const ConfigKey& key : config_keys()) {
    const auto* const found = std::find_if(std::begin(live_keys), std::end(live_keys),
                                           [&](const LiveKey& l) { return l.path == key.path; });
    if (found == std::end(live_keys)) {
      if (!is_same(key, running, wanted)) plan.needs_restart.emplace_back(key.path);
    } else if (found->differs(running, wanted)) {
      found->copy(plan.config, wanted);
      plan.changed.emplace_back(key.path);
    }
  }
  return plan;
}

}  // namespace turnpike::server
