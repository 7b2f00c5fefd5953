#include "server/config_load.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "server/config_sources.h"

namespace turnpike::server {
namespace {

/// The place where each key got its value; keys that nobody set are missing.
using Places = std::map<std::string, Place, std::less<>>;

void apply(const std::vector<Assignment>& assignments, Config& config, Places& places,
           std::vector<ConfigError>& errors) {
  for (const Assignment& assignment : assignments) {
    KeyProblems problems{assignment.key->path, assignment.key->example, errors};
    assignment.key->apply(config, assignment.value, problems);
    places.insert_or_assign(std::string{assignment.key->path}, assignment.value.place);
  }
}

/// Appends the files that tables of `assignments` name: `secrets = [{ id = …, file = … }]`.
void note_files(const std::vector<Assignment>& assignments, std::vector<std::string>& files) {
  for (const Assignment& assignment : assignments) {
    if (assignment.value.list() == nullptr) continue;
    for (const ConfigValue& entry : *assignment.value.list()) {
      if (entry.table() == nullptr) continue;
      for (const ConfigMember& member : *entry.table()) {
        if (member.key != "file" || member.value.text() == nullptr) continue;
        files.push_back(resolved_path(*member.value.text(), member.value.place));
      }
    }
  }
}

/// The same for the variables that name one: TURNPIKE__AUTH__HOOK_SECRET_FILE.
void note_files(const std::map<std::string, std::string>& environment,
                std::vector<std::string>& files) {
  for (const auto& [name, text] : environment) {
    if (name.starts_with("TURNPIKE__") && name.ends_with("_FILE")) files.push_back(text);
  }
}

/// The place of whichever of two keys somebody wrote: where to point when they do not go together.
std::pair<std::string, Place> blamed(const Places& places, const std::string& first,
                                     const std::string& second) {
  for (const std::string& key : {first, second}) {
    if (const auto place = places.find(key); place != places.end()) return *place;
  }
  return {first, Place{}};
}

void check_relay_ports(const Config& config, const Places& places,
                       std::vector<ConfigError>& errors) {
  const auto check = [&](const char* listen_key, const std::vector<ListenAddress>& listeners) {
    for (const ListenAddress& listener : listeners) {
      if (!config.relay.ports.contains(listener.port)) continue;
      const auto [key, place] = blamed(places, "relay.ports", listen_key);
      errors.push_back({place.to_string(), key,
                        fmt::format("the relay ports {} contain the port of the listener {}",
                                    in_quotes(port_range_text(config.relay.ports)),
                                    in_quotes(listener.to_string())),
                        "keep the two apart, for example relay.ports = \"49152-65535\""});
    }
  };
  check("listen.udp", config.listen.udp);
  check("listen.dtls", config.listen.dtls);
}

void check_nat_discovery(const Config& config, const Places& places,
                         std::vector<ConfigError>& errors) {
  const Config::NatDiscovery& discovery = config.nat_discovery;
  const auto report = [&](const std::string& first, const std::string& second, std::string problem,
                          std::string remedy) {
    const auto [key, place] = blamed(places, first, second);
    errors.push_back({place.to_string(), key, std::move(problem), std::move(remedy)});
  };
  if (!errors.empty()) return;  // lists that were refused may be empty here
  if (discovery.addresses.empty() != discovery.ports.empty()) {
    return report("nat_discovery.addresses", "nat_discovery.ports",
                  "nat_discovery has addresses or ports, and not the other",
                  "set both nat_discovery.addresses and nat_discovery.ports, or neither");
  }
  for (const std::uint16_t port : discovery.ports) {
    if (!config.relay.ports.contains(port)) continue;
    report("nat_discovery.ports", "relay.ports",
           fmt::format("the relay ports {} contain the discovery port {}",
                       in_quotes(port_range_text(config.relay.ports)), port),
           "keep the two apart, for example relay.ports = \"49152-65535\"");
  }
  for (const IpAddress& public_ip : config.public_ip) {
    const auto& all = discovery.addresses;
    const auto is_of_family = [&](const DiscoveryAddress& address) {
      return address.bind.family() == public_ip.family() && address.bind == address.advertised;
    };
    const bool names_it = std::any_of(all.begin(), all.end(), [&](const DiscoveryAddress& address) {
      return address.advertised == public_ip;
    });
    const auto plain = std::find_if(all.begin(), all.end(), is_of_family);
    if (names_it || plain == all.end()) continue;
    report("nat_discovery.addresses", "public_ip",
           fmt::format("public_ip says that this host is behind NAT, and {} does not say what "
                       "clients see of it",
                       in_quotes(plain->to_string())),
           fmt::format("write it as {}", in_quotes(plain->bind.to_string() + "/public address")));
  }
}

/// A client would look for the other server on its own host (HOSTILE.md C08). That there are
/// private addresses among them is all right: the clients of such servers are in the same network.
void refuse_loopback_alternates(const Config& config, const Places& places,
                                std::vector<ConfigError>& errors) {
  if (config.is_for_this_host_alone()) return;
  const auto check = [&](const char* const name, const std::vector<Endpoint>& servers) {
    for (const Endpoint& server : servers) {
      if (!server.address.is_loopback()) continue;
      const auto [key, place] = blamed(places, name, {});
      errors.push_back(
          {place.to_string(), key,
           fmt::format("{} would send clients to their own host", in_quotes(server.to_string())),
           "write the address at which clients reach the other server"});
    }
  };
  check("relay.alternate_servers", config.relay.alternate_servers);
  check("relay.alternate_tls_servers", config.relay.alternate_tls_servers);
}

void check_alternates(const Config& config, const Places& places,
                      std::vector<ConfigError>& errors) {
  const Config::Relay& relay = config.relay;
  refuse_loopback_alternates(config, places, errors);
  if (relay.alternate_domain.empty() || !relay.alternate_tls_servers.empty() || !errors.empty())
    return;
  const auto [key, place] = blamed(places, "relay.alternate_domain", {});
  errors.push_back({place.to_string(), key, "there is no alternate server that it would name",
                    "set relay.alternate_tls_servers as well, or remove it"});
}

/// True when only one of two sockets of one protocol could be bound.
bool collide(const ListenAddress& a, const ListenAddress& b) {
  if (a.port != b.port) return false;
  if (!a.address || !b.address) return true;
  if (*a.address == *b.address) return a.interface == b.interface;
  return a.address->family() == b.address->family() && (a.address->is_any() || b.address->is_any());
}

void check_listeners(const Config& config, const Places& places, std::vector<ConfigError>& errors) {
  const auto report = [&](const std::string& first, const std::string& second, std::string problem,
                          std::string remedy) {
    const auto [key, place] = blamed(places, first, second);
    errors.push_back({place.to_string(), key, std::move(problem), std::move(remedy)});
  };
  const Config::Listen& listen = config.listen;
  if (listen.udp.empty() && listen.tcp.empty() && listen.tls.empty() && listen.dtls.empty()) {
    // A list whose entries were all refused is empty too; their own errors say what to do.
    if (!errors.empty()) return;
    report("listen.udp", "listen.tcp", "all lists are empty: the server would listen nowhere",
           R"(write for example listen.udp = [":3478"])");
  }
  for (const ListenAddress& dtls : listen.dtls) {
    for (const ListenAddress& udp : listen.udp) {
      if (dtls == udp || !collide(dtls, udp)) continue;
      report("listen.dtls", "listen.udp",
             fmt::format("{} in listen.dtls and {} in listen.udp overlap",
                         in_quotes(dtls.to_string()), in_quotes(udp.to_string())),
             "write the same in both lists for one port that serves both, or take another port");
    }
  }
  for (const ListenAddress& tls : listen.tls) {
    for (const ListenAddress& tcp : listen.tcp) {
      if (!collide(tcp, tls)) continue;
      report("listen.tls", "listen.tcp",
             fmt::format("{} in listen.tls and {} in listen.tcp want the same TCP port",
                         in_quotes(tls.to_string()), in_quotes(tcp.to_string())),
             R"(keep the two apart, for example listen.tcp = [":3478"], listen.tls = [":5349"])");
    }
  }
}

/// What to do about a listener that is not configured: the nearest that is, or all there are.
std::string listener_remedy(const ListenerName& name, const std::vector<ListenerName>& listeners) {
  std::vector<std::string> names;
  names.reserve(listeners.size());
  for (const ListenerName& listener : listeners) names.push_back(listener.to_string());
  const std::vector<std::string_view> candidates{names.begin(), names.end()};
  const std::string nearest = nearest_of(name.to_string(), candidates);
  if (!nearest.empty()) return fmt::format("did you mean {}?", in_quotes(nearest));
  std::string all;
  for (const std::string& each : names) all += (all.empty() ? "" : ", ") + in_quotes(each);
  return "the listeners are " + all;
}

/// A header that anybody may write is worse than none: everybody could claim any address.
void check_proxy(const Config& config, const Places& places, std::vector<ConfigError>& errors) {
  const auto& names = config.listen.proxy_protocol;
  if (names.empty() || !errors.empty()) return;  // perhaps about the very listener that is missed
  const auto [key, place] = blamed(places, "listen.proxy_protocol", {});
  const auto listeners = config.listener_names();
  for (const ListenerName& name : names) {
    if (std::find(listeners.begin(), listeners.end(), name) != listeners.end()) continue;
    errors.push_back({place.to_string(), key,
                      fmt::format("no listener is called {}", in_quotes(name.to_string())),
                      listener_remedy(name, listeners)});
  }
  for (const ListenAddress& dtls : config.listen.dtls) {
    if (!config.expects_proxy({Transport::udp, dtls})) continue;
    errors.push_back({place.to_string(), key,
                      fmt::format("{} is in listen.dtls too, and DTLS is not served behind a "
                                  "balancer",
                                  in_quotes(dtls.to_string())),
                      "use another port for one of the two"});
  }
  for (const std::uint16_t port : config.nat_discovery.ports) {
    const bool is_discovery =
        !config.nat_discovery.addresses.empty() &&
        std::any_of(names.begin(), names.end(), [&](const ListenerName& name) {
          return name.transport == Transport::udp && name.address.port == port;
        });
    if (!is_discovery) continue;
    errors.push_back(
        {place.to_string(), key,
         fmt::format("UDP port {} is one of nat_discovery.ports, and behind a balancer "
                     "clients would discover the balancer",
                     port),
         "use another port for one of the two"});
  }
  if (!config.listen.proxy_trusted.empty()) return;
  errors.push_back({place.to_string(), key,
                    "nobody is trusted to say who the clients are: listen.proxy_trusted is empty",
                    R"(name your balancers, for example listen.proxy_trusted = ["10.0.0.0/8"])"});
}

void check_tls(const Config& config, const Places& places, std::vector<ConfigError>& errors) {
  const bool has_certificate = !config.tls.certificate.empty();
  const bool has_key = !config.tls.key.empty();
  if (has_certificate != has_key) {
    const auto [key, place] =
        has_key ? blamed(places, "tls.key", {}) : blamed(places, "tls.certificate", {});
    errors.push_back({place.to_string(), key,
                      fmt::format("there is a {} without its {}", has_key ? "key" : "certificate",
                                  has_key ? "certificate" : "key"),
                      fmt::format("set {} as well", has_key ? "tls.certificate" : "tls.key")});
    return;
  }
  const auto require = [&](const std::string& listen_key, const char* protocol) {
    const auto [key, place] = blamed(places, listen_key, {});
    errors.push_back({place.to_string(), key,
                      fmt::format("{} listeners need a certificate and its key", protocol),
                      fmt::format("set tls.certificate and tls.key, or remove {}", listen_key)});
  };
  if (!has_key && !config.listen.tls.empty()) require("listen.tls", "TLS");
  if (!has_key && !config.listen.dtls.empty()) require("listen.dtls", "DTLS");
}

/// TLS listeners for whoever has a certificate and did not say where. The quickstart stays on
/// loopback: it has none that nobody asked for.
void add_default_tls(const ConfigSources& sources, const Places& places, Config& config) {
  if (sources.quickstart || places.contains("listen.tls") || !config.tls.is_configured()) return;
  config.listen.tls = {ListenAddress{std::nullopt, 5349}, ListenAddress{std::nullopt, 443}};
}

/// Without a signature the hook cannot tell this server from anybody who has found its address.
void warn_of_unsigned_hook(LoadedConfig& loaded) {
  if (loaded.config.auth.hook.empty() || !loaded.config.auth.hook_secret.empty()) return;
  loaded.warnings.emplace_back(
      "auth.hook is asked without a signature, and tells passwords to whoever asks; set "
      "auth.hook_secret to the output of `openssl rand -hex 32`");
}

void check_signaling(const Config& config, const Places& places, std::vector<ConfigError>& errors) {
  const auto report = [&](const std::string& key, std::string problem, std::string remedy) {
    const auto place = blamed(places, key, {}).second;
    errors.push_back({place.to_string(), key, std::move(problem), std::move(remedy)});
  };
  if (!errors.empty()) return;
  if (config.signaling.auth == signaling::JoinAuth::webhook && config.signaling.webhook.empty()) {
    report("signaling.auth", "there is no webhook that could be asked",
           R"(set signaling.webhook = "https://…", or use "token")");
  }
  if (!config.signaling.enabled && !config.listen.http.empty()) {
    report("listen.http", "HTTP serves the signaling, which is off",
           "remove listen.http, or set signaling.enabled = true");
  }
  std::error_code error;
  if (!config.web.root.empty() && !std::filesystem::is_directory(config.web.root, error)) {
    report("web.root", fmt::format("{} is no directory", in_quotes(config.web.root)),
           "name a directory that is there and may be read");
  }
  for (const ListenAddress& http : config.listen.http) {
    for (const auto* const others : {&config.listen.tcp, &config.listen.tls}) {
      for (const ListenAddress& other : *others) {
        if (!collide(http, other)) continue;
        report("listen.http",
               fmt::format("{} wants the same TCP port as {} in listen.tcp or listen.tls",
                           in_quotes(http.to_string()), in_quotes(other.to_string())),
               "leave it out: those ports serve HTTP too; or take another port");
      }
    }
  }
}

void check_credentials(const Config& config, const ConfigSources& sources, const Places& places,
                       std::vector<ConfigError>& errors) {
  const bool tried = places.contains("auth.secrets") || places.contains("auth.users");
  // Values that were refused leave the list empty; their own errors say what to do.
  if (config.has_credentials() || config.store.may_have_credentials() ||
      !sources.require_credentials || (tried && !errors.empty()))
    return;
  errors.push_back({sources.file ? sources.file->name : "configuration", "auth",
                    "there are neither secrets nor users, so nobody could use the relay",
                    "write the output of `openssl rand -hex 32` to a file of mode 0640 and name it "
                    "under [auth]: "
                    R"(secrets = [{ id = "2026-11", file = "/etc/turnpike/secret" }])"});
}

/// A file that gives away what it contains.
void warn_about_mode(const ConfigFile& file, const Config& config, const Places& places,
                     std::vector<std::string>& warnings) {
  const auto is_in_file = [&](std::string_view key) {
    const auto place = places.find(key);
    return place != places.end() && place->second.kind == Place::Kind::file;
  };
  const bool has_any = config.has_credentials() || !config.auth.api_keys.empty();
  if (!has_any ||
      !(is_in_file("auth.secrets") || is_in_file("auth.users") || is_in_file("auth.api_keys"))) {
    return;
  }
  struct stat status {};
  if (::stat(file.name.c_str(), &status) != 0 || (status.st_mode & S_IRWXO) == 0) return;
  warnings.push_back(
      fmt::format("{}: contains secrets or passwords and has mode {:04o}; run `chmod 640 {}`",
                  file.name, status.st_mode & 07777U, file.name));
}

std::map<std::string, std::string> origins_of(const Places& places, const ConfigSources& sources) {
  std::map<std::string, std::string> origins;
  for (const ConfigKey& key : config_keys()) {
    const auto place = places.find(key.path);
    std::string origin = "default";
    if (place != places.end()) {
      origin = place->second.origin();
    } else if (sources.quickstart &&
               to_toml(key.show(*sources.quickstart)) != to_toml(key.show(Config{}))) {
      origin = "quickstart";
    }
    origins.emplace(key.path, std::move(origin));
  }
  return origins;
}

/// Errors of a file in the order of its lines; toml++ gives keys in alphabetical order.
void sort_by_position(std::vector<Assignment>& assignments) {
  std::stable_sort(assignments.begin(), assignments.end(),
                   [](const Assignment& a, const Assignment& b) {
                     return std::pair{a.value.place.line, a.value.place.column} <
                            std::pair{b.value.place.line, b.value.place.column};
                   });
}

ConfigError unreadable(const std::string& path, std::string problem) {
  return {path, "", std::move(problem),
          "check the name, and that the user of the server may read it"};
}

/// The two numbers in "32768\t60999\n".
std::optional<PortRange> parse_local_range(std::string_view text) {
  std::istringstream stream{std::string{text}};
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  if (!(stream >> first >> last)) return std::nullopt;
  return PortRange{first, last};
}

}  // namespace

Result<ConfigFile, ConfigError> read_config_file(const std::string& path) {
  constexpr std::uintmax_t max_bytes = 1'048'576;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return Failure{unreadable(path, "is a directory")};
  }
  std::ifstream stream{path, std::ios::binary};
  if (!stream)
    return Failure{unreadable(path, "cannot be read: " + std::generic_category().message(errno))};
  std::string text(max_bytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad()) return Failure{unreadable(path, "cannot be read to its end")};
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > max_bytes) return Failure{unreadable(path, "is larger than 1 MiB")};
  return ConfigFile{path, std::move(text)};
}

ConfigResult load_config(const ConfigSources& sources) {
  LoadedConfig loaded;
  if (sources.quickstart) loaded.config = *sources.quickstart;
  std::vector<ConfigError> errors;
  Places places;

  if (sources.file) {
    std::vector<Assignment> assignments = read_toml(*sources.file, errors);
    if (!errors.empty() && errors.front().key.empty())
      return Failure{std::move(errors)};  // no TOML: nothing to add
    sort_by_position(assignments);
    apply(assignments, loaded.config, places, errors);
    loaded.files.push_back(sources.file->name);
    note_files(assignments, loaded.files);
  }
  const std::vector<Assignment> environment = read_environment(sources.environment, errors);
  apply(environment, loaded.config, places, errors);
  note_files(environment, loaded.files);
  note_files(sources.environment, loaded.files);
  apply(read_settings(sources.settings, errors), loaded.config, places, errors);

  add_default_tls(sources, places, loaded.config);
  check_listeners(loaded.config, places, errors);
  check_proxy(loaded.config, places, errors);
  check_tls(loaded.config, places, errors);
  check_relay_ports(loaded.config, places, errors);
  check_nat_discovery(loaded.config, places, errors);
  check_alternates(loaded.config, places, errors);
  warn_of_unsigned_hook(loaded);
  check_signaling(loaded.config, places, errors);
  check_credentials(loaded.config, sources, places, errors);
  if (!errors.empty()) return Failure{std::move(errors)};

  if (sources.file) warn_about_mode(*sources.file, loaded.config, places, loaded.warnings);
  loaded.origins = origins_of(places, sources);
  return loaded;
}

std::vector<ShownKey> shown_config(const LoadedConfig& loaded) {
  std::vector<ShownKey> shown;
  for (const ConfigKey& key : config_keys()) {
    const std::string path{key.path};
    shown.push_back({path, key.show(loaded.config), loaded.origins.at(path)});
  }
  return shown;
}

std::optional<std::string> local_port_hint(const PortRange& relay_ports,
                                           std::string_view local_range,
                                           std::string_view reserved) {
  const auto local = parse_local_range(local_range);
  if (!local) return std::nullopt;
  const PortRange shared{std::max(local->first, relay_ports.first),
                         std::min(local->last, relay_ports.last)};
  if (shared.last < shared.first) return std::nullopt;

  while (!reserved.empty() && (reserved.back() == '\n' || reserved.back() == ' '))
    reserved.remove_suffix(1);
  if (const auto ranges = parse_port_list(reserved)) {
    const auto covers = [&](const PortRange& range) {
      return range.contains(shared.first) && range.contains(shared.last);
    };
    if (std::any_of(ranges->begin(), ranges->end(), covers)) return std::nullopt;
  }
  return fmt::format(
      "the kernel gives ports {} to any program of this host, and relay.ports contains them; "
      "reserve them with `sysctl net.ipv4.ip_local_reserved_ports={}`",
      port_range_text(shared), port_range_text(relay_ports));
}

}  // namespace turnpike::server
