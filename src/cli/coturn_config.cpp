#include "cli/coturn_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>

#include "auth/opaque_string.h"
#include "base/utf8.h"
#include "cli/address_range.h"
#include "server/config_parsers.h"
#include "server/config_schema.h"

namespace turnpike::cli::coturn {
namespace {

using server::ConfigValue;
using List = ConfigValue::List;

// --- Values --------------------------------------------------------------------------------------

ConfigValue text(std::string value) { return {std::move(value), {}}; }
ConfigValue number(std::int64_t value) { return {value, {}}; }
ConfigValue yes_or_no(bool value) { return {value, {}}; }

ConfigValue texts(const std::vector<std::string>& values) {
  List list;
  for (const std::string& value : values) list.push_back(text(value));
  return {std::move(list), {}};
}

ConfigValue table(const std::vector<std::pair<std::string, std::string>>& members) {
  ConfigValue::Table out;
  for (const auto& [key, value] : members) out.push_back({key, {}, text(value)});
  return {std::move(out), {}};
}

constexpr std::string_view not_utf8 =
    "this is not UTF-8, which a configuration has to be; write it in UTF-8 and import again";

std::optional<std::uint64_t> parse_number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// An address as it stands before ":port".
std::string bracketed(const std::string& address) {
  return address.find(':') == std::string::npos ? address : "[" + address + "]";
}

/// "1.2.3.4" and "2001:db8::1" get `port`; what has one keeps it.
std::string with_default_port(const std::string& server, unsigned port) {
  if (Endpoint::parse(server)) return server;
  if (IpAddress::parse(server)) return fmt::format("{}:{}", bracketed(server), port);
  const bool is_in_brackets = server.starts_with('[') && server.ends_with(']');
  return is_in_brackets ? fmt::format("{}:{}", server, port) : server;
}

bool is_on(const Option& option) {
  static const std::set<std::string_view> off{"0", "off", "no", "false", "f", "n"};
  return !option.value || !off.contains(*option.value);
}

constexpr std::size_t md5_bytes = 16;
constexpr std::size_t sha256_bytes = 32;

/// The key of name, realm and password that the digits are; nothing when they are none.
std::optional<auth::LongTermKey> key_in_hex(std::string_view digits) {
  if (digits.size() != 2 * md5_bytes && digits.size() != 2 * sha256_bytes) return std::nullopt;
  auth::LongTermKey key;
  for (std::size_t at = 0; at < digits.size(); at += 2) {
    const auto* const first = digits.data() + at;
    std::uint8_t byte = 0;
    const auto [end, error] = std::from_chars(first, first + 2, byte, 16);
    if (error != std::errc{} || end != first + 2) return std::nullopt;
    key.push_back(byte);
  }
  return key;
}

/// OpaqueString where it applies, else the text itself, as the server has it.
std::string normalised(std::string_view text) {
  return auth::opaque_string(text).value_or(std::string{text});
}

bool is_hard_denied(const AddressRange& range) {
  const IpAddress& at = range.first;
  const bool is_multicast =
      at.family() == Family::ipv4 ? at.bytes()[0] >= 224 : at.bytes()[0] == 0xff;
  return at.is_loopback() || at.is_any() || at.is_link_local() || is_multicast;
}

// --- The mapping ---------------------------------------------------------------------------------

class Mapper {
 public:
  explicit Mapper(const Source& source) : source_(source), options_(source.options) {}

  Import run() {
    choose_realm();
    add_database_options();
    for (const Option& option : options_) judge_plain(option);
    map_listeners();
    map_addresses();
    map_nat_discovery();
    map_relay();
    map_peers();
    map_limits();
    map_credentials();
    map_rest();
    return finish();
  }

 private:
  // What there is.
  [[nodiscard]] std::vector<const Option*> all(std::string_view name) const {
    std::vector<const Option*> found;
    for (const Option& option : options_) {
      if (option.name == name) found.push_back(&option);
    }
    return found;
  }
  /// coturn lets the last one win.
  [[nodiscard]] const Option* last(std::string_view name) const {
    const auto found = all(name);
    return found.empty() ? nullptr : found.back();
  }
  [[nodiscard]] bool has(std::string_view name) const {
    const Option* const option = last(name);
    return option != nullptr && is_on(*option);
  }
  [[nodiscard]] std::optional<std::uint64_t> number_of(std::string_view name) const {
    const Option* const option = last(name);
    return option == nullptr ? std::nullopt : parse_number(option->value.value_or(""));
  }
  [[nodiscard]] std::vector<std::string> values_of(std::string_view name) const {
    std::vector<std::string> values;
    for (const Option* option : all(name)) values.push_back(option->value.value_or(""));
    return values;
  }

  // What is said.
  void remark(const Option& option, Fate fate, std::string_view key, std::string_view why) {
    remarks_.push_back({option.line, option.name, fate, std::string{key}, std::string{why}});
  }
  void remark_all(std::string_view name, Fate fate, std::string_view key, std::string_view why) {
    for (const Option* option : all(name)) remark(*option, fate, key, why);
  }
  void remark_default(std::string_view option, Fate fate, std::string_view key,
                      std::string_view why) {
    remarks_.push_back({0, std::string{option}, fate, std::string{key}, std::string{why}});
  }
  /// Puts the value in if the key takes it; otherwise why not.
  std::optional<std::string> put(std::string_view key, ConfigValue value, std::string origin) {
    const server::ConfigKey* const known = server::find_config_key(key);
    if (known == nullptr) return "this version of Turnpike has no such limit";
    if (!is_utf8(server::to_toml(value))) {
      return std::string{not_utf8};
    }
    std::vector<server::ConfigError> errors;
    server::KeyProblems problems{key, known->example, errors};
    server::Config scratch;
    known->apply(scratch, value, problems);
    if (!errors.empty()) {
      return fmt::format("Turnpike refuses the value: {}; {}", errors.front().problem,
                         errors.front().remedy);
    }
    settings_.push_back({std::string{key}, std::move(value), std::move(origin)});
    return std::nullopt;
  }
  /// The same for a value that comes from the options called `name`, with what is said of them.
  void map(std::string_view name, std::string_view key, ConfigValue value,
           std::string_view why = {}) {
    const auto refusal = put(key, std::move(value), std::string{name});
    remark_all(name, refusal ? Fate::lost : Fate::mapped, key, refusal ? *refusal : why);
  }

  void choose_realm();
  void add_database_options();
  void judge_plain(const Option& option);
  void map_listeners();
  [[nodiscard]] std::vector<std::string> listeners_at(std::uint64_t port) const;
  void map_tls();
  [[nodiscard]] std::optional<std::string> reason_against_tls() const;
  void map_addresses();
  void map_public_address(Family family, std::vector<std::string>& public_ip,
                          std::vector<std::string>& relay);
  void map_nat_discovery();
  void map_relay();
  void map_peers();
  std::vector<AddressRange> ranges_of(std::string_view name);
  void map_limits();
  void map_rate(std::string_view name, std::string_view key);
  void map_seconds(std::string_view name, std::string_view key);
  void map_credentials();
  void map_secrets(std::vector<ConfigValue>& secrets);
  void map_users();
  void map_static_user(const Option& option, std::vector<ConfigValue>& users);
  void map_database_users();
  [[nodiscard]] std::string reason_against_key(std::string_view name, std::string_view key) const;
  void take_user(std::string_view name, std::string_view key);
  void map_store();
  void map_rest();
  Import finish();

  const Source& source_;
  std::vector<Option> options_;
  std::string realm_;
  std::vector<Setting> settings_;
  std::vector<Remark> remarks_;
  std::map<std::string, store::StoredUser, std::less<>> users_;  // by name
};

// --- Realm and database --------------------------------------------------------------------------

void Mapper::choose_realm() {
  if (const Option* const realm = last("realm")) {
    realm_ = realm->value.value_or("");
    map("realm", "realm", text(realm_));
    return;
  }
  std::set<std::string> realms;
  if (source_.database) {
    for (const auto& user : source_.database->users) realms.insert(user.realm);
    for (const auto& secret : source_.database->secrets) realms.insert(secret.realm);
  }
  realms.erase("");
  if (realms.size() != 1) return;
  realm_ = *realms.begin();
  const auto refusal = put("realm", text(realm_), "the database");
  remark_default("realm", refusal ? Fate::lost : Fate::mapped, "realm",
                 refusal ? *refusal : "the one realm of the database");
}

/// Limits and peers of the database count as if they stood in the file. Of other realms only what
/// forbids is taken.
void Mapper::add_database_options() {
  if (!source_.database) return;
  const auto is_ours = [&](const std::string& realm) { return realm.empty() || realm == realm_; };
  for (const auto& option : source_.database->options) {
    if (is_ours(option.realm)) {
      options_.push_back({0, option.name, option.value});
    } else {
      remark_default(option.name, Fate::lost, "",
                     fmt::format("of realm {}: Turnpike has one realm", option.realm));
    }
  }
  for (const auto& range : source_.database->denied_peers) {
    options_.push_back({0, "denied-peer-ip", range.value});
  }
  for (const auto& range : source_.database->allowed_peers) {
    if (is_ours(range.realm)) {
      options_.push_back({0, "allowed-peer-ip", range.value});
    } else {
      remark_default("allowed-peer-ip", Fate::lost, "",
                     fmt::format("of realm {}: Turnpike has one realm", range.realm));
    }
  }
  if (source_.database->origins > 0) {
    remark_default("turn_origin_to_realm", Fate::lost, "",
                   "realms by ORIGIN are not supported; there is one realm");
  }
  if (source_.database->oauth_keys > 0) {
    remark_default("oauth_key", Fate::lost, "",
                   "third-party authorization (RFC 7635) is not supported");
  }
  if (source_.database->admin_users > 0) {
    remark_default("admin_user", Fate::unneeded, "", "there is no administration password");
  }
}

void Mapper::judge_plain(const Option& option) {
  if (const PlainRule* const rule = find_plain_rule(option.name)) {
    if (is_on(option)) return remark(option, rule->fate, "", rule->text);
    return remark(option, Fate::unneeded, "", "is switched off");
  }
  if (is_mapped_option(option.name)) return;
  remark(option, Fate::lost, "", "this is no option of coturn 4.6 that Turnpike knows");
}

// --- Listeners -----------------------------------------------------------------------------------

std::vector<std::string> Mapper::listeners_at(std::uint64_t port) const {
  std::vector<std::string> addresses;
  for (const std::string& address : values_of("listening-ip")) {
    const std::string listener = fmt::format("{}:{}", bracketed(address), port);
    if (std::find(addresses.begin(), addresses.end(), listener) == addresses.end()) {
      addresses.push_back(listener);
    }
  }
  if (addresses.empty()) addresses.push_back(fmt::format(":{}", port));
  return addresses;
}

void Mapper::map_listeners() {
  const auto port = number_of("listening-port").value_or(3478);
  std::vector<std::string> plain = listeners_at(port);
  for (const std::string& server : values_of("aux-server")) plain.push_back(server);
  std::optional<std::string> refusal;
  for (const auto& [off, key] : {std::pair{"no-udp", "listen.udp"}, {"no-tcp", "listen.tcp"}}) {
    const auto problem = put(key, texts(has(off) ? std::vector<std::string>{} : plain),
                             "listening-ip, listening-port, aux-server, no-udp, no-tcp");
    if (problem) refusal = problem;
    remark_all(off, has(off) ? Fate::mapped : Fate::unneeded, key,
               has(off) ? "" : "is switched off");
  }
  for (const char* name : {"listening-ip", "listening-port", "aux-server"}) {
    remark_all(name, refusal ? Fate::lost : Fate::mapped, "listen.udp, listen.tcp",
               refusal.value_or(""));
  }
  if (refusal) {  // then nothing listens, rather than everywhere
    settings_.erase(std::remove_if(settings_.begin(), settings_.end(),
                                   [](const Setting& s) { return s.key.starts_with("listen."); }),
                    settings_.end());
    put("listen.udp", texts({}), "");
    put("listen.tcp", texts({}), "");
  }
  map_tls();
}

/// Why there will be no TLS and DTLS.
std::optional<std::string> Mapper::reason_against_tls() const {
  if (last("cert") == nullptr || last("pkey") == nullptr) {
    return "there is no certificate, for coturn neither";
  }
  if (last("CA-file") != nullptr) {
    return "clients' certificates are not asked for, so TLS and DTLS are left off rather than "
           "opened to everybody; remove CA-file if that is what you want";
  }
  if (last("pkey-pwd") != nullptr) {
    return "the key must not be encrypted; write it in plain with `openssl pkey -in OLD -out NEW`, "
           "mode 0640, and set tls.key, listen.tls and listen.dtls";
  }
  return std::nullopt;
}

void Mapper::map_tls() {
  const auto resolved = [&](std::string_view name) {
    const std::filesystem::path path = last(name)->value.value_or("");
    return (source_.directory / path).lexically_normal().string();
  };
  auto refusal = reason_against_tls();
  const auto listeners = listeners_at(number_of("tls-listening-port").value_or(5349));
  if (!refusal) refusal = put("tls.certificate", text(resolved("cert")), "cert");
  if (!refusal) refusal = put("tls.key", text(resolved("pkey")), "pkey");
  if (refusal) {
    std::erase_if(settings_, [](const Setting& s) { return s.key == "tls.certificate"; });
  }
  // Of DTLS there is only 1.2, which no-tlsv1_2 forbids.
  const bool has_tls = !refusal && !has("no-tls");
  const bool has_dtls = !refusal && !has("no-dtls") && !has("no-tlsv1_2");
  put("listen.tls", texts(has_tls ? listeners : std::vector<std::string>{}),
      "listening-ip, tls-listening-port, no-tls");
  put("listen.dtls", texts(has_dtls ? listeners : std::vector<std::string>{}),
      "listening-ip, tls-listening-port, no-dtls");

  remark_all("cert", refusal ? Fate::lost : Fate::mapped, "tls.certificate", refusal.value_or(""));
  remark_all("pkey", refusal ? Fate::lost : Fate::mapped, "tls.key", refusal.value_or(""));
  remark_all("CA-file", Fate::lost, "", refusal.value_or(""));
  remark_all("pkey-pwd", Fate::lost, "", refusal.value_or(""));
  const bool is_off = refusal && last("cert") == nullptr && last("pkey") == nullptr;
  remark_all("tls-listening-port",
             is_off    ? Fate::unneeded
             : refusal ? Fate::lost
                       : Fate::mapped,
             "listen.tls, listen.dtls", refusal.value_or(""));
  remark_all("no-tls", Fate::mapped, "listen.tls", "");
  remark_all("no-dtls", Fate::mapped, "listen.dtls", "");
  remark_all("no-tlsv1_2", Fate::lost, "listen.dtls",
             "DTLS is left off, which would be 1.2; over TCP, TLS 1.2 is still spoken beside 1.3");
}

// --- Addresses -----------------------------------------------------------------------------------

/// One public address a family; with several pairs, the first alone is relayed from.
void Mapper::map_public_address(Family family, std::vector<std::string>& public_ip,
                                std::vector<std::string>& relay) {
  const auto is_of_family = [&](std::string_view address) {
    const auto parsed = IpAddress::parse(address);
    return parsed && parsed->family() == family;
  };
  std::vector<std::string> relay_ips;
  for (const std::string& address : values_of("relay-ip")) {
    if (is_of_family(address)) relay_ips.push_back(address);
  }
  const std::vector<std::string> named = relay_ips;  // those that pairs are to stand behind
  std::size_t pairs = 0;
  for (const Option* option : all("external-ip")) {
    const std::string value = option->value.value_or("");
    const std::size_t slash = value.find('/');
    const std::string outside = value.substr(0, slash);
    const std::string inside = slash == std::string::npos ? "" : value.substr(slash + 1);
    if (!is_of_family(outside)) continue;
    const bool is_relay_ip = std::find(named.begin(), named.end(), inside) != named.end();
    if (!inside.empty() && !named.empty() && !is_relay_ip) {
      remark(*option, Fate::unneeded, "public_ip", "no relay-ip stands behind it");
      continue;
    }
    if (++pairs > 1) {
      remark(*option, Fate::lost, "public_ip",
             "behind NAT, Turnpike relays from one address of each family, which is that of the "
             "first line");
      continue;
    }
    public_ip.push_back(outside);
    if (!inside.empty() && (relay_ips.size() > 1 || all("external-ip").size() > 1)) {
      relay_ips = {inside};
    }
    remark(*option, Fate::mapped, "public_ip", "");
  }
  relay.insert(relay.end(), relay_ips.begin(), relay_ips.end());
}

void Mapper::map_addresses() {
  std::vector<std::string> public_ip;
  std::vector<std::string> relay;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    map_public_address(family, public_ip, relay);
  }
  for (const Option* option : all("external-ip")) {
    const std::string value = option->value.value_or("");
    if (IpAddress::parse(value.substr(0, value.find('/')))) continue;
    remark(*option, Fate::lost, "public_ip", "this is no address; write the address itself");
  }
  if (!public_ip.empty()) {
    if (const auto refusal = put("public_ip", texts(public_ip), "external-ip")) {
      remark_default("external-ip", Fate::lost, "public_ip", *refusal);
    }
  }
  std::optional<std::string> refusal;
  if (!relay.empty()) refusal = put("relay.addresses", texts(relay), "relay-ip, external-ip");
  remark_all("relay-ip", refusal ? Fate::lost : Fate::mapped, "relay.addresses",
             refusal.value_or(""));
}

/// coturn serves RFC 5780 unasked once it listens on two named addresses of a family.
void Mapper::map_nat_discovery() {
  const bool is_off = has("no-rfc5780");
  remark_all("no-rfc5780", Fate::unneeded, "nat_discovery", "off unless nat_discovery is set");
  std::vector<std::string> addresses;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    std::vector<std::string> of_family;
    for (const std::string& address : values_of("listening-ip")) {
      const auto parsed = IpAddress::parse(address);
      if (!parsed || parsed->family() != family || of_family.size() == 2) continue;
      std::string entry = address;
      for (const std::string& pair : values_of("external-ip")) {
        const std::size_t slash = pair.find('/');
        if (slash != std::string::npos && pair.substr(slash + 1) == address) {
          entry = address + "/" + pair.substr(0, slash);
        }
      }
      of_family.push_back(entry);
    }
    if (of_family.size() == 2)
      addresses.insert(addresses.end(), of_family.begin(), of_family.end());
  }
  const bool wanted = !is_off && !addresses.empty() && !has("no-udp");
  remark_all("alt-listening-port", wanted ? Fate::mapped : Fate::unneeded, "nat_discovery.ports",
             wanted ? "" : "without two addresses under listening-ip there is no NAT discovery");
  remark_all("alt-tls-listening-port", Fate::unneeded, "", "NAT discovery is for UDP");
  if (!wanted) return;
  const auto port = number_of("listening-port").value_or(3478);
  const auto other = number_of("alt-listening-port").value_or(0);
  List ports;
  for (const std::uint64_t one : {port, other == 0 ? port + 1 : other}) {
    ports.push_back(number(static_cast<std::int64_t>(one)));
  }
  auto refusal = put("nat_discovery.addresses", texts(addresses), "listening-ip");
  if (!refusal) refusal = put("nat_discovery.ports", {ports, {}}, "listening-port");
  if (refusal) {
    std::erase_if(settings_, [](const Setting& s) { return s.key.starts_with("nat_discovery"); });
  }
  remark_default("listening-ip", refusal ? Fate::lost : Fate::mapped, "nat_discovery",
                 refusal ? *refusal : "two addresses: NAT discovery (RFC 5780), as in coturn");
}

// --- Relays --------------------------------------------------------------------------------------

void Mapper::map_relay() {
  if (last("min-port") != nullptr || last("max-port") != nullptr) {
    const auto asked = number_of("min-port").value_or(49152);
    const auto last_port = number_of("max-port").value_or(65535);
    const auto first_port = std::max<std::uint64_t>(asked, 1024);
    const auto refusal =
        put("relay.ports", text(fmt::format("{}-{}", first_port, last_port)), "min-port, max-port");
    const bool is_raised = first_port != asked && !refusal;
    const std::string why = refusal     ? *refusal
                            : is_raised ? "relays never use ports below 1024"
                                        : "";
    remark_all("min-port",
               refusal     ? Fate::lost
               : is_raised ? Fate::stricter
                           : Fate::mapped,
               "relay.ports", why);
    remark_all("max-port", refusal ? Fate::lost : Fate::mapped, "relay.ports",
               refusal.value_or(""));
  }
  put("relay.tcp", yes_or_no(!has("no-tcp-relay")), "no-tcp-relay");
  remark_all("no-tcp-relay", Fate::mapped, "relay.tcp", "");
  if (last("mobility") != nullptr) map("mobility", "relay.mobility", yes_or_no(has("mobility")));

  const Option* const family = last("allocation-default-address-family");
  const std::string wanted = has("keep-address-family")           ? "keep"
                             : family != nullptr && family->value ? *family->value
                                                                  : "ipv4";
  const bool is_lost = wanted != "keep" && wanted != "ipv4";
  put("relay.address_family", text(wanted == "keep" ? "follow-client" : "strict"),
      "keep-address-family, allocation-default-address-family");
  for (const char* name : {"keep-address-family", "allocation-default-address-family"}) {
    remark_all(name, is_lost ? Fate::lost : Fate::mapped, "relay.address_family",
               is_lost ? "clients that name no family get IPv4 (RFC 8656 §7.2)" : "");
  }
  for (const auto& [name, key, port] :
       {std::tuple{"alternate-server", "relay.alternate_servers", 3478U},
        {"tls-alternate-server", "relay.alternate_tls_servers", 5349U}}) {
    if (last(name) == nullptr) continue;
    std::vector<std::string> servers;
    for (const std::string& server : values_of(name)) {
      const std::string endpoint = with_default_port(server, port);
      if (std::find(servers.begin(), servers.end(), endpoint) == servers.end()) {
        servers.push_back(endpoint);
      }
    }
    map(name, key, texts(servers),
        "clients are sent there when this server is full; coturn sends all of them");
  }
}

/// Those that can be read; the others are remarked on.
std::vector<AddressRange> Mapper::ranges_of(std::string_view name) {
  std::vector<AddressRange> ranges;
  for (const Option* option : all(name)) {
    if (const auto range = parse_address_range(option->value.value_or(""))) {
      ranges.push_back(*range);
    } else {
      remark(*option, Fate::lost, "",
             "this is no address and no range of addresses, as in 10.0.0.0-10.0.0.255");
    }
  }
  return ranges;
}

/// In coturn what is allowed wins over what is denied; in Turnpike the longer prefix does. So what
/// is allowed is cut out of what is denied.
void Mapper::map_peers() {
  const std::vector<AddressRange> allowed = ranges_of("allowed-peer-ip");
  const std::vector<AddressRange> denied = ranges_of("denied-peer-ip");
  std::vector<std::string> deny;
  std::vector<std::string> allow;
  const auto add = [](const AddressRange& range, std::vector<std::string>& out) {
    for (const IpPrefix& prefix : prefixes_of(range)) {
      const std::string rule = prefix.to_string();
      if (std::find(out.begin(), out.end(), rule) == out.end()) out.push_back(rule);
    }
  };
  for (const AddressRange& range : denied) {
    for (const AddressRange& part : without(range, allowed)) add(part, deny);
  }
  for (const Option* option : all("allowed-peer-ip")) {
    const auto range = parse_address_range(option->value.value_or(""));
    if (!range) continue;
    std::vector<std::string> rules;
    add(*range, rules);
    const auto refused = std::find_if(rules.begin(), rules.end(), [](const std::string& rule) {
      return !server::parse_allow_rule(rule);
    });
    if (is_hard_denied(*range)) {
      remark(*option, Fate::stricter, "",
             "loopback, link-local and multicast addresses are never relayed to");
    } else if (refused != rules.end()) {
      remark(
          *option, Fate::lost, "relay.allow_peers",
          fmt::format("{} is too wide an exception; name the networks that are meant", *refused));
    } else {
      add(*range, allow);
      remark(*option, Fate::mapped, "relay.allow_peers", "");
    }
  }
  for (const Option* option : all("denied-peer-ip")) {
    if (parse_address_range(option->value.value_or(""))) {
      remark(*option, Fate::mapped, "relay.deny_peers", "");
    }
  }
  if (has("no-udp-relay")) {
    for (const char* everything : {"0.0.0.0/0/udp", "::/0/udp"}) deny.emplace_back(everything);
    allow.clear();
  }
  remark_all("no-udp-relay", Fate::mapped, "relay.deny_peers",
             "every peer is denied over UDP, and allowed-peer-ip counts no more");
  if (has("stun-only")) {
    deny = {"0.0.0.0/0", "::/0"};
    allow.clear();
  }
  remark_all(
      "stun-only", Fate::lost, "relay.deny_peers",
      "TURN cannot be switched off: every peer is denied, and no credentials are taken over");
  if (!deny.empty()) put("relay.deny_peers", texts(deny), "denied-peer-ip");
  if (!allow.empty()) put("relay.allow_peers", texts(allow), "allowed-peer-ip");
  remark_default("denied-peer-ip", Fate::stricter, "relay.allow_peers",
                 "coturn relays to private networks unless told; Turnpike does not, unless "
                 "relay.allow_peers names them");
  remark_default("denied-peer-ip", Fate::stricter, "relay.peer_ports",
                 "peers are reached on port 443 and from 1024 up, unless relay.peer_ports or "
                 "relay.allow_peers says more");
}

// --- Limits --------------------------------------------------------------------------------------

/// coturn counts bytes, Turnpike bits; both count each direction by itself.
void Mapper::map_rate(std::string_view name, std::string_view key) {
  if (last(name) == nullptr) return;
  const auto bytes = number_of(name);
  if (!bytes) return remark_all(name, Fate::lost, key, "this is no number");
  if (*bytes == 0) return remark_all(name, Fate::unneeded, key, "0: no limit, as by default");
  constexpr std::uint64_t most = 1'000'000'000'000;
  const std::uint64_t kilobits = std::max<std::uint64_t>(std::min(*bytes, most) * 8 / 1000, 1);
  map(name, key, text(fmt::format("{}kbit", kilobits)), "in bits a second, each way");
}

void Mapper::map_seconds(std::string_view name, std::string_view key) {
  const Option* const option = last(name);
  if (option == nullptr) return;
  map(name, key, text(option->value.value_or("") + "s"));
}

void Mapper::map_limits() {
  for (const auto& [name, key] : {std::pair{"user-quota", "relay.max_allocations_per_user"},
                                  {"total-quota", "relay.max_allocations"}}) {
    if (last(name) == nullptr) continue;
    const auto quota = number_of(name);
    if (quota) {
      map(name, key,
          number(static_cast<std::int64_t>(std::min<std::uint64_t>(*quota, 10'000'000))));
    } else {
      remark_all(name, Fate::lost, key, "this is no number");
    }
  }
  if (last("user-quota") == nullptr) {
    remark_default("user-quota", Fate::stricter, "relay.max_allocations_per_user",
                   "without a quota coturn has none; Turnpike allows a user 12 allocations");
  }
  map_rate("max-bps", "relay.bandwidth_per_allocation");
  map_rate("bps-capacity", "relay.bandwidth_total");
  map_seconds("max-allocate-lifetime", "relay.max_lifetime");
  map_seconds("max-allocate-timeout", "limits.unauthenticated_timeout");

  const Option* const nonce = last("stale-nonce");
  if (nonce != nullptr && nonce->value == "0") {
    remark_all("stale-nonce", Fate::stricter, "auth.nonce_lifetime", "a nonce lives ten minutes");
  } else if (nonce != nullptr && nonce->value && parse_number(*nonce->value)) {
    map_seconds("stale-nonce", "auth.nonce_lifetime");
  } else if (nonce != nullptr) {
    map("stale-nonce", "auth.nonce_lifetime", text("10m"));
  }
  for (const auto& [name, rfc] :
       {std::pair{"channel-lifetime", 600U}, {"permission-lifetime", 300U}}) {
    const bool is_standard = number_of(name) == std::uint64_t{rfc};
    remark_all(name, is_standard ? Fate::unneeded : Fate::lost, "",
               fmt::format("always {} seconds (RFC 8656)", rfc));
  }
}

// --- Credentials ---------------------------------------------------------------------------------

void Mapper::map_secrets(std::vector<ConfigValue>& secrets) {
  const auto add = [&](const std::string& secret) -> std::optional<std::string> {
    if (!is_utf8(secret)) return std::string{not_utf8};
    const auto checked = server::check_secret(secret);
    if (!checked) {
      return fmt::format("left out: {}; {}, and give it to whoever makes credentials",
                         checked.error().problem, checked.error().remedy);
    }
    secrets.push_back(
        table({{"id", fmt::format("coturn-{}", secrets.size() + 1)}, {"value", secret}}));
    return std::nullopt;
  };
  for (const Option* option : all("static-auth-secret")) {
    const auto refusal = add(option->value.value_or(""));
    remark(*option, refusal ? Fate::lost : Fate::mapped, "auth.secrets", refusal.value_or(""));
  }
  if (!source_.database) return;
  for (const auto& secret : source_.database->secrets) {
    const bool is_ours = secret.realm.empty() || secret.realm == realm_;
    const auto refusal = is_ours ? add(secret.value)
                                 : fmt::format("of realm {}: Turnpike has one realm", secret.realm);
    remark_default("turn_secret", refusal ? Fate::lost : Fate::mapped, "auth.secrets",
                   refusal.value_or(""));
  }
}

void Mapper::map_static_user(const Option& option, std::vector<ConfigValue>& users) {
  const std::string value = option.value.value_or("");
  const std::size_t colon = value.find(':');
  const auto name = server::parse_user_name(value.substr(0, colon));
  if (!name || colon == std::string::npos || colon + 1 == value.size()) {
    return remark(option, Fate::lost, "auth.users",
                  "there should be a name, a colon, and a password or a key");
  }
  const std::string password = value.substr(colon + 1);
  const bool is_key = password.starts_with("0x");
  const std::string reason = is_key ? reason_against_key(*name, password.substr(2)) : "";
  if (!reason.empty()) return remark(option, Fate::lost, "", reason);

  const auto is_same = [&](const ConfigValue& other) {
    return *other.table()->front().value.text() == *name;
  };
  std::erase_if(users, is_same);  // coturn lets the last one win
  users_.erase(normalised(*name));
  if (is_key) {
    take_user(*name, password.substr(2));
    return remark(option, Fate::mapped, "store", "");
  }
  if (!is_utf8(value)) {  // else the whole list would be refused
    return remark(
        option, Fate::lost, "auth.users",
        fmt::format("the name or the password of {}: {}", server::in_quotes(*name), not_utf8));
  }
  users.push_back(table({{"name", *name}, {"password", password}}));
  remark(option, Fate::mapped, "auth.users", "");
}

/// Why a user of whom only a key is known cannot be taken over; empty: it can.
std::string Mapper::reason_against_key(std::string_view name, std::string_view key) const {
  const bool has_realm = std::any_of(settings_.begin(), settings_.end(),
                                     [](const Setting& s) { return s.key == "realm"; });
  if (!has_realm) {
    return "a key is of use only together with its realm, and there is none here; set realm and "
           "import again";
  }
  const std::string who = server::in_quotes(name);
  if (!server::parse_user_name(name)) return fmt::format("{} is no name of a user", who);
  if (!key_in_hex(key)) return fmt::format("what there is of {} is no MD5 or SHA-256 key", who);
  if (!source_.store.empty()) return {};
  return fmt::format(
      "the key of {} cannot stand in the configuration; put it into the store with "
      "--store PATH, or set a password with `turnpike user add`",
      who);
}

/// Precondition: nothing is against it, and no other of that name is there.
void Mapper::take_user(std::string_view name, std::string_view key) {
  store::StoredUser user{.name = normalised(name), .realm = normalised(realm_)};
  auth::LongTermKey bytes = *key_in_hex(key);
  (bytes.size() == md5_bytes ? user.md5 : user.sha256) = std::move(bytes);
  std::string place = user.name;
  users_.emplace(std::move(place), std::move(user));
}

void Mapper::map_database_users() {
  std::size_t taken = 0;
  for (const auto& user : source_.database->users) {
    const std::string reason =
        user.realm == realm_
            ? reason_against_key(user.name, user.key_hex)
            : fmt::format("{} is of realm {}: Turnpike has one realm", server::in_quotes(user.name),
                          server::in_quotes(user.realm));
    if (!reason.empty()) {
      remark_default("turnusers_lt", Fate::lost, "", reason);
    } else if (!users_.contains(normalised(user.name))) {  // those of the file come first
      take_user(user.name, user.key_hex);
      ++taken;
    }
  }
  if (taken == 0) return;
  remark_default("turnusers_lt", Fate::mapped, "store",
                 fmt::format("{} user{}", taken, taken == 1 ? "" : "s"));
}

/// A client that knows SHA-256 takes it where it is offered, and there is no such key of these
/// users. coturn offers MD5 alone too.
void Mapper::map_store() {
  if (source_.store.empty()) return;
  if (const auto refusal = put("store.url", text("sqlite:" + source_.store), "--store")) {
    remark_default("--store", Fate::lost, "store.url", *refusal);
  }
  const bool is_md5 = std::any_of(users_.begin(), users_.end(),
                                  [](const auto& user) { return user.second.sha256.empty(); });
  const bool is_sha256 = std::any_of(users_.begin(), users_.end(),
                                     [](const auto& user) { return user.second.md5.empty(); });
  if (!is_md5 || is_sha256) return;
  put("auth.algorithms", texts({"md5"}), "users with MD5 keys");
  remark_default("lt-cred-mech", Fate::mapped, "auth.algorithms",
                 "MD5 alone is offered, as by coturn, for these users have no other key; once all "
                 "have new passwords (`turnpike user passwd`), take the line out");
}

void Mapper::map_users() {
  std::vector<ConfigValue> users;
  for (const Option* option : all("user")) map_static_user(*option, users);
  if (source_.database) map_database_users();
  if (users.empty()) return;
  if (const auto refusal = put("auth.users", {List{users.begin(), users.end()}, {}}, "user")) {
    remark_default("user", Fate::lost, "auth.users", *refusal);
  }
}

/// coturn knows either secrets or users, never both; so what it ignored stays without effect.
void Mapper::map_credentials() {
  const bool by_secret = has("use-auth-secret") || last("static-auth-secret") != nullptr;
  const bool nobody = has("stun-only");
  std::vector<ConfigValue> secrets;
  if (nobody) {
    for (const char* name : {"user", "static-auth-secret"}) {
      remark_all(name, Fate::unneeded, "", "with stun-only nobody relays");
    }
  } else if (by_secret) {
    constexpr const char* why =
        "with use-auth-secret coturn does not look at users, so they are left out";
    map_secrets(secrets);
    remark_all("user", Fate::unneeded, "", why);
    if (source_.database && !source_.database->users.empty()) {
      remark_default("turnusers_lt", Fate::unneeded, "", why);
    }
  } else {
    map_users();
    if (source_.database && !source_.database->secrets.empty()) {
      remark_default("turn_secret", Fate::unneeded, "",
                     "without use-auth-secret coturn does not look at secrets, so they are left "
                     "out");
    }
  }
  map_store();
  for (const char* name : {"userdb", "db"}) {
    remark_all(name, source_.database ? Fate::mapped : Fate::lost, "",
               source_.database ? "read by --db"
                                : "the database was not read; import again with --db FILE");
  }
  const Option* const separator = last("rest-api-separator");
  const bool is_usual = separator == nullptr || separator->value == ":";
  remark_all("rest-api-separator", is_usual ? Fate::unneeded : Fate::lost, "",
             is_usual ? "it is a colon" : "it is always a colon; other user names are refused");

  const bool has_users = std::any_of(settings_.begin(), settings_.end(),
                                     [](const Setting& s) { return s.key == "auth.users"; });
  if (secrets.empty() && users_.empty() && !has_users) {
    secrets.push_back(table({{"id", "fresh"}, {"value", source_.fresh_secret}}));
    remark_default("static-auth-secret", Fate::stricter, "auth.secrets",
                   "nothing that was imported lets anybody in, so a new secret was made: hand it "
                   "to whoever makes credentials");
  }
  if (!secrets.empty()) {
    put("auth.secrets", {List{secrets.begin(), secrets.end()}, {}}, "static-auth-secret");
  }
}

// --- The rest ------------------------------------------------------------------------------------

void Mapper::map_rest() {
  if (const auto threads = number_of("relay-threads")) {
    const auto workers = std::clamp<std::uint64_t>(*threads, 1, 255);
    map("relay-threads", "workers", number(static_cast<std::int64_t>(workers)));
  } else {
    remark_all("relay-threads", Fate::lost, "workers", "this is no number");
  }
  if (has("Verbose")) {
    map("Verbose", "log.level", text("debug"));
  } else {
    remark_all("Verbose", Fate::unneeded, "", "is switched off");
  }
  const bool has_metrics = has("prometheus");
  const auto port = number_of("prometheus-port").value_or(9641);
  put("metrics.listen", text(has_metrics ? fmt::format("127.0.0.1:{}", port) : ""), "prometheus");
  remark_all("prometheus", has_metrics ? Fate::stricter : Fate::unneeded, "metrics.listen",
             has_metrics ? "on loopback only; set metrics.listen to a private address to open it"
                         : "is switched off");
  remark_all("prometheus-port", has_metrics ? Fate::mapped : Fate::unneeded, "metrics.listen", "");
  put("signaling.enabled", yes_or_no(false), "");
  remark_default("rooms", Fate::unneeded, "signaling.enabled",
                 "coturn has no rooms and no call page, so they are off; true switches them on");
}

Import Mapper::finish() {
  std::stable_sort(remarks_.begin(), remarks_.end(),
                   [](const Remark& a, const Remark& b) { return a.line < b.line; });
  const auto place = [](const Setting& setting) {
    const auto all_keys = server::config_keys();
    return std::find_if(all_keys.begin(), all_keys.end(),
                        [&](const server::ConfigKey& key) { return key.path == setting.key; });
  };
  std::stable_sort(settings_.begin(), settings_.end(),
                   [&](const Setting& a, const Setting& b) { return place(a) < place(b); });
  Import import{std::move(settings_), std::move(remarks_), {}};
  for (auto& [name, user] : users_) import.users.push_back(std::move(user));
  return import;
}

}  // namespace

Import convert(const Source& source) { return Mapper{source}.run(); }

std::string to_toml(const std::vector<Setting>& settings, std::string_view name) {
  std::string out = fmt::format(
      "# Imported from coturn's {} by `turnpike import coturn`. It may hold secrets: mode 0600 or\n"
      "# 0640. `turnpike config check` says whether it is right, turnpike.toml(5) what there is.\n",
      name);
  std::string section;
  for (const Setting& setting : settings) {
    const std::size_t dot = setting.key.find('.');
    const std::string in = dot == std::string::npos ? "" : setting.key.substr(0, dot);
    if (in != section) {
      section = in;
      out += fmt::format("\n[{}]\n", section);
    }
    const std::string key = dot == std::string::npos ? setting.key : setting.key.substr(dot + 1);
    if (!setting.origin.empty()) out += fmt::format("# {}\n", setting.origin);
    out += fmt::format("{} = {}\n", key, server::to_toml(setting.value));
  }
  return out;
}

}  // namespace turnpike::cli::coturn
