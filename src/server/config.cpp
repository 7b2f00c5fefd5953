#include "server/config.h"

namespace turnpike::server {

std::string ListenAddress::to_string() const {
  if (!address) return ":" + std::to_string(port);
  return Endpoint{*address, port}.to_string();
}

std::string DiscoveryAddress::to_string() const {
  if (bind == advertised) return bind.to_string();
  return bind.to_string() + "/" + advertised.to_string();
}

std::string Config::effective_realm() const {
  if (!realm.empty()) return realm;
  return domain.empty() ? "turnpike" : domain;
}

bool Config::has_credentials() const { return !auth.secrets.empty() || !auth.users.empty(); }

}  // namespace turnpike::server
