#include "server/config.h"

#include <algorithm>
#include <filesystem>

namespace turnpike::server {

std::string ListenAddress::to_string() const {
  if (!address) return ":" + std::to_string(port);
  if (!interface.empty()) {
    return "[" + address->to_string() + "%" + interface + "]:" + std::to_string(port);
  }
  return Endpoint{*address, port}.to_string();
}

std::string DiscoveryAddress::to_string() const {
  if (bind == advertised) return bind.to_string();
  return bind.to_string() + "/" + advertised.to_string();
}

std::string ListenerName::to_string() const {
  return std::string{turnpike::to_string(transport)} + ":" + address.to_string();
}

std::vector<ListenerName> Config::listener_names() const {
  std::vector<ListenerName> names;
  const auto add = [&](Transport transport, const std::vector<ListenAddress>& addresses) {
    for (const ListenAddress& address : addresses) names.push_back({transport, address});
  };
  add(Transport::udp, listen.udp);
  add(Transport::tcp, listen.tcp);
  add(Transport::tls, listen.tls);
  return names;
}

bool Config::expects_proxy(const ListenerName& listener) const {
  const auto& all = listen.proxy_protocol;
  return std::find(all.begin(), all.end(), listener) != all.end();
}

bool Config::Store::may_have_credentials() const {
  std::error_code error;
  return !path.empty() && (!is_default || std::filesystem::exists(path, error));
}

std::string Config::effective_realm() const {
  if (!realm.empty()) return realm;
  return domain.empty() ? "turnpike" : domain;
}

bool Config::is_for_this_host_alone() const {
  const auto is_local = [](const ListenAddress& listener) {
    return listener.address && listener.address->is_loopback();
  };
  const auto all_local = [&](const std::vector<ListenAddress>& listeners) {
    return std::all_of(listeners.begin(), listeners.end(), is_local);
  };
  return all_local(listen.udp) && all_local(listen.tcp) && all_local(listen.tls) &&
         all_local(listen.dtls) && all_local(listen.http);
}

signaling::JoinAuth Config::effective_join_auth() const {
  if (signaling.auth) return *signaling.auth;
  return is_for_this_host_alone() ? signaling::JoinAuth::open : signaling::JoinAuth::token;
}

bool Config::has_door(DoorName door) const {
  const auto& doors = signaling.doors;
  return std::find(doors.begin(), doors.end(), door) != doors.end();
}

bool Config::has_credentials() const { return !auth.secrets.empty() || !auth.users.empty(); }

}  // namespace turnpike::server
