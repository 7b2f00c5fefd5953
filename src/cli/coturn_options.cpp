#include "cli/coturn_options.h"

#include <algorithm>
#include <array>

namespace turnpike::cli::coturn {
namespace {

// --- The tables ----------------------------------------------------------------------------------

constexpr std::string_view to_journal =
    "Turnpike logs to standard output, which systemd's journal keeps; see log.level and log.format";
constexpr std::string_view by_systemd = "the systemd unit decides that";
constexpr std::string_view no_admin_port =
    "Turnpike has no administration by TCP and no administration password; see `turnpike status`";
constexpr std::string_view modern_tls =
    "TLS is 1.2 with forward secrecy or 1.3, with groups and ciphers that OpenSSL takes for safe";
constexpr std::string_view other_database =
    "the users and secrets in there are not read. Put secrets under auth.secrets; add users anew "
    "with `turnpike user add`, or copy the rows of turnusers_lt into a SQLite turndb and give "
    "that by --db";

constexpr std::array plain_rules{
    PlainRule{"fingerprint", Fate::unneeded, "answers have a FINGERPRINT when the request has one"},
    PlainRule{"lt-cred-mech", Fate::unneeded, "long-term credentials are always asked for"},
    PlainRule{"use-auth-secret", Fate::unneeded, "a secret under auth.secrets is enough"},
    PlainRule{"no-auth", Fate::stricter, "nobody relays without credentials"},
    PlainRule{"allow-loopback-peers", Fate::stricter,
              "loopback is never relayed to; `turnpike serve --insecure-allow-peers` exists for "
              "tests"},
    PlainRule{"server-relay", Fate::stricter,
              "nothing reaches a client but what it has a permission for"},
    PlainRule{"web-admin", Fate::stricter, no_admin_port},
    PlainRule{"web-admin-listen-on-workers", Fate::stricter, no_admin_port},
    PlainRule{"web-admin-ip", Fate::unneeded, no_admin_port},
    PlainRule{"web-admin-port", Fate::unneeded, no_admin_port},
    PlainRule{"no-cli", Fate::unneeded, no_admin_port},
    PlainRule{"cli-ip", Fate::unneeded, no_admin_port},
    PlainRule{"cli-port", Fate::unneeded, no_admin_port},
    PlainRule{"cli-password", Fate::unneeded, no_admin_port},
    PlainRule{"cli-max-output-sessions", Fate::unneeded, no_admin_port},
    PlainRule{"no-loopback-peers", Fate::unneeded, "loopback is never relayed to"},
    PlainRule{"no-multicast-peers", Fate::unneeded, "multicast is never relayed to"},
    PlainRule{"no-stdout-log", Fate::unneeded, to_journal},
    PlainRule{"log-file", Fate::unneeded, to_journal},
    PlainRule{"syslog", Fate::unneeded, to_journal},
    PlainRule{"syslog-facility", Fate::unneeded, to_journal},
    PlainRule{"simple-log", Fate::unneeded, to_journal},
    PlainRule{"new-log-timestamp", Fate::unneeded, to_journal},
    PlainRule{"new-log-timestamp-format", Fate::unneeded, to_journal},
    PlainRule{"log-binding", Fate::unneeded, "Binding requests are counted, not logged"},
    PlainRule{"verbose", Fate::unneeded, "log.level is \"info\" already"},
    PlainRule{"pidfile", Fate::unneeded, by_systemd},
    PlainRule{"proc-user", Fate::unneeded, by_systemd},
    PlainRule{"proc-group", Fate::unneeded, by_systemd},
    PlainRule{"daemon", Fate::unneeded, by_systemd},
    PlainRule{"no-tlsv1", Fate::unneeded, modern_tls},
    PlainRule{"no-tlsv1_1", Fate::unneeded, modern_tls},
    PlainRule{"no-sslv2", Fate::unneeded, modern_tls},
    PlainRule{"no-sslv3", Fate::unneeded, modern_tls},
    PlainRule{"dh566", Fate::stricter, modern_tls},
    PlainRule{"dh1066", Fate::stricter, modern_tls},
    PlainRule{"dh2066", Fate::unneeded, modern_tls},
    PlainRule{"dh-file", Fate::unneeded, modern_tls},
    PlainRule{"ec-curve-name", Fate::unneeded, modern_tls},
    PlainRule{"cipher-list", Fate::lost, modern_tls},
    PlainRule{"no-software-attribute", Fate::unneeded, "SOFTWARE is never sent"},
    PlainRule{"prod", Fate::unneeded, "SOFTWARE is never sent"},
    PlainRule{"no-stun-backward-compatibility", Fate::unneeded,
              "Binding requests of RFC 3489 are not answered"},
    PlainRule{"response-origin-only-with-rfc5780", Fate::unneeded,
              "RESPONSE-ORIGIN is sent only where nat_discovery is set"},
    PlainRule{"udp-self-balance", Fate::unneeded, "every worker listens on every port"},
    PlainRule{"ne", Fate::unneeded, "every worker listens on every port"},
    PlainRule{"listening-device", Fate::lost,
              "sockets are not bound to interfaces; name its addresses under listen"},
    PlainRule{"relay-device", Fate::lost,
              "sockets are not bound to interfaces; name its addresses in relay.addresses"},
    PlainRule{"tcp-proxy-port", Fate::lost,
              "coturn believes everybody who connects there. Add the port to listen.tcp, "
              "\"tcp::PORT\" to listen.proxy_protocol and the balancers to listen.proxy_trusted"},
    PlainRule{"server-name", Fate::lost, "third-party authorization (RFC 7635) is not supported"},
    PlainRule{"oauth", Fate::lost,
              "third-party authorization (RFC 7635) is not supported; such clients are refused"},
    PlainRule{"psql-userdb", Fate::lost, other_database},
    PlainRule{"sql-userdb", Fate::lost, other_database},
    PlainRule{"mysql-userdb", Fate::lost, other_database},
    PlainRule{"mongo-userdb", Fate::lost, other_database},
    PlainRule{"redis-userdb", Fate::lost, other_database},
    PlainRule{"secret-key-file", Fate::unneeded, "it only opens the password of mysql-userdb"},
    PlainRule{"redis-statsdb", Fate::lost,
              "no statistics go to Redis; see metrics.listen for Prometheus"},
    PlainRule{"check-origin-consistency", Fate::lost, "ORIGIN is ignored"},
    PlainRule{"no-stun", Fate::lost, "Binding requests are answered; they cost a stranger nothing"},
    PlainRule{"secure-stun", Fate::lost,
              "Binding requests are answered without credentials: this is less than you asked "
              "for, and no key changes it"},
    PlainRule{"acme-redirect", Fate::lost, "let the ACME client have port 80"},
};

/// Those that become keys by rules of their own (coturn_config.cpp).
constexpr auto mapped_options = std::to_array<std::string_view>({
    "listening-port",
    "tls-listening-port",
    "alt-listening-port",
    "alt-tls-listening-port",
    "listening-ip",
    "aux-server",
    "relay-ip",
    "external-ip",
    "relay-threads",
    "min-port",
    "max-port",
    "Verbose",
    "prometheus",
    "prometheus-port",
    "static-auth-secret",
    "user",
    "userdb",
    "db",
    "realm",
    "user-quota",
    "total-quota",
    "max-bps",
    "bps-capacity",
    "no-udp",
    "no-tcp",
    "no-tls",
    "no-dtls",
    "no-udp-relay",
    "no-tcp-relay",
    "stale-nonce",
    "max-allocate-lifetime",
    "channel-lifetime",
    "permission-lifetime",
    "cert",
    "pkey",
    "pkey-pwd",
    "CA-file",
    "alternate-server",
    "tls-alternate-server",
    "stun-only",
    "rest-api-separator",
    "max-allocate-timeout",
    "mobility",
    "no-rfc5780",
    "allowed-peer-ip",
    "denied-peer-ip",
    "keep-address-family",
    "allocation-default-address-family",
});

// --- Lines ---------------------------------------------------------------------------------------

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\v\f";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

Option parse_line(std::string_view line, unsigned number) {
  const std::size_t end = line.find_first_of(" =\t");
  if (end == std::string_view::npos) return {number, std::string{line}, std::nullopt};
  const std::size_t start = line.find_first_not_of(" =\t", end);
  std::string_view value =
      start == std::string_view::npos ? std::string_view{} : line.substr(start);
  if (value.starts_with('"')) {
    value.remove_prefix(1);
    if (value.ends_with('"')) value.remove_suffix(1);
  }
  return {number, std::string{line.substr(0, end)}, std::string{value}};
}

}  // namespace

const PlainRule* find_plain_rule(std::string_view name) {
  const auto rule = std::find_if(plain_rules.begin(), plain_rules.end(),
                                 [&](const PlainRule& known) { return known.name == name; });
  return rule == plain_rules.end() ? nullptr : &*rule;
}

bool is_mapped_option(std::string_view name) {
  return std::find(mapped_options.begin(), mapped_options.end(), name) != mapped_options.end();
}

std::vector<Option> parse_options(std::string_view text) {
  std::vector<Option> options;
  unsigned number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (!line.empty() && line.front() != '#') options.push_back(parse_line(line, number));
  }
  return options;
}

std::string_view to_string(Fate fate) {
  constexpr std::array<std::string_view, 4> names{"mapped", "not needed", "stricter", "lost"};
  return names.at(static_cast<std::size_t>(fate));
}

}  // namespace turnpike::cli::coturn
