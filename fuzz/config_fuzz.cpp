// The configuration: a file, then variables and flags, each after a record separator (0x1e):
// "NAME=value" is a variable, "-key=value" is --set. Whatever they say there is either a
// configuration that holds together, and reads the same when it is written out again, or refusals
// of one line each.

#include <algorithm>
#include <string>

#include "input.h"
#include "server/config_load.h"

namespace {

using namespace turnpike;
using namespace turnpike::server;

constexpr char separator = '\x1e';

bool is_one_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
  });
}

ConfigSources sources_of(std::string_view input) {
  const auto take = [&input] {
    const std::size_t end = std::min(input.find(separator), input.size());
    const std::string_view part = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    return part;
  };
  ConfigSources sources;
  sources.require_credentials = false;
  sources.file = ConfigFile{"turnpike.toml", std::string{take()}};
  while (!input.empty()) {
    const std::string_view part = take();
    const std::size_t equals = part.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    const std::string name{part.substr(0, equals)};
    const std::string value{part.substr(equals + 1)};
    if (name.front() == '-') {
      sources.settings.emplace_back(name.substr(1), value);
    } else {
      sources.environment.emplace(name, value);
    }
  }
  return sources;
}

void check_refusals(const std::vector<ConfigError>& errors) {
  PROMISE(!errors.empty());
  for (const ConfigError& error : errors) {
    PROMISE(!error.where.empty() && !error.problem.empty() && !error.remedy.empty());
    PROMISE(is_one_line(error.to_string()));
  }
}

// --- What holds of every configuration that is accepted ------------------------------------------

void check_listeners(const Config& config) {
  const Config::Listen& listen = config.listen;
  PROMISE(!listen.udp.empty() || !listen.tcp.empty() || !listen.tls.empty() ||
          !listen.dtls.empty());
  for (const ListenerName& name : config.listener_names()) PROMISE(name.address.port != 0);
  for (const ListenAddress& udp : listen.udp) PROMISE(!config.relay.ports.contains(udp.port));
  PROMISE(listen.proxy_protocol.empty() || !listen.proxy_trusted.empty());
  for (const IpPrefix& trusted : listen.proxy_trusted) PROMISE(trusted.length() > 0);
}

void check_relay(const Config& config) {
  const Config::Relay& relay = config.relay;
  PROMISE(relay.ports.first != 0 && relay.ports.first <= relay.ports.last);
  for (const auto& rule : relay.allow_peers) {
    PROMISE(rule.prefix.length() >= (rule.prefix.address().family() == Family::ipv4 ? 8 : 32));
  }
  for (const PortRange& range : relay.peer_ports) {
    PROMISE(range.first != 0 && range.first <= range.last);
  }
  PROMISE(relay.max_lifetime >= seconds{600});  // RFC 8656 §7.2: not below the default
  PROMISE(relay.alternate_domain.empty() || !relay.alternate_tls_servers.empty());
}

void check_authentication(const Config& config) {
  PROMISE(!config.effective_realm().empty());
  PROMISE(!config.auth.algorithms.empty());
  for (const auto& secret : config.auth.secrets) {
    PROMISE(!secret.id.empty() && secret.value.size() >= 32);
  }
  for (const auto& user : config.auth.users) {
    PROMISE(!user.name.empty() && !user.password.empty());
    PROMISE(user.name.find(':') == std::string::npos);
  }
  PROMISE(config.auth.nonce_lifetime > seconds{0} && config.auth.credential_ttl > seconds{0});
}

// --- Written out and read again ------------------------------------------------------------------

std::string written(const std::vector<ShownKey>& shown) {
  std::string text;
  for (const ShownKey& key : shown) {
    if (find_config_key(key.path)->is_secret) continue;  // "(hidden)"
    // Dotted keys: every line says its section itself.
    text += key.path + " = " + to_toml(key.value) + "\n";
  }
  return text;
}

/// The default of these is to try; written out they are asked for, and may then be refused.
void check_written_again(const LoadedConfig& loaded) {
  const std::vector<ShownKey> shown = shown_config(loaded);
  ConfigSources sources;
  sources.require_credentials = false;
  sources.file = ConfigFile{"again.toml", written(shown)};
  const ConfigResult again = load_config(sources);
  if (!again) {
    for (const ConfigError& error : again.error()) {
      std::fprintf(stderr, "%s\n", error.to_string().c_str());
    }
    std::fprintf(stderr, "%s\n", sources.file->text.c_str());
  }
  PROMISE(again);
  const std::vector<ShownKey> shown_again = shown_config(*again);
  PROMISE(shown.size() == shown_again.size());
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (find_config_key(shown[i].path)->is_secret) continue;
    const bool is_same = to_toml(shown[i].value) == to_toml(shown_again[i].value);
    if (!is_same) std::fprintf(stderr, "%s\n", shown[i].path.c_str());
    PROMISE(is_same);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size > 8000) return 0;
  const ConfigSources sources = sources_of(text_of({bytes, size}));
  const ConfigResult loaded = load_config(sources);
  if (!loaded) {
    check_refusals(loaded.error());
    return 0;
  }
  check_listeners(loaded->config);
  check_relay(loaded->config);
  check_authentication(loaded->config);
  for (const std::string& warning : loaded->warnings) PROMISE(is_one_line(warning));
  check_written_again(*loaded);
  return 0;
}
