#include "server/config_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "net/local_listener.h"
#include "signaling/api_keys.h"
#include "signaling/limits.h"
#include "signaling/origin.h"

namespace turnpike::server {
namespace {

// --- Reading values of one type ------------------------------------------------------------------

void wrong_type(const ConfigValue& value, std::string_view expected, KeyProblems& problems) {
  problems.add(value.place,
               {fmt::format("{} was given where {} is expected", value.describe(), expected),
                fmt::format("write for example {}", problems.example())});
}

/// The same without the value, which may be a secret in the wrong place.
void wrong_type_of_secret(const ConfigValue& value, std::string_view expected,
                          KeyProblems& problems) {
  problems.add(value.place,
               {fmt::format("{} was given where {} is expected", value.describe_type(), expected),
                fmt::format("write for example {}", problems.example())});
}

/// Runs `parse` over a text value and hands the result to `store`.
template <class Parse, class Store>
void with_text(const ConfigValue& value, KeyProblems& problems, Parse parse, Store store) {
  if (value.text() == nullptr) return wrong_type(value, "text", problems);
  auto parsed = parse(*value.text());
  if (!parsed) return problems.add(value.place, parsed.error());
  store(std::move(*parsed));
}

/// The same for each element of a list of texts. Twice the same element is an error.
template <class T, class Parse>
void with_list(const ConfigValue& value, KeyProblems& problems, Parse parse, std::vector<T>& out) {
  if (value.list() == nullptr) return wrong_type(value, "a list", problems);
  std::vector<T> elements;
  for (const ConfigValue& element : *value.list()) {
    with_text(element, problems, parse, [&](T parsed) {
      if (std::find(elements.begin(), elements.end(), parsed) != elements.end()) {
        problems.add(element.place, {fmt::format("{} is listed twice", in_quotes(*element.text())),
                                     "remove one of the two"});
      } else {
        elements.push_back(std::move(parsed));
      }
    });
  }
  out = std::move(elements);
}

void read_integer(const ConfigValue& value, std::uint32_t max, KeyProblems& problems,
                  std::uint32_t& out) {
  if (value.integer() == nullptr) return wrong_type(value, "a whole number", problems);
  if (*value.integer() < 0 || *value.integer() > std::int64_t{max}) {
    return problems.add(value.place, {fmt::format("{} is out of range", *value.integer()),
                                      fmt::format("use a number from 0 to {}", max)});
  }
  out = static_cast<std::uint32_t>(*value.integer());
}

/// How many of something there may be, where none would make no sense.
void read_count(const ConfigValue& value, std::uint32_t max, KeyProblems& problems,
                std::uint32_t& out) {
  if (value.integer() != nullptr && *value.integer() == 0) {
    return problems.add(value.place,
                        {"0 is out of range", fmt::format("use a number from 1 to {}", max)});
  }
  read_integer(value, max, problems, out);
}

void read_boolean(const ConfigValue& value, KeyProblems& problems, bool& out) {
  if (value.boolean() == nullptr) return wrong_type(value, "true or false", problems);
  out = *value.boolean();
}

void read_duration(const ConfigValue& value, seconds min, seconds max, KeyProblems& problems,
                   seconds& out) {
  if (value.integer() != nullptr) {  // the likeliest slip: a number without its unit
    return problems.add(value.place,
                        {fmt::format("the number {} has no unit", *value.integer()),
                         fmt::format("write \"{}s\" if seconds are meant", *value.integer())});
  }
  with_text(value, problems, parse_duration, [&](seconds duration) {
    if (duration < min || duration > max) {
      return problems.add(value.place, {fmt::format("{} is out of range", in_quotes(*value.text())),
                                        fmt::format("use a duration from {} to {}",
                                                    duration_text(min), duration_text(max))});
    }
    out = duration;
  });
}

void read_bandwidth(const ConfigValue& value, KeyProblems& problems, std::uint64_t& out) {
  if (value.integer() != nullptr && *value.integer() != 0) {
    return problems.add(value.place, {fmt::format("the number {} has no unit", *value.integer()),
                                      fmt::format("write \"{}mbit\" if megabits a second are meant",
                                                  *value.integer())});
  }
  if (value.integer() != nullptr) {
    out = 0;
    return;
  }
  with_text(value, problems, parse_bandwidth, [&](std::uint64_t bits) { out = bits; });
}

/// One of the values of an enumeration, by its name.
template <class Enum, std::size_t Size>
Parsed<Enum> parse_enum(std::string_view text, const std::array<Enum, Size>& all,
                        std::string_view (*name)(Enum)) {
  std::string names;
  for (std::size_t i = 0; i < Size; ++i) {
    if (text == name(all[i])) return all[i];
    names += i == 0 ? "" : i + 1 == Size ? " or " : ", ";
    names += in_quotes(name(all[i]));
  }
  return Failure<Complaint>{{fmt::format("{} is not known", in_quotes(text)), "use " + names}};
}

// --- Showing values ------------------------------------------------------------------------------

constexpr std::string_view hidden = "(hidden)";

ConfigValue shown(std::string_view text) { return {std::string{text}, {}}; }
ConfigValue shown(std::uint32_t number) { return {std::int64_t{number}, {}}; }

template <class Elements, class Text>
ConfigValue shown_list(const Elements& elements, Text text) {
  ConfigValue::List list;
  for (const auto& element : elements) list.push_back(shown(text(element)));
  return {std::move(list), {}};
}

ConfigValue shown_table(
    std::initializer_list<std::pair<std::string_view, std::string_view>> members) {
  ConfigValue::Table table;
  for (const auto& [key, value] : members) table.push_back({std::string{key}, {}, shown(value)});
  return {std::move(table), {}};
}

// --- Tables: secrets and users -------------------------------------------------------------------

/// The members of one table of a list, checked for unknown keys and for text as their type.
class TextMembers {
 public:
  TextMembers(const ConfigValue& table, std::span<const std::string_view> known,
              KeyProblems& problems) {
    if (table.table() == nullptr) {
      wrong_type_of_secret(table, "a table", problems);
      return;
    }
    is_valid_ = true;
    for (const ConfigMember& member : *table.table()) check(member, known, problems);
  }

  /// False when something was reported; the table is then to be left alone.
  [[nodiscard]] bool is_valid() const { return is_valid_; }
  [[nodiscard]] const ConfigMember* find(std::string_view key) const {
    const auto found = std::find_if(members_.begin(), members_.end(),
                                    [&](const ConfigMember* member) { return member->key == key; });
    return found == members_.end() ? nullptr : *found;
  }

 private:
  void check(const ConfigMember& member, std::span<const std::string_view> known,
             KeyProblems& problems) {
    if (std::find(known.begin(), known.end(), member.key) == known.end()) {
      is_valid_ = false;
      const std::string nearest = nearest_of(member.key, known);
      return problems.add(
          member.key_place,
          {fmt::format("the table has an unknown key {}", in_quotes(member.key)),
           nearest.empty() ? "remove it" : fmt::format("did you mean \"{}\"?", nearest)});
    }
    if (member.value.text() == nullptr) {  // the type only: the value may be a secret
      is_valid_ = false;
      return problems.add(member.value.place,
                          {fmt::format("\"{}\" is {} where text is expected", member.key,
                                       member.value.describe_type()),
                           "write it in quotation marks"});
    }
    members_.push_back(&member);
  }

  std::vector<const ConfigMember*> members_;
  bool is_valid_ = false;
};

/// The text of a secret, from `value` or from `file`.
std::optional<std::string> secret_text(const ConfigMember* value, const ConfigMember* file,
                                       KeyProblems& problems) {
  const Place& place = value != nullptr ? value->value.place : file->value.place;
  auto text = value != nullptr ? Parsed<std::string>{*value->value.text()}
                               : read_secret_file(resolved_path(*file->value.text(), place));
  if (text) text = check_secret(std::move(*text));
  if (text) return std::move(*text);
  if (file != nullptr && text.error().problem.starts_with("the secret")) {
    text.error().problem += fmt::format(" (in {})", in_quotes(*file->value.text()));
  }
  problems.add(place, std::move(text.error()));
  return std::nullopt;
}

/// What the entries of a list of secrets are called in messages.
struct SecretNoun {
  std::string_view one;   // with its article
  std::string_view bare;  // without
};

void read_secret(const ConfigValue& table, const SecretNoun& noun, KeyProblems& problems,
                 std::vector<auth::Secret>& out) {
  static constexpr std::array<std::string_view, 3> known{"id", "value", "file"};
  const TextMembers members{table, known, problems};
  if (!members.is_valid()) return;

  const ConfigMember* id = members.find("id");
  if (id == nullptr || id->value.text()->empty()) {
    return problems.add(table.place, {fmt::format("{} has no id", noun.one),
                                      R"(name it, for example id = "2026-11")"});
  }
  const std::string& name = *id->value.text();
  if (!parse_user_name(name)) {
    return problems.add(id->value.place,
                        {fmt::format("{} is no id", in_quotes(name)),
                         "use a short name without control characters and colons"});
  }
  const auto same_id = [&](const auth::Secret& other) { return other.id == name; };
  if (std::any_of(out.begin(), out.end(), same_id)) {
    return problems.add(
        id->value.place,
        {fmt::format("two {}s have the id {}", noun.bare, in_quotes(name)), "give each its own"});
  }
  const ConfigMember* value = members.find("value");
  const ConfigMember* file = members.find("file");
  if ((value == nullptr) == (file == nullptr)) {
    return problems.add(
        table.place,
        {fmt::format("the {} {} has {} value {} file", noun.bare, in_quotes(name),
                     value == nullptr ? "neither" : "both", value == nullptr ? "nor" : "and"),
         "give it exactly one of the two"});
  }
  if (auto text = secret_text(value, file, problems)) out.push_back({name, std::move(*text)});
}

void apply_secrets(Config& config, const ConfigValue& value, KeyProblems& problems) {
  if (value.list() == nullptr) return wrong_type_of_secret(value, "a list of tables", problems);
  std::vector<auth::Secret> secrets;
  for (const ConfigValue& table : *value.list()) {
    read_secret(table, {"a secret", "secret"}, problems, secrets);
  }
  config.auth.secrets = std::move(secrets);
}

/// What an API key must be besides long: it stands in a header, in tokens, and for one program.
std::optional<Complaint> complaint_about(const auth::Secret& key,
                                         const std::vector<auth::Secret>& others) {
  constexpr std::size_t max_id_bytes = 128;  // as `kid` of a room token
  if (key.id.size() > max_id_bytes) {
    return Complaint{fmt::format("the id of an API key has {} bytes", key.id.size()),
                     fmt::format("use at most {}", max_id_bytes)};
  }
  if (!signaling::is_bearer_token(key.value)) {
    return Complaint{
        fmt::format("the API key {} has characters that cannot stand in an HTTP header",
                    in_quotes(key.id)),
        "generate one, for example with `openssl rand -hex 32`"};
  }
  const auto same = std::find_if(others.begin(), others.end(), [&](const auth::Secret& other) {
    return other.value == key.value;
  });
  if (same == others.end()) return std::nullopt;
  return Complaint{
      fmt::format("the API keys {} and {} are the same", in_quotes(same->id), in_quotes(key.id)),
      "give each program its own"};
}

void apply_api_keys(Config& config, const ConfigValue& value, KeyProblems& problems) {
  if (value.list() == nullptr) return wrong_type_of_secret(value, "a list of tables", problems);
  std::vector<auth::Secret> keys;
  for (const ConfigValue& table : *value.list()) {
    const std::size_t before = keys.size();
    read_secret(table, {"an API key", "API key"}, problems, keys);
    if (keys.size() == before) continue;
    const std::vector<auth::Secret> others{keys.begin(), keys.end() - 1};
    if (auto complaint = complaint_about(keys.back(), others)) {
      problems.add(table.place, std::move(*complaint));
    }
  }
  config.auth.api_keys = std::move(keys);
}

void read_user(const ConfigValue& table, KeyProblems& problems,
               std::vector<auth::StaticUser>& out) {
  static constexpr std::array<std::string_view, 2> known{"name", "password"};
  const TextMembers members{table, known, problems};
  if (!members.is_valid()) return;

  const ConfigMember* name = members.find("name");
  const ConfigMember* password = members.find("password");
  if (name == nullptr || password == nullptr) {
    return problems.add(table.place,
                        {fmt::format("a user has no {}", name == nullptr ? "name" : "password"),
                         fmt::format("write for example {}", problems.example())});
  }
  const auto parsed = parse_user_name(*name->value.text());
  if (!parsed) return problems.add(name->value.place, parsed.error());
  const auto same_name = [&](const auth::StaticUser& other) { return other.name == *parsed; };
  if (std::any_of(out.begin(), out.end(), same_name)) {
    return problems.add(
        name->value.place,
        {fmt::format("two users are called {}", in_quotes(*parsed)), "remove one of the two"});
  }
  if (password->value.text()->empty()) {
    return problems.add(password->value.place,
                        {fmt::format("the password of {} is empty", in_quotes(*parsed)),
                         "give the user a password"});
  }
  out.push_back({*parsed, *password->value.text()});
}

void apply_users(Config& config, const ConfigValue& value, KeyProblems& problems) {
  if (value.list() == nullptr) return wrong_type_of_secret(value, "a list of tables", problems);
  std::vector<auth::StaticUser> users;
  for (const ConfigValue& table : *value.list()) read_user(table, problems, users);
  config.auth.users = std::move(users);
}

ConfigValue shown_secrets(const std::vector<auth::Secret>& secrets) {
  ConfigValue::List list;
  for (const auth::Secret& secret : secrets) {
    list.push_back(shown_table({{"id", secret.id}, {"value", hidden}}));
  }
  return {std::move(list), {}};
}

ConfigValue show_users(const Config& config) {
  ConfigValue::List list;
  for (const auth::StaticUser& user : config.auth.users) {
    list.push_back(shown_table({{"name", user.name}, {"password", hidden}}));
  }
  return {std::move(list), {}};
}

// --- Keys with rules of their own ----------------------------------------------------------------

void apply_public_ip(Config& config, const ConfigValue& value, KeyProblems& problems) {
  if (value.text() != nullptr && *value.text() == "auto") {
    config.public_ip.clear();
    return;
  }
  if (value.text() != nullptr && IpAddress::parse(*value.text())) {
    return problems.add(
        value.place,
        {fmt::format("{} was given where \"auto\" or a list is expected", value.describe()),
         fmt::format("write [{}]", in_quotes(*value.text()))});
  }
  if (value.list() == nullptr) return wrong_type(value, R"("auto" or a list)", problems);
  if (value.list()->empty()) {
    return problems.add(value.place,
                        {"the list is empty", R"(write "auto", or the addresses peers see)"});
  }
  std::vector<IpAddress> addresses;
  with_list(value, problems, parse_unicast_address, addresses);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto count =
        std::count_if(addresses.begin(), addresses.end(),
                      [&](const IpAddress& address) { return address.family() == family; });
    if (count > 1) {
      problems.add(value.place, {fmt::format("{} IPv{} addresses are given", count,
                                             family == Family::ipv4 ? 4 : 6),
                                 "keep one of each family"});
    }
  }
  config.public_ip = std::move(addresses);
}

void apply_discovery_addresses(Config& config, const ConfigValue& value, KeyProblems& problems) {
  std::vector<DiscoveryAddress> addresses;
  with_list(value, problems, parse_discovery_address, addresses);
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    const auto count =
        std::count_if(addresses.begin(), addresses.end(),
                      [&](const DiscoveryAddress& each) { return each.bind.family() == family; });
    if (count == 0 || count == 2 || value.list() == nullptr ||
        addresses.size() != value.list()->size())
      continue;
    problems.add(value.place,
                 {fmt::format("{} IPv{} addresses are given, and RFC 5780 works with two", count,
                              family == Family::ipv4 ? 4 : 6),
                  "write two of each family that is to be served"});
  }
  for (std::size_t i = 1; i < addresses.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const DiscoveryAddress& a = addresses[i];
      const DiscoveryAddress& b = addresses[j];
      if (a.bind != b.bind && a.advertised != b.advertised) continue;
      problems.add(value.place, {fmt::format("{} and {} have an address in common",
                                             in_quotes(b.to_string()), in_quotes(a.to_string())),
                                 "write two that differ, here and as clients see them"});
    }
  }
  config.nat_discovery.addresses = std::move(addresses);
}

void apply_discovery_ports(Config& config, const ConfigValue& value, KeyProblems& problems) {
  if (value.list() == nullptr) return wrong_type(value, "a list", problems);
  std::vector<std::uint16_t> ports;
  for (const ConfigValue& element : *value.list()) {
    if (element.integer() == nullptr) return wrong_type(element, "a whole number", problems);
    if (*element.integer() < 1 || *element.integer() > 65535) {
      return problems.add(element.place, {fmt::format("{} is no port", *element.integer()),
                                          "use a number from 1 to 65535"});
    }
    ports.push_back(static_cast<std::uint16_t>(*element.integer()));
  }
  if (!ports.empty() && (ports.size() != 2 || ports[0] == ports[1])) {
    return problems.add(value.place, {"RFC 5780 works with two different ports",
                                      fmt::format("write for example {}", problems.example())});
  }
  config.nat_discovery.ports = std::move(ports);
}

/// Stores the path even if the file will not do: check_tls() is to see that one was given.
void read_path(const ConfigValue& value, FileSecrecy secrecy, KeyProblems& problems,
               std::string& out) {
  if (value.text() == nullptr) return wrong_type(value, "text", problems);
  out = value.text()->empty() ? std::string{} : resolved_path(*value.text(), value.place);
  if (out.empty()) return;
  if (auto complaint = check_file(out, secrecy)) problems.add(value.place, std::move(*complaint));
}

void apply_store_url(Config& config, const ConfigValue& value, KeyProblems& problems) {
  constexpr std::string_view scheme = "sqlite:";
  if (value.text() == nullptr) return wrong_type(value, "text", problems);
  config.store.is_default = false;
  if (value.text()->empty()) return config.store.path.clear();
  if (!value.text()->starts_with(scheme) || value.text()->size() == scheme.size()) {
    return problems.add(value.place, {fmt::format("{} is no store", in_quotes(*value.text())),
                                      fmt::format("write for example {}", problems.example())});
  }
  const std::string path = resolved_path(value.text()->substr(scheme.size()), value.place);
  config.store.path = std::filesystem::path{path}.lexically_normal().string();
}

void apply_relay_ports(Config& config, const ConfigValue& value, KeyProblems& problems) {
  with_text(value, problems, parse_port_range, [&](PortRange range) {
    if (range.first < 1024) {
      return problems.add(value.place,
                          {fmt::format("{} reaches below port 1024, where system services live",
                                       in_quotes(*value.text())),
                           R"(use ports from 1024 up, for example "49152-65535")"});
    }
    config.relay.ports = range;
  });
}

void apply_algorithms(Config& config, const ConfigValue& value, KeyProblems& problems) {
  static constexpr std::array all{stun::PasswordAlgorithm::md5, stun::PasswordAlgorithm::sha256};
  const auto parse = [](std::string_view text) {
    return parse_enum<stun::PasswordAlgorithm>(text, all, stun::name_of);
  };
  with_list(value, problems, parse, config.auth.algorithms);
  if (value.list() != nullptr && value.list()->empty()) {
    problems.add(value.place,
                 {"the list is empty: nobody could log in", R"(write ["md5", "sha256"])"});
  }
}

void apply_address_family(Config& config, const ConfigValue& value, KeyProblems& problems) {
  static constexpr std::array all{AddressFamilyPolicy::strict, AddressFamilyPolicy::follow_client};
  const auto parse = [](std::string_view text) {
    return parse_enum<AddressFamilyPolicy>(text, all, to_string);
  };
  with_text(value, problems, parse,
            [&](AddressFamilyPolicy policy) { config.relay.address_family = policy; });
}

void apply_log_level(Config& config, const ConfigValue& value, KeyProblems& problems) {
  static constexpr std::array all{LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warn,
                                  LogLevel::error};
  const auto parse = [](std::string_view text) {
    return parse_enum<LogLevel>(text, all, to_string);
  };
  with_text(value, problems, parse, [&](LogLevel level) { config.log.level = level; });
}

void apply_log_format(Config& config, const ConfigValue& value, KeyProblems& problems) {
  static constexpr std::array all{LogFormat::automatic, LogFormat::text, LogFormat::json};
  const auto parse = [](std::string_view text) {
    return parse_enum<LogFormat>(text, all, to_string);
  };
  with_text(value, problems, parse, [&](LogFormat format) { config.log.format = format; });
}

constexpr std::uint32_t max_batch_us = 5'000;    // a packet's worth of speech is 20 ms
constexpr std::uint32_t max_count = 10'000'000;  // more allocations than any machine has ports for
constexpr std::uint32_t most_peers = 4096;       // as there are channel numbers
constexpr seconds one_day{86'400};

std::string address_text(const IpAddress& address) { return address.to_string(); }
std::string discovery_text(const DiscoveryAddress& address) { return address.to_string(); }
std::string endpoint_text(const Endpoint& endpoint) { return endpoint.to_string(); }
std::string listener_text(const ListenAddress& address) { return address.to_string(); }

// --- Signaling -----------------------------------------------------------------------------------

constexpr std::array join_auths{signaling::JoinAuth::open, signaling::JoinAuth::token,
                                signaling::JoinAuth::webhook};
constexpr std::array door_names{DoorName::native, DoorName::socketio, DoorName::relay,
                                DoorName::openvidu};
constexpr std::array profile_names{SocketIoProfile::zoom, SocketIoProfile::codelab,
                                   SocketIoProfile::echo};

std::string_view name_of(signaling::JoinAuth auth) {
  constexpr std::array<std::string_view, 3> names{"open", "token", "webhook"};
  return names.at(static_cast<std::size_t>(auth));
}

std::string_view name_of_door(DoorName door) {
  constexpr std::array<std::string_view, 4> names{"native", "socketio", "relay", "openvidu"};
  return names.at(static_cast<std::size_t>(door));
}

Parsed<DoorName> parse_door(std::string_view text) {
  return parse_enum(text, door_names, name_of_door);
}

std::string_view name_of_profile(SocketIoProfile profile) {
  constexpr std::array<std::string_view, 3> names{"zoom", "codelab", "echo"};
  return names.at(static_cast<std::size_t>(profile));
}

Parsed<SocketIoProfile> parse_profile(std::string_view text) {
  return parse_enum(text, profile_names, name_of_profile);
}

void apply_join_auth(Config& config, const ConfigValue& value, KeyProblems& problems) {
  with_text(
      value, problems, [](std::string_view text) { return parse_enum(text, join_auths, name_of); },
      [&](signaling::JoinAuth auth) { config.signaling.auth = auth; });
}

std::string_view plain_text(const std::string& text) { return text; }

Parsed<std::string> parse_allowed_origin(std::string_view text) {
  if (text == "*") return std::string{text};
  if (const auto origin = signaling::parse_origin(text)) return signaling::to_string(*origin);
  return Failure<Complaint>{{fmt::format("{} is no origin", in_quotes(text)),
                             "write scheme and host, as in \"https://app.example.com\", or \"*\""}};
}

void apply_allowed_origins(Config& config, const ConfigValue& value, KeyProblems& problems) {
  with_list(value, problems, parse_allowed_origin, config.signaling.allowed_origins);
}

void apply_max_peers(Config& config, const ConfigValue& value, KeyProblems& problems) {
  std::uint32_t peers = config.signaling.max_peers;
  read_integer(value, signaling::max_peers_cap, problems, peers);
  if (peers < 2) {
    return problems.add(value.place,
                        {fmt::format("{} is out of range", peers),
                         fmt::format("use a number from 2 to {}", signaling::max_peers_cap)});
  }
  config.signaling.max_peers = peers;
}

Parsed<std::string> parse_webhook_url(std::string_view text) {
  const bool is_url = text.starts_with("https://") || text.starts_with("http://");
  if (text.empty() || is_url) return std::string{text};
  return Failure<Complaint>{{fmt::format("{} is no HTTP address", in_quotes(text)),
                             "write for example \"https://app.example.com/turnpike\""}};
}

/// What signs requests to the operator's own server.
void read_signing_secret(const ConfigValue& value, KeyProblems& problems, std::string& out) {
  if (value.text() == nullptr) return wrong_type_of_secret(value, "text", problems);
  if (value.text()->empty()) return out.clear();
  auto secret = check_secret(*value.text());
  if (!secret) return problems.add(value.place, secret.error());
  out = std::move(*secret);
}

void apply_control_socket(Config& config, const ConfigValue& value, KeyProblems& problems) {
  if (value.text() == nullptr) return wrong_type(value, "text", problems);
  if (value.text()->size() > net::longest_local_path()) {
    return problems.add(value.place,
                        {fmt::format("the path has {} bytes", value.text()->size()),
                         fmt::format("the kernel allows {}", net::longest_local_path())});
  }
  config.control = {*value.text(), false};
}

void apply_metrics_listen(Config& config, const ConfigValue& value, KeyProblems& problems) {
  config.metrics.is_default = false;
  if (value.text() != nullptr && value.text()->empty()) {
    config.metrics.listen.reset();
    return;
  }
  with_text(value, problems, parse_listen_address,
            [&](const ListenAddress& address) { config.metrics.listen = address; });
}

// --- The table -----------------------------------------------------------------------------------

const std::array<ConfigKey, 75> keys{{
    {.path = "domain",
     .type = ConfigType::text,
     .example = R"("turn.example.com")",
     .meaning = "Certificate name, and the host in URLs handed to browsers.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_text(value, problems, parse_domain,
                     [&](std::string domain) { config.domain = std::move(domain); });
         },
     .show = [](const Config& config) { return shown(config.domain); }},
    {.path = "realm",
     .type = ConfigType::text,
     .example = R"("example.com")",
     .meaning = "The realm of long-term credentials; empty: the domain.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_text(value, problems, parse_realm,
                     [&](std::string realm) { config.realm = std::move(realm); });
         },
     .show = [](const Config& config) { return shown(config.realm); }},
    {.path = "public_ip",
     .type = ConfigType::text_or_list,
     .example = R"(["203.0.113.10"])",
     .meaning = "The addresses peers see, at most one of each family; \"auto\": those that relays "
                "are bound to.",
     .apply = apply_public_ip,
     .show =
         [](const Config& config) {
           return config.public_ip.empty() ? shown("auto")
                                           : shown_list(config.public_ip, address_text);
         }},
    {.path = "workers",
     .type = ConfigType::integer,
     .example = "4",
     .meaning = "Worker threads; 0: one per core.",
     .apply = [](Config& config, const ConfigValue& value,
                 KeyProblems& problems) { read_integer(value, 255, problems, config.workers); },
     .show = [](const Config& config) { return shown(config.workers); }},
    {.path = "tls.certificate",
     .type = ConfigType::text,
     .example = R"("/etc/turnpike/fullchain.pem")",
     .meaning = "PEM file with the certificate chain of the TLS listeners.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_path(value, FileSecrecy::open, problems, config.tls.certificate);
         },
     .show = [](const Config& config) { return shown(config.tls.certificate); }},
    {.path = "tls.key",
     .type = ConfigType::text,
     .example = R"("/etc/turnpike/privkey.pem")",
     .meaning = "PEM file with the key of that certificate, which not everybody may read.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_path(value, FileSecrecy::secret, problems, config.tls.key);
         },
     .show = [](const Config& config) { return shown(config.tls.key); }},
    {.path = "listen.udp",
     .type = ConfigType::text_list,
     .example = R"([":3478"])",
     .meaning = "UDP listeners; \":port\" is every address of both families.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_listen_address, config.listen.udp);
         },
     .show = [](const Config& config) { return shown_list(config.listen.udp, listener_text); }},
    {.path = "listen.tcp",
     .type = ConfigType::text_list,
     .example = R"([":3478"])",
     .meaning = "TCP listeners.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_listen_address, config.listen.tcp);
         },
     .show = [](const Config& config) { return shown_list(config.listen.tcp, listener_text); }},
    {.path = "listen.tls",
     .type = ConfigType::text_list,
     .example = R"([":5349", ":443"])",
     .meaning = "TLS listeners, over TCP; they need tls.certificate and tls.key.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_listen_address, config.listen.tls);
         },
     .show = [](const Config& config) { return shown_list(config.listen.tls, listener_text); }},
    {.path = "listen.dtls",
     .type = ConfigType::text_list,
     .example = R"([":5349"])",
     .meaning =
         "DTLS listeners, over UDP; they need tls.certificate and tls.key. A port that is in "
         "listen.udp too serves both.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_listen_address, config.listen.dtls);
         },
     .show = [](const Config& config) { return shown_list(config.listen.dtls, listener_text); }},
    {.path = "listen.http",
     .type = ConfigType::text_list,
     .example = R"(["127.0.0.1:8080"])",
     .meaning = "HTTP listeners for the signaling, in plain, behind a reverse proxy.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_listen_address, config.listen.http);
         },
     .show = [](const Config& config) { return shown_list(config.listen.http, listener_text); }},
    {.path = "listen.proxy_protocol",
     .type = ConfigType::text_list,
     .example = R"(["tcp::3478", "tls::443"])",
     .meaning = "Listeners, as \"udp::3478\", that only take what balancers bring with a PROXY "
                "protocol header.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_listener_name, config.listen.proxy_protocol);
         },
     .show =
         [](const Config& config) {
           return shown_list(config.listen.proxy_protocol,
                             [](const ListenerName& name) { return name.to_string(); });
         }},
    {.path = "listen.proxy_trusted",
     .type = ConfigType::text_list,
     .example = R"(["10.0.0.0/8"])",
     .meaning = "The balancers whose PROXY protocol headers are believed.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_trusted_prefix, config.listen.proxy_trusted);
         },
     .show =
         [](const Config& config) {
           return shown_list(config.listen.proxy_trusted,
                             [](const IpPrefix& prefix) { return prefix.to_string(); });
         }},
    {.path = "nat_discovery.addresses",
     .type = ConfigType::text_list,
     .example = R"(["203.0.113.10", "203.0.113.11"])",
     .meaning =
         "The two addresses of NAT behaviour discovery (RFC 5780), of each family that is to "
         "be served; \"bind/public\" behind 1:1 NAT; empty: off.",
     .apply = apply_discovery_addresses,
     .show =
         [](const Config& config) {
           return shown_list(config.nat_discovery.addresses, discovery_text);
         }},
    {.path = "nat_discovery.ports",
     .type = ConfigType::integer_list,
     .example = "[3478, 3479]",
     .meaning = "The two UDP ports of NAT behaviour discovery.",
     .apply = apply_discovery_ports,
     .show =
         [](const Config& config) {
           ConfigValue::List list;
           for (const std::uint16_t port : config.nat_discovery.ports) list.push_back(shown(port));
           return ConfigValue{std::move(list), {}};
         }},
    {.path = "relay.addresses",
     .type = ConfigType::text_list,
     .example = R"(["192.0.2.1"])",
     .meaning = "Addresses relay sockets are bound to; empty: every listening address.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_unicast_address, config.relay.addresses);
         },
     .show = [](const Config& config) { return shown_list(config.relay.addresses, address_text); }},
    {.path = "relay.ports",
     .type = ConfigType::text,
     .example = R"("49152-65535")",
     .meaning = "Ports of relayed addresses.",
     .apply = apply_relay_ports,
     .show = [](const Config& config) { return shown(port_range_text(config.relay.ports)); }},
    {.path = "relay.allow_peers",
     .type = ConfigType::text_list,
     .example = R"(["10.1.2.0/24:5000-6000/udp"])",
     .meaning = "Peers opened from the default-denied private ranges: CIDR[:ports][/udp|tcp].",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_allow_rule, config.relay.allow_peers);
         },
     .show =
         [](const Config& config) { return shown_list(config.relay.allow_peers, peer_rule_text); }},
    {.path = "relay.deny_peers",
     .type = ConfigType::text_list,
     .example = R"(["198.51.100.0/24"])",
     .meaning = "Peers denied besides the built-in list: CIDR[:ports][/udp|tcp].",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_peer_rule, config.relay.deny_peers);
         },
     .show =
         [](const Config& config) { return shown_list(config.relay.deny_peers, peer_rule_text); }},
    {.path = "relay.peer_ports",
     .type = ConfigType::text,
     .example = R"("443,1024-65535")",
     .meaning = "Peer ports anyone may be relayed to.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_text(value, problems, parse_port_list, [&](std::vector<PortRange> ranges) {
             config.relay.peer_ports = std::move(ranges);
           });
         },
     .show = [](const Config& config) { return shown(port_list_text(config.relay.peer_ports)); }},
    {.path = "relay.address_family",
     .type = ConfigType::text,
     .example = R"("strict")",
     .meaning =
         "What an Allocate that names no family gets: \"strict\" IPv4, or \"follow-client\".",
     .apply = apply_address_family,
     .show = [](const Config& config) { return shown(to_string(config.relay.address_family)); }},
    {.path = "relay.batch_us",
     .type = ConfigType::integer,
     .example = "100",
     .meaning =
         "Longest wait of a worker for more datagrams, under load, in microseconds: costs so much "
         "delay and saves CPU. 0: none.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_integer(value, max_batch_us, problems, config.relay.batch_us);
         },
     .show = [](const Config& config) { return shown(config.relay.batch_us); }},
    {.path = "relay.max_allocations",
     .type = ConfigType::integer,
     .example = "10000",
     .meaning = "Allocations in total; 0: by ports and file descriptors.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_integer(value, max_count, problems, config.relay.max_allocations);
         },
     .show = [](const Config& config) { return shown(config.relay.max_allocations); }},
    {.path = "relay.max_allocations_per_user",
     .type = ConfigType::integer,
     .example = "12",
     .meaning = "Allocations of one user; a member of a room of this server may have so many for "
                "each other member. 0: no limit.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_integer(value, max_count, problems, config.relay.max_allocations_per_user);
         },
     .show = [](const Config& config) { return shown(config.relay.max_allocations_per_user); }},
    {.path = "relay.max_allocations_per_network",
     .type = ConfigType::integer,
     .example = "2000",
     .meaning = "Allocations of clients in one IPv4 /24 or IPv6 /56; 0: no limit.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_integer(value, max_count, problems, config.relay.max_allocations_per_network);
         },
     .show = [](const Config& config) { return shown(config.relay.max_allocations_per_network); }},
    {.path = "relay.max_permissions_per_allocation",
     .type = ConfigType::integer,
     .example = "64",
     .meaning = "Peer addresses that one allocation may have permissions for at a time.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_count(value, most_peers, problems, config.relay.max_permissions_per_allocation);
         },
     .show =
         [](const Config& config) { return shown(config.relay.max_permissions_per_allocation); }},
    {.path = "relay.max_channels_per_allocation",
     .type = ConfigType::integer,
     .example = "64",
     .meaning = "Channels that one allocation may have at a time.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_count(value, most_peers, problems, config.relay.max_channels_per_allocation);
         },
     .show = [](const Config& config) { return shown(config.relay.max_channels_per_allocation); }},
    {.path = "relay.new_peers_per_second",
     .type = ConfigType::integer,
     .example = "10",
     .meaning = "New peers of one allocation a second, three times as many at once; 0: no limit.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_integer(value, max_count, problems, config.relay.new_peers_per_second);
         },
     .show = [](const Config& config) { return shown(config.relay.new_peers_per_second); }},
    {.path = "relay.bandwidth_per_allocation",
     .type = ConfigType::text,
     .example = R"("4mbit")",
     .meaning = "Payload of one allocation a second, both ways together; what is beyond is "
                "dropped; 0: no limit.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_bandwidth(value, problems, config.relay.bandwidth_per_allocation);
         },
     .show =
         [](const Config& config) {
           return shown(bandwidth_text(config.relay.bandwidth_per_allocation));
         }},
    {.path = "relay.bandwidth_per_user",
     .type = ConfigType::text,
     .example = R"("10mbit")",
     .meaning = "The same of all allocations of one user.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_bandwidth(value, problems, config.relay.bandwidth_per_user);
         },
     .show =
         [](const Config& config) {
           return shown(bandwidth_text(config.relay.bandwidth_per_user));
         }},
    {.path = "relay.bandwidth_total",
     .type = ConfigType::text,
     .example = R"("1gbit")",
     .meaning = "The same of all allocations.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_bandwidth(value, problems, config.relay.bandwidth_total);
         },
     .show =
         [](const Config& config) { return shown(bandwidth_text(config.relay.bandwidth_total)); }},
    {.path = "relay.max_lifetime",
     .type = ConfigType::text,
     .example = R"("1h")",
     .meaning = "The longest lifetime an allocation gets at once.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_duration(value, seconds{600}, one_day, problems, config.relay.max_lifetime);
         },
     .show = [](const Config& config) { return shown(duration_text(config.relay.max_lifetime)); }},
    {.path = "relay.alternate_servers",
     .type = ConfigType::text_list,
     .example = R"(["203.0.113.5:3478", "[2001:db8::5]:3478"])",
     .meaning = "Servers that UDP and TCP clients are sent to when this one is full (300).",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_server_endpoint, config.relay.alternate_servers);
         },
     .show =
         [](const Config& config) {
           return shown_list(config.relay.alternate_servers, endpoint_text);
         }},
    {.path = "relay.alternate_tls_servers",
     .type = ConfigType::text_list,
     .example = R"(["203.0.113.5:5349"])",
     .meaning = "The same for TLS clients, who try them with TLS.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_server_endpoint, config.relay.alternate_tls_servers);
         },
     .show =
         [](const Config& config) {
           return shown_list(config.relay.alternate_tls_servers, endpoint_text);
         }},
    {.path = "relay.alternate_domain",
     .type = ConfigType::text,
     .example = R"("turn2.example.com")",
     .meaning = "The name in the certificate of those; empty: the name by which clients came here.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_text(value, problems, parse_alternate_domain, [&](std::string domain) {
             config.relay.alternate_domain = std::move(domain);
           });
         },
     .show = [](const Config& config) { return shown(config.relay.alternate_domain); }},
    {.path = "relay.tcp",
     .type = ConfigType::boolean,
     .example = "false",
     .meaning = "true: TCP relays too (RFC 6062), for clients that come over TCP or TLS.",
     .apply = [](Config& config, const ConfigValue& value,
                 KeyProblems& problems) { read_boolean(value, problems, config.relay.tcp); },
     .show =
         [](const Config& config) {
           return ConfigValue{config.relay.tcp, {}};
         }},
    {.path = "relay.mobility",
     .type = ConfigType::boolean,
     .example = "true",
     .meaning = "Whether clients may take an allocation to another address (RFC 8016).",
     .apply = [](Config& config, const ConfigValue& value,
                 KeyProblems& problems) { read_boolean(value, problems, config.relay.mobility); },
     .show =
         [](const Config& config) {
           return ConfigValue{config.relay.mobility, {}};
         }},
    {.path = "limits.challenge_rate",
     .type = ConfigType::integer,
     .example = "50",
     .meaning = "401 and 438 answers a second per source /24 or /56; 0: no limit.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_integer(value, max_count, problems, config.limits.challenge_rate);
         },
     .show = [](const Config& config) { return shown(config.limits.challenge_rate); }},
    {.path = "limits.tcp_connections_per_address",
     .type = ConfigType::integer,
     .example = "64",
     .meaning = "TCP and TLS connections and DTLS sessions that one address may have; 0: no limit.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_integer(value, max_count, problems, config.limits.tcp_connections_per_address);
         },
     .show = [](const Config& config) { return shown(config.limits.tcp_connections_per_address); }},
    {.path = "limits.handshake_rate",
     .type = ConfigType::integer,
     .example = "200",
     .meaning = "TLS and DTLS handshakes a second per source /24 or /56 and worker; 0: no limit.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_integer(value, max_count, problems, config.limits.handshake_rate);
         },
     .show = [](const Config& config) { return shown(config.limits.handshake_rate); }},
    {.path = "limits.handshake_rate_total",
     .type = ConfigType::integer,
     .example = "400",
     .meaning = "TLS and DTLS handshakes a second per worker, whoever asks; 0: no limit.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_integer(value, max_count, problems, config.limits.handshake_rate_total);
         },
     .show = [](const Config& config) { return shown(config.limits.handshake_rate_total); }},
    {.path = "limits.unauthenticated_timeout",
     .type = ConfigType::text,
     .example = R"("10s")",
     .meaning = "How long a connection or DTLS session may stay open without an allocation.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_duration(value, seconds{1}, seconds{300}, problems,
                         config.limits.unauthenticated_timeout);
         },
     .show =
         [](const Config& config) {
           return shown(duration_text(config.limits.unauthenticated_timeout));
         }},
    {.path = "auth.secrets",
     .type = ConfigType::table_list,
     .example = R"([{ id = "2026-11", file = "/etc/turnpike/secret" }])",
     .meaning = "Shared secrets of time-limited credentials; the first signs, all verify.",
     .is_secret = true,
     .apply = apply_secrets,
     .show = [](const Config& config) { return shown_secrets(config.auth.secrets); }},
    {.path = "auth.api_keys",
     .type = ConfigType::table_list,
     .example = R"([{ id = "web", file = "/etc/turnpike/web.key" }])",
     .meaning = "API keys of programs that use the REST API; room tokens are signed with them.",
     .is_secret = true,
     .apply = apply_api_keys,
     .show = [](const Config& config) { return shown_secrets(config.auth.api_keys); }},
    {.path = "auth.credential_ttl",
     .type = ConfigType::text,
     .example = R"("1h")",
     .meaning = "How long credentials made here are valid.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_duration(value, seconds{1}, one_day, problems, config.auth.credential_ttl);
         },
     .show = [](const Config& config) { return shown(duration_text(config.auth.credential_ttl)); }},
    {.path = "auth.strict_expiry",
     .type = ConfigType::boolean,
     .example = "false",
     .meaning = "true: Refresh fails once the credential has expired.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_boolean(value, problems, config.auth.strict_expiry);
         },
     .show =
         [](const Config& config) {
           return ConfigValue{config.auth.strict_expiry, {}};
         }},
    {.path = "auth.users",
     .type = ConfigType::table_list,
     .example = R"([{ name = "alice", password = "…" }])",
     .meaning = "Static users with long-term passwords.",
     .is_secret = true,
     .apply = apply_users,
     .show = show_users},
    {.path = "auth.algorithms",
     .type = ConfigType::text_list,
     .example = R"(["md5", "sha256"])",
     .meaning = "PASSWORD-ALGORITHMS offered (RFC 8489).",
     .apply = apply_algorithms,
     .show =
         [](const Config& config) {
           return shown_list(config.auth.algorithms, [](stun::PasswordAlgorithm algorithm) {
             return stun::name_of(algorithm);
           });
         }},
    {.path = "auth.nonce_lifetime",
     .type = ConfigType::text,
     .example = R"("10m")",
     .meaning = "How long a nonce is good for.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_duration(value, seconds{60}, seconds{3600}, problems, config.auth.nonce_lifetime);
         },
     .show = [](const Config& config) { return shown(duration_text(config.auth.nonce_lifetime)); }},
    {.path = "auth.max_failures_per_minute",
     .type = ConfigType::integer,
     .example = "10",
     .meaning =
         "Wrong passwords of one address for one user, then a minute of silence; 0: no limit.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_integer(value, max_count, problems, config.auth.max_failures_per_minute);
         },
     .show = [](const Config& config) { return shown(config.auth.max_failures_per_minute); }},
    {.path = "auth.hook",
     .type = ConfigType::text,
     .example = R"("https://app.example.com/turn-user")",
     .meaning = "Asked for users that neither the configuration nor the store knows.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_text(value, problems, parse_webhook_url,
                     [&](std::string url) { config.auth.hook = std::move(url); });
         },
     .show = [](const Config& config) { return shown(config.auth.hook); }},
    {.path = "auth.hook_secret",
     .type = ConfigType::text,
     .example = R"("the output of `openssl rand -hex 32`")",
     .meaning = "Signs the questions to auth.hook.",
     .is_secret = true,
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_signing_secret(value, problems, config.auth.hook_secret);
         },
     .show =
         [](const Config& config) { return shown(config.auth.hook_secret.empty() ? "" : hidden); }},
    {.path = "auth.hook_timeout",
     .type = ConfigType::text,
     .example = R"("2s")",
     .meaning = "How long auth.hook may take for an answer; a client gives up after ten.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_duration(value, seconds{1}, seconds{8}, problems, config.auth.hook_timeout);
         },
     .show = [](const Config& config) { return shown(duration_text(config.auth.hook_timeout)); }},
    {.path = "auth.hook_ttl",
     .type = ConfigType::text,
     .example = R"("1m")",
     .meaning = "How long an answer of auth.hook holds at most.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_duration(value, seconds{1}, seconds{86400}, problems, config.auth.hook_ttl);
         },
     .show = [](const Config& config) { return shown(duration_text(config.auth.hook_ttl)); }},
    {.path = "store.url",
     .type = ConfigType::text,
     .example = R"("sqlite:/var/lib/turnpike/turnpike.db")",
     .meaning = "The database of users, secrets and API keys; empty: none.",
     .apply = apply_store_url,
     .show =
         [](const Config& config) {
           return shown(config.store.path.empty() ? "" : "sqlite:" + config.store.path);
         }},
    {.path = "store.key_file",
     .type = ConfigType::text,
     .example = R"("/etc/turnpike/store.key")",
     .meaning = "The key that the store is sealed with; empty: the systemd credential "
                "turnpike-store-key, else the database's path with \".key\" behind it.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           if (value.text() == nullptr) return wrong_type(value, "text", problems);
           config.store.key_file =
               value.text()->empty() ? std::string{} : resolved_path(*value.text(), value.place);
         },
     .show = [](const Config& config) { return shown(config.store.key_file); }},
    {.path = "signaling.enabled",
     .type = ConfigType::boolean,
     .example = "true",
     .meaning = "Rooms, over HTTP and WebSocket on the TCP, TLS and HTTP listeners.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_boolean(value, problems, config.signaling.enabled);
         },
     .show =
         [](const Config& config) {
           return ConfigValue{config.signaling.enabled, {}};
         }},
    {.path = "signaling.auth",
     .type = ConfigType::text,
     .example = R"("token")",
     .meaning =
         "Who may join rooms: everyone (\"open\"), who has a room token (\"token\"), or whom "
         "signaling.webhook lets in (\"webhook\").",
     .apply = apply_join_auth,
     .show = [](const Config& config) { return shown(name_of(config.effective_join_auth())); }},
    {.path = "signaling.allowed_origins",
     .type = ConfigType::text_list,
     .example = R"(["https://app.example.com"])",
     .meaning = "Pages of other hosts that may connect; \"*\": all of them.",
     .apply = apply_allowed_origins,
     .show =
         [](const Config& config) {
           return shown_list(config.signaling.allowed_origins, plain_text);
         }},
    {.path = "signaling.joins_per_minute",
     .type = ConfigType::integer,
     .example = "20",
     .meaning = "Joins of one address, by whatever door; 0: no limit.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_integer(value, max_count, problems, config.signaling.joins_per_minute);
         },
     .show = [](const Config& config) { return shown(config.signaling.joins_per_minute); }},
    {.path = "signaling.max_peers",
     .type = ConfigType::integer,
     .example = "8",
     .meaning = "Peers in a room that says nothing else.",
     .apply = apply_max_peers,
     .show = [](const Config& config) { return shown(config.signaling.max_peers); }},
    {.path = "signaling.doors",
     .type = ConfigType::text_list,
     .example = R"(["native", "socketio"])",
     .meaning = "Protocols that lead to rooms: native, socketio, relay, openvidu.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_door, config.signaling.doors);
         },
     .show = [](const Config& config) { return shown_list(config.signaling.doors, name_of_door); }},
    {.path = "signaling.socketio_profiles",
     .type = ConfigType::text_list,
     .example = R"(["zoom", "codelab"])",
     .meaning = "What events of Socket.IO clients mean: zoom, codelab, echo (for test suites).",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_list(value, problems, parse_profile, config.signaling.socketio_profiles);
         },
     .show =
         [](const Config& config) {
           return shown_list(config.signaling.socketio_profiles, name_of_profile);
         }},
    {.path = "signaling.socketio_ping_interval",
     .type = ConfigType::text,
     .example = R"("25s")",
     .meaning = "How often Socket.IO clients are pinged.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_duration(value, seconds{1}, seconds{300}, problems,
                         config.signaling.socketio_ping_interval);
         },
     .show =
         [](const Config& config) {
           return shown(duration_text(config.signaling.socketio_ping_interval));
         }},
    {.path = "signaling.socketio_ping_timeout",
     .type = ConfigType::text,
     .example = R"("20s")",
     .meaning = "How long a Socket.IO client may take to answer a ping.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_duration(value, seconds{1}, seconds{300}, problems,
                         config.signaling.socketio_ping_timeout);
         },
     .show =
         [](const Config& config) {
           return shown(duration_text(config.signaling.socketio_ping_timeout));
         }},
    {.path = "signaling.pages",
     .type = ConfigType::boolean,
     .example = "true",
     .meaning = "The call page at / and the NAT page at /nat.",
     .apply = [](Config& config, const ConfigValue& value,
                 KeyProblems& problems) { read_boolean(value, problems, config.signaling.pages); },
     .show =
         [](const Config& config) {
           return ConfigValue{config.signaling.pages, {}};
         }},
    {.path = "signaling.webhook",
     .type = ConfigType::text,
     .example = R"("https://app.example.com/turnpike")",
     .meaning = "Where joins are asked for (signaling.auth = \"webhook\") and events are told.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           with_text(value, problems, parse_webhook_url,
                     [&](std::string url) { config.signaling.webhook = std::move(url); });
         },
     .show = [](const Config& config) { return shown(config.signaling.webhook); }},
    {.path = "signaling.webhook_secret",
     .type = ConfigType::text,
     .example = R"("the output of `openssl rand -hex 32`")",
     .meaning = "Signs what is sent to signaling.webhook.",
     .is_secret = true,
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           read_signing_secret(value, problems, config.signaling.webhook_secret);
         },
     .show =
         [](const Config& config) {
           return shown(config.signaling.webhook_secret.empty() ? "" : hidden);
         }},
    {.path = "web.root",
     .type = ConfigType::text,
     .example = R"("/srv")",
     .meaning = "A directory whose files are served, read when the server starts.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           if (value.text() == nullptr) return wrong_type(value, "text", problems);
           config.web.root = *value.text();
         },
     .show = [](const Config& config) { return shown(config.web.root); }},
    {.path = "control.socket",
     .type = ConfigType::text,
     .example = R"("/run/turnpike/control.sock")",
     .meaning = "Where turnpike status, allocation, room, drain and top find this server: a socket "
                "for its own user and root; empty: nowhere.",
     .apply = apply_control_socket,
     .show = [](const Config& config) { return shown(config.control.socket); }},
    {.path = "metrics.listen",
     .type = ConfigType::text,
     .example = R"("127.0.0.1:9641")",
     .meaning = "Where Prometheus finds /metrics; empty: nowhere.",
     .apply = apply_metrics_listen,
     .show =
         [](const Config& config) {
           return shown(config.metrics.listen ? config.metrics.listen->to_string() : "");
         }},
    {.path = "server.user",
     .type = ConfigType::text,
     .example = R"("turnpike")",
     .meaning = "Whom a server becomes that root has started; empty: \"turnpike\" where there is "
                "such a user; \"root\": it stays root, without root's capabilities.",
     .apply =
         [](Config& config, const ConfigValue& value, KeyProblems& problems) {
           if (value.text() == nullptr) return wrong_type(value, "text", problems);
           config.server.user = *value.text();
         },
     .show = [](const Config& config) { return shown(config.server.user); }},
    {.path = "server.sandbox",
     .type = ConfigType::boolean,
     .example = "false",
     .meaning = "Once it serves the server keeps no capabilities and reaches no files, ports and "
                "system calls but those it needs; false: for debugging.",
     .apply = [](Config& config, const ConfigValue& value,
                 KeyProblems& problems) { read_boolean(value, problems, config.server.sandbox); },
     .show =
         [](const Config& config) {
           return ConfigValue{config.server.sandbox, {}};
         }},
    {.path = "log.level",
     .type = ConfigType::text,
     .example = R"("info")",
     .meaning = "trace, debug, info, warn or error.",
     .apply = apply_log_level,
     .show = [](const Config& config) { return shown(to_string(config.log.level)); }},
    {.path = "log.format",
     .type = ConfigType::text,
     .example = R"("auto")",
     .meaning = "auto, text or json.",
     .apply = apply_log_format,
     .show = [](const Config& config) { return shown(to_string(config.log.format)); }},
}};

// --- Nearest names -------------------------------------------------------------------------------

/// Edits (insert, delete, replace, swap of neighbours) between two texts.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> distance(a.size() + 1,
                                                 std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) distance[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) distance[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = distance[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
      distance[i][j] = std::min({distance[i - 1][j] + 1, distance[i][j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) distance[i][j] = std::min(distance[i][j], distance[i - 2][j - 2] + 1);
    }
  }
  return distance[a.size()][b.size()];
}

std::string_view last_part(std::string_view path) { return path.substr(path.rfind('.') + 1); }

std::vector<std::string_view> all_paths() {
  std::vector<std::string_view> paths;
  for (const ConfigKey& key : keys) {
    const std::string_view section =
        key.path.substr(0, key.path.size() - last_part(key.path).size());
    if (!section.empty()) paths.push_back(section.substr(0, section.size() - 1));
    paths.push_back(key.path);
  }
  return paths;
}

}  // namespace

std::string ConfigError::to_string() const {
  std::string text = on_one_line(where) + ": ";
  if (!key.empty()) text += on_one_line(key) + ": ";
  text += problem;
  if (!remedy.empty()) text += "; " + remedy;
  return text;
}

std::string resolved_path(const std::string& file, const Place& place) {
  if (place.kind != Place::Kind::file) return file;
  return (std::filesystem::path{place.name}.parent_path() / file).string();
}

std::span<const ConfigKey> config_keys() { return keys; }

const ConfigKey* find_config_key(std::string_view path) {
  const auto found = std::find_if(keys.begin(), keys.end(),
                                  [&](const ConfigKey& key) { return key.path == path; });
  return found == keys.end() ? nullptr : &*found;
}

bool is_config_section(std::string_view path) {
  return std::any_of(keys.begin(), keys.end(), [&](const ConfigKey& key) {
    return key.path.size() > path.size() && key.path.starts_with(path) &&
           key.path[path.size()] == '.';
  });
}

std::string nearest_of(std::string_view typed, std::span<const std::string_view> candidates) {
  constexpr std::size_t longest_typed = 64;  // keeps the table of edit_distance small
  if (typed.size() > longest_typed) return {};
  std::string_view nearest;
  std::size_t smallest = std::max<std::size_t>(2, typed.size() / 4) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(typed, candidate);
    // A short name is "near" to any other: more than half of it must be right.
    if (distance < smallest && distance * 2 < candidate.size()) {
      nearest = candidate;
      smallest = distance;
    }
  }
  return std::string{nearest};
}

std::string nearest_config_path(std::string_view typed) {
  for (const ConfigKey& key : keys) {  // the right name in the wrong section
    if (last_part(key.path) == last_part(typed)) return std::string{key.path};
  }
  return nearest_of(typed, all_paths());
}

}  // namespace turnpike::server
