// The readers of single values, of the configuration and of the command line: durations,
// bandwidths, ports, prefixes, rules, listeners, names, targets, ranges of addresses. What is read
// and written again reads the same; what is refused is refused in a sentence.

#include <algorithm>
#include <string>

#include "cli/address_range.h"
#include "cli/host_port.h"
#include "cli/percent_encoding.h"
#include "cli/turn_target.h"
#include "input.h"
#include "server/config_parsers.h"
#include "server/config_sources.h"

namespace {

using namespace turnpike;
using namespace turnpike::server;

bool is_one_line(std::string_view text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0x7f;
  });
}

void check_complaint(const Complaint& complaint) {
  PROMISE(is_one_line(complaint.problem) && is_one_line(complaint.remedy));
}

/// What `parse` reads, `write` writes, and `parse` reads as the same.
template <class Parse, class Write>
void check_round_trip(std::string_view text, Parse parse, Write write) {
  const auto value = parse(text);
  if (!value) return check_complaint(value.error());
  const std::string again = write(*value);
  const auto read = parse(again);
  PROMISE(read && *read == *value);
}

void check_numbers(std::string_view text) {
  check_round_trip(text, parse_duration, duration_text);
  check_round_trip(text, parse_bandwidth, bandwidth_text);
  check_round_trip(text, parse_port_range, port_range_text);
  check_round_trip(text, parse_port_list, port_list_text);
  if (const auto duration = parse_duration(text)) PROMISE(*duration > seconds{0});
  if (const auto range = parse_port_range(text)) {
    PROMISE(range->first != 0 && range->first <= range->last);
  }
}

void check_addresses(std::string_view text) {
  const auto to_string = [](const auto& value) { return value.to_string(); };
  check_round_trip(text, parse_address, to_string);
  check_round_trip(text, parse_unicast_address, to_string);
  check_round_trip(text, parse_listen_address, to_string);
  check_round_trip(text, parse_server_endpoint, to_string);
  check_round_trip(text, parse_discovery_address, to_string);
  check_round_trip(text, parse_listener_name, to_string);
  check_round_trip(text, parse_prefix, to_string);
  check_round_trip(text, parse_trusted_prefix, to_string);
  check_round_trip(text, parse_peer_rule, peer_rule_text);
  check_round_trip(text, parse_allow_rule, peer_rule_text);
  if (const auto listen = parse_listen_address(text)) PROMISE(listen->port != 0);
}

void check_names(std::string_view text) {
  const auto itself = [](const std::string& value) { return value; };
  check_round_trip(text, parse_domain, itself);
  check_round_trip(text, parse_alternate_domain, itself);
  check_round_trip(text, parse_realm, itself);
  check_round_trip(text, parse_user_name, itself);
  const auto secret = check_secret(std::string{text});
  if (secret) {
    PROMISE(*secret == text && text.size() >= 32);
    return;
  }
  check_complaint(secret.error());
  // Nothing of the secret in the complaint: of another one of that size it says the same.
  const auto blank = check_secret(std::string(text.size(), ' '));
  const std::string& problem = secret.error().problem;
  PROMISE(problem == blank.error().problem ||
          problem == "the secret is a placeholder from an example");
}

/// Text that becomes a value of the key's type, and is written so that it is read as that.
void check_value(std::string_view text) {
  const Place place{Place::Kind::environment, "TURNPIKE__X", 0, 0};
  for (const ConfigKey& key : config_keys()) {
    const auto value = value_from_text(key, text, place);
    if (!value) check_complaint(value.error());
    if (!value || key.type != ConfigType::table_list) continue;
    (void)to_toml(*value);
  }
}

void check_targets(std::string_view text) {
  const auto host_port = cli::parse_host_port(text);
  if (!host_port) PROMISE(is_one_line(host_port.error()));
  if (host_port) PROMISE(!host_port->host.empty() && host_port->port != std::uint16_t{0});
  const auto stun = cli::parse_stun_target(text);
  if (!stun) PROMISE(is_one_line(stun.error()));
  const auto turn = cli::parse_turn_target(text);
  if (!turn) PROMISE(is_one_line(turn.error()));
  if (turn) PROMISE(!turn->host.empty() && turn->port != 0);
  for (const char c : cli::percent_encoded(text)) PROMISE(c > ' ' && c < 0x7f);
}

/// The prefixes of a range cover its ends and no more addresses than lie between them.
void check_range(std::string_view text) {
  const auto range = cli::parse_address_range(text);
  if (!range) return;
  const auto prefixes = cli::prefixes_of(*range);
  PROMISE(!prefixes.empty() && prefixes.size() <= 254);
  PROMISE(prefixes.front().contains(range->first) && prefixes.front().address() == range->first);
  PROMISE(prefixes.back().contains(range->last));
  for (std::size_t i = 1; i < prefixes.size(); ++i) {
    PROMISE(!prefixes[i - 1].contains(prefixes[i].address()));
  }
  PROMISE(cli::without(*range, {*range}).empty());
  const auto halves = cli::without(*range, {{range->first, range->first}});
  PROMISE(halves.size() <= 1);
  for (const auto& half : halves) PROMISE(half.last == range->last);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size > 1000) return 0;
  const std::string_view text = text_of({bytes, size});
  check_numbers(text);
  check_addresses(text);
  check_names(text);
  check_value(text);
  check_targets(text);
  check_range(text);
  return 0;
}
