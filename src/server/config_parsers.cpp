#include "server/config_parsers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "server/config_value.h"

namespace turnpike::server {
namespace {

using Complain = Failure<Complaint>;

constexpr std::string_view digits = "0123456789";

/// The whole of `text` as a number of at most `max`; nothing when it is none.
std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

// --- Ports ---------------------------------------------------------------------------------------

Parsed<std::uint16_t> parse_port(std::string_view text) {
  const auto port = parse_number(text, 65535);
  if (!port || *port == 0) {
    return Complain{
        {fmt::format("{} is no port", in_quotes(text)), "use a number from 1 to 65535"}};
  }
  return static_cast<std::uint16_t>(*port);
}

// --- Prefixes ------------------------------------------------------------------------------------

/// `address` with all bits after the first `length` zeroed.
IpAddress without_host_bits(const IpAddress& address, unsigned length) {
  std::vector<std::uint8_t> bytes(address.bytes().begin(), address.bytes().end());
  for (unsigned bit = length; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] & ~(0x80U >> (bit % 8)));
  }
  return IpAddress::from_bytes(address.family(), bytes);
}

Complain no_prefix(std::string_view text) {
  return Complain{{fmt::format("{} is no address or prefix", in_quotes(text)),
                   R"(write for example "10.0.0.0/8" or "2001:db8::/32")"}};
}

/// The complaint about an IPv4-mapped IPv6 address, which is no other than `plain`.
Complain mapped(std::string_view text, std::string_view plain) {
  return Complain{{fmt::format("{} is an IPv4-mapped IPv6 address", in_quotes(text)),
                   fmt::format("write {}", in_quotes(plain))}};
}

/// `prefix` as IPv4, when all of it is IPv4-mapped IPv6.
std::optional<IpPrefix> unmapped(const IpPrefix& prefix) {
  const IpAddress plain = turnpike::unmapped(prefix.address());
  if (plain == prefix.address() || prefix.length() < 96) return std::nullopt;
  return IpPrefix{plain, prefix.length() - 96};
}

// --- Peer rules ----------------------------------------------------------------------------------

/// The three parts of CIDR[:ports][/udp|tcp], still text.
struct RuleParts {
  std::string_view prefix;
  std::optional<std::string_view> ports;
  std::optional<turn::PeerTransport> transport;
};

/// Takes "/udp" or "/tcp" off the end of `text`.
std::optional<turn::PeerTransport> take_transport(std::string_view& text) {
  for (const auto& [suffix, transport] :
       {std::pair{"/udp", turn::PeerTransport::udp}, std::pair{"/tcp", turn::PeerTransport::tcp}}) {
    if (text.ends_with(suffix)) {
      text.remove_suffix(4);
      return transport;
    }
  }
  return std::nullopt;
}

/// Splits "[prefix]" and "[prefix]:ports".
Parsed<RuleParts> split_bracketed(std::string_view text) {
  const std::size_t close = text.find(']');
  const std::string_view after =
      close == std::string_view::npos ? std::string_view{} : text.substr(close + 1);
  if (close == std::string_view::npos || (!after.empty() && after.front() != ':')) {
    return Complain{{fmt::format("{} is no peer rule", in_quotes(text)),
                     R"(write for example "[2001:db8::/32]:1000-2000/udp")"}};
  }
  RuleParts parts{text.substr(1, close - 1), std::nullopt, std::nullopt};
  if (!after.empty()) parts.ports = after.substr(1);
  return parts;
}

Parsed<RuleParts> split_rule(std::string_view text) {
  std::string_view rest = trimmed(text);
  const auto transport = take_transport(rest);
  RuleParts parts{rest, std::nullopt, std::nullopt};
  if (rest.starts_with('[')) {
    const auto bracketed = split_bracketed(rest);
    if (!bracketed) return bracketed;
    parts = *bracketed;
  } else if (std::count(rest.begin(), rest.end(), ':') == 1) {  // more colons: an IPv6 prefix
    const std::size_t colon = rest.find(':');
    parts = RuleParts{rest.substr(0, colon), rest.substr(colon + 1), std::nullopt};
  }
  parts.transport = transport;
  return parts;
}

// --- Secrets -------------------------------------------------------------------------------------

/// What is left of `text` when only letters and digits count, in lower case.
std::string letters_and_digits(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z') {
      out += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
      out += c;
    }
  }
  return out;
}

/// True for the values that documentation and examples leave behind.
bool is_placeholder(std::string_view value) {
  static constexpr std::array<std::string_view, 10> phrases{
      "changeme",   "changethis", "replaceme",  "replacethis", "placeholder",
      "yoursecret", "secrethere", "insertyour", "mysecret",    "examplesecret"};
  const std::string plain = letters_and_digits(value);
  return std::any_of(phrases.begin(), phrases.end(), [&](std::string_view phrase) {
    return plain.find(phrase) != std::string::npos;
  });
}

/// True when `value` is one character, or a short pattern, over and over.
bool is_repetition(std::string_view value) {
  constexpr std::size_t longest_pattern = 8;
  for (std::size_t period = 1; period <= longest_pattern && period < value.size(); ++period) {
    if (value.substr(period) == value.substr(0, value.size() - period)) return true;
  }
  return false;
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// --- Durations -----------------------------------------------------------------------------------

Parsed<seconds> parse_duration(std::string_view text) {
  const Complain no_duration{
      {fmt::format("{} is no duration", in_quotes(text)),
       R"(write a whole number and a unit, for example "600s", "90m" or "1h")"}};
  struct Unit {
    char letter;
    std::int64_t seconds;
  };
  static constexpr std::array<Unit, 3> units{{{'h', 3600}, {'m', 60}, {'s', 1}}};
  constexpr std::uint64_t longest_part = 10'000'000;  // keeps the sum far from overflow

  std::int64_t total = 0;
  std::size_t next_unit = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t length = std::min(rest.find_first_not_of(digits), rest.size());
    const auto number = parse_number(rest.substr(0, length), longest_part);
    if (!number || length == rest.size()) return no_duration;
    while (next_unit < units.size() && units[next_unit].letter != rest[length]) ++next_unit;
    if (next_unit == units.size()) return no_duration;
    total += static_cast<std::int64_t>(*number) * units[next_unit++].seconds;
    rest.remove_prefix(length + 1);
  }
  if (total == 0) return no_duration;
  return seconds{total};
}

std::string duration_text(seconds duration) {
  const auto count = duration.count();
  if (count != 0 && count % 3600 == 0) return fmt::format("{}h", count / 3600);
  if (count != 0 && count % 60 == 0) return fmt::format("{}m", count / 60);
  return fmt::format("{}s", count);
}

namespace {

struct BandwidthUnit {
  std::string_view name;
  std::uint64_t bits;
};
constexpr std::array<BandwidthUnit, 3> bandwidth_units{
    {{"gbit", 1'000'000'000}, {"mbit", 1'000'000}, {"kbit", 1000}}};

}  // namespace

Parsed<std::uint64_t> parse_bandwidth(std::string_view text) {
  constexpr std::uint64_t least = 8'000;  // a kilobyte a second
  constexpr std::uint64_t most = 1'000'000'000'000;
  if (text == "0") return std::uint64_t{0};
  const std::size_t length = std::min(text.find_first_not_of(digits), text.size());
  const auto number = parse_number(text.substr(0, length), most);
  const auto unit = std::find_if(bandwidth_units.begin(), bandwidth_units.end(),
                                 [&](const auto& u) { return u.name == text.substr(length); });
  if (!number || unit == bandwidth_units.end()) {
    return Complain{
        {fmt::format("{} is no bandwidth", in_quotes(text)),
         R"(write a whole number and a unit, for example "4mbit", or "0" for no limit)"}};
  }
  if (*number > most / unit->bits || *number * unit->bits < least) {
    return Complain{{fmt::format("{} is out of range", in_quotes(text)),
                     R"(use a bandwidth from 8kbit to 1000gbit, or "0" for no limit)"}};
  }
  return *number * unit->bits;
}

std::string bandwidth_text(std::uint64_t bits_per_second) {
  for (const BandwidthUnit& unit : bandwidth_units) {
    if (bits_per_second == 0 || bits_per_second % unit.bits != 0) continue;
    return std::to_string(bits_per_second / unit.bits) + std::string{unit.name};
  }
  return "0";
}

// --- Ports ---------------------------------------------------------------------------------------

Parsed<PortRange> parse_port_range(std::string_view text) {
  const std::string_view range = trimmed(text);
  const std::size_t dash = range.find('-');
  const auto first = parse_port(trimmed(range.substr(0, dash)));
  if (!first) return Complain{first.error()};
  if (dash == std::string_view::npos) return PortRange{*first, *first};

  const auto last = parse_port(trimmed(range.substr(dash + 1)));
  if (!last) return Complain{last.error()};
  if (*last < *first) {
    return Complain{{fmt::format("{} is reversed", in_quotes(range)),
                     fmt::format("write \"{}-{}\"", *last, *first)}};
  }
  return PortRange{*first, *last};
}

std::string port_range_text(const PortRange& range) {
  if (range.first == range.last) return std::to_string(range.first);
  return fmt::format("{}-{}", range.first, range.last);
}

Parsed<std::vector<PortRange>> parse_port_list(std::string_view text) {
  std::vector<PortRange> ranges;
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    const auto range = parse_port_range(rest.substr(0, comma));
    if (!range) return Complain{range.error()};
    ranges.push_back(*range);
    if (comma == std::string_view::npos) return ranges;
    rest.remove_prefix(comma + 1);
  }
}

std::string port_list_text(const std::vector<PortRange>& ranges) {
  std::string text;
  for (const PortRange& range : ranges) {
    if (!text.empty()) text += ',';
    text += port_range_text(range);
  }
  return text;
}

// --- Addresses -----------------------------------------------------------------------------------

Parsed<IpAddress> parse_address(std::string_view text) {
  const auto address = IpAddress::parse(text);
  if (!address) {
    return Complain{{fmt::format("{} is no IP address", in_quotes(text)),
                     R"(write for example "203.0.113.10" or "2001:db8::10", without port)"}};
  }
  return *address;
}

Parsed<IpAddress> parse_unicast_address(std::string_view text) {
  const auto address = parse_address(text);
  if (!address) return address;
  const std::uint8_t first = address->bytes()[0];
  const bool is_multicast = address->family() == Family::ipv4 ? first >= 224 : first == 0xff;
  if (address->is_any() || is_multicast) {
    return Complain{{fmt::format("{} is not the address of one host", in_quotes(text)),
                     "write an address of this machine or of its NAT"}};
  }
  const IpAddress plain = unmapped(*address);
  if (plain != *address) return mapped(text, plain.to_string());
  if (address->needs_scope()) {
    return Complain{
        {fmt::format("{} is link-local: it means nothing beyond its link", in_quotes(text)),
         "write an address that others can reach"}};
  }
  return address;
}

namespace {

/// Reads "[fe80::1%eth0]" in front of a port.
Parsed<ListenAddress> parse_scoped_address(std::string_view text, std::string_view host,
                                           std::uint16_t port) {
  constexpr std::size_t longest_name = 15;  // of an interface (IFNAMSIZ)
  const std::size_t percent = host.find('%');
  const std::string_view name = host.substr(percent + 1, host.size() - percent - 2);
  const auto address = IpAddress::parse(host.substr(1, percent - 1));
  if (!host.starts_with('[') || !host.ends_with(']') || !address || name.empty() ||
      name.size() > longest_name || has_control_character(name)) {
    return Complain{{fmt::format("{} is no listening address", in_quotes(text)),
                     R"(write for example "[fe80::1%eth0]:3478")"}};
  }
  const ListenAddress plain{*address, port};
  if (!address->needs_scope()) {
    return Complain{{fmt::format("{} names an interface, which only link-local addresses need",
                                 in_quotes(text)),
                     fmt::format("write {}", in_quotes(plain.to_string()))}};
  }
  return ListenAddress{*address, port, std::string{name}};
}

/// An address as it is to be listened on, without interface.
Parsed<ListenAddress> check_listen_address(std::string_view text, const ListenAddress& listen) {
  const IpAddress plain = unmapped(*listen.address);
  if (plain != *listen.address) return mapped(text, Endpoint{plain, listen.port}.to_string());
  if (listen.address->needs_scope()) {
    return Complain{
        {fmt::format("{} is link-local and does not say on which interface", in_quotes(text)),
         fmt::format("write for example \"[{}%eth0]:{}\"", listen.address->to_string(),
                     listen.port)}};
  }
  return listen;
}

}  // namespace

Parsed<ListenAddress> parse_listen_address(std::string_view text) {
  const auto no_listener = [&](std::string remedy) {
    return Complain{
        {fmt::format("{} is no listening address", in_quotes(text)), std::move(remedy)}};
  };
  if (const auto address = IpAddress::parse(text)) {
    return no_listener("add a port: " + in_quotes(Endpoint{*address, 3478}.to_string()));
  }
  if (parse_port(text)) return no_listener(fmt::format("write \":{}\"", text));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return no_listener(R"(write ":3478", "192.0.2.1:3478" or "[2001:db8::1]:3478")");
  }
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return Complain{port.error()};
  const std::string_view host = text.substr(0, colon);
  if (host.empty()) return ListenAddress{std::nullopt, *port};
  if (host == "*") return no_listener(fmt::format("write \":{}\" for every address", *port));
  if (host.find('%') != std::string_view::npos) return parse_scoped_address(text, host, *port);
  if (const auto endpoint = Endpoint::parse(text)) {
    return check_listen_address(text, {endpoint->address, *port});
  }
  return no_listener(
      "write an IP address before the port, IPv6 in brackets; names are not resolved");
}

Parsed<Endpoint> parse_server_endpoint(std::string_view text) {
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint || endpoint->port == 0) {
    return Complain{{fmt::format("{} is no address and port of a server", in_quotes(text)),
                     R"(write for example "203.0.113.5:3478" or "[2001:db8::5]:3478"; )"
                     "names are not resolved"}};
  }
  const auto address = parse_unicast_address(endpoint->address.to_string());
  if (!address) return Complain{address.error()};
  return *endpoint;
}

Parsed<DiscoveryAddress> parse_discovery_address(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto bind = parse_unicast_address(text.substr(0, slash));
  if (!bind) return Complain{bind.error()};
  if (slash == std::string_view::npos) return DiscoveryAddress{*bind, *bind};
  const auto advertised = IpAddress::parse(text.substr(slash + 1));
  if (!advertised || advertised->family() != bind->family()) {
    return Complain{
        {fmt::format("{} does not say what clients see of the address", in_quotes(text)),
         R"(write the address alone, or "address of this host/public address")"}};
  }
  const auto seen = parse_unicast_address(text.substr(slash + 1));
  if (!seen) return Complain{seen.error()};
  return DiscoveryAddress{*bind, *seen};
}

Parsed<ListenerName> parse_listener_name(std::string_view text) {
  static constexpr std::array all{Transport::udp, Transport::tcp, Transport::tls};
  const std::size_t colon = text.find(':');
  const auto transport = std::find_if(all.begin(), all.end(), [&](Transport each) {
    return colon != std::string_view::npos && text.substr(0, colon) == turnpike::to_string(each);
  });
  if (transport == all.end()) {
    return Complain{
        {fmt::format("{} is no name of a listener", in_quotes(text)),
         R"(write transport, colon and the listener's address, for example "udp::3478")"}};
  }
  const auto address = parse_listen_address(text.substr(colon + 1));
  if (!address) return Complain{address.error()};
  return ListenerName{*transport, *address};
}

Parsed<IpPrefix> parse_prefix(std::string_view text) {
  if (const auto prefix = IpPrefix::parse(text)) return *prefix;
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address || slash == std::string_view::npos) return no_prefix(text);
  const auto length = parse_number(text.substr(slash + 1), address->bytes().size() * 8);
  if (!length) return no_prefix(text);
  const auto bits = static_cast<unsigned>(*length);
  return Complain{{fmt::format("{} has bits set after the first {}", in_quotes(text), bits),
                   fmt::format("write \"{}/{}\", or the address without \"/{}\" for one host",
                               without_host_bits(*address, bits).to_string(), bits, bits)}};
}

Parsed<IpPrefix> parse_trusted_prefix(std::string_view text) {
  const auto prefix = parse_prefix(text);
  if (!prefix) return prefix;
  if (prefix->length() == 0) {
    return Complain{
        {fmt::format("{} is everybody, who could then claim any address", in_quotes(text)),
         R"(name your balancers, for example "10.0.0.0/8")"}};
  }
  if (const auto plain = unmapped(*prefix)) return mapped(text, plain->to_string());
  return prefix;
}

// --- Peer rules ----------------------------------------------------------------------------------

Parsed<turn::PeerRule> parse_peer_rule(std::string_view text) {
  const auto parts = split_rule(text);
  if (!parts) return Complain{parts.error()};
  const auto prefix = parse_prefix(parts->prefix);
  if (!prefix) return Complain{prefix.error()};

  if (const auto plain = unmapped(*prefix)) return mapped(parts->prefix, plain->to_string());

  turn::PeerRule rule{*prefix, std::nullopt, parts->transport};
  if (parts->ports) {
    const auto ports = parse_port_range(*parts->ports);
    if (!ports) return Complain{ports.error()};
    rule.ports = *ports;
  }
  return rule;
}

std::string peer_rule_text(const turn::PeerRule& rule) {
  std::string text =
      rule.prefix.is_host() ? rule.prefix.address().to_string() : rule.prefix.to_string();
  if (rule.ports) {
    if (rule.prefix.address().family() == Family::ipv6) text = "[" + text + "]";
    text += ":" + port_range_text(*rule.ports);
  }
  if (rule.transport) text += *rule.transport == turn::PeerTransport::udp ? "/udp" : "/tcp";
  return text;
}

Parsed<turn::PeerRule> parse_allow_rule(std::string_view text) {
  const auto rule = parse_peer_rule(text);
  if (!rule) return rule;
  const unsigned shortest = rule->prefix.address().family() == Family::ipv4 ? 8 : 32;
  if (rule->prefix.length() < shortest) {
    return Complain{{fmt::format("{} is too wide to be allowed", in_quotes(text)),
                     fmt::format("use a prefix of /{} or longer", shortest)}};
  }
  return rule;
}

// --- Names ---------------------------------------------------------------------------------------

Parsed<std::string> parse_domain(std::string_view text) {
  const bool is_host_name = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  });
  const bool has_empty_label = text.starts_with('.') || text.find("..") != std::string_view::npos;
  constexpr std::size_t max_characters =
      127;  // of REALM, which is the domain by default (RFC 8489 §14.9)
  if (text.size() > max_characters) {
    return Complain{{fmt::format("the domain has {} characters", text.size()),
                     fmt::format("use at most {}", max_characters)}};
  }
  if (IpAddress::parse(text) || (is_host_name && !has_empty_label)) {
    return std::string{text};
  }
  return Complain{
      {fmt::format("{} is no host name", in_quotes(text)),
       R"(write the bare name, for example "turn.example.com", without scheme or port)"}};
}

Parsed<std::string> parse_alternate_domain(std::string_view text) {
  if (IpAddress::parse(text)) {
    return Complain{{fmt::format("{} is an address", in_quotes(text)),
                     "write the name that stands in the certificate of the alternate servers"}};
  }
  return parse_domain(text);
}

namespace {

bool has_quote(std::string_view text) { return text.find('"') != std::string_view::npos; }

/// Clients strip quotes from names and realms before they make a key of them (RFC 8489 §9.2.2).
Complain quote_complaint(std::string_view text) {
  return Complain{
      {fmt::format("{} has a quotation mark, which clients leave out of the key", in_quotes(text)),
       "remove it"}};
}

}  // namespace

Parsed<std::string> parse_realm(std::string_view text) {
  if (has_control_character(text)) {
    return Complain{{fmt::format("{} has a control character", in_quotes(text)), "remove it"}};
  }
  if (has_quote(text)) return quote_complaint(text);
  if (!text.empty() && trimmed(text).empty()) {
    return Complain{{"the realm is blank", R"(write a name, or "" to use the domain)"}};
  }
  const auto characters = std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0U) != 0x80;  // every UTF-8 byte but a continuation
  });
  if (characters >= 128) {
    return Complain{{fmt::format("the realm has {} characters", characters), "use at most 127"}};
  }
  return std::string{text};
}

Parsed<std::string> parse_user_name(std::string_view text) {
  constexpr std::size_t max_bytes = 508;
  if (text.empty()) return Complain{{"the name is empty", "give the user a name"}};
  if (text.size() > max_bytes) {
    return Complain{{fmt::format("the name has {} bytes", text.size()),
                     fmt::format("use at most {}", max_bytes)}};
  }
  if (has_control_character(text)) {
    return Complain{{fmt::format("{} has a control character", in_quotes(text)), "remove it"}};
  }
  if (has_quote(text)) return quote_complaint(text);
  if (text.find(':') != std::string_view::npos) {
    return Complain{
        {fmt::format("{} has a colon, which separates name, realm and password", in_quotes(text)),
         "use another character"}};
  }
  return std::string{text};
}

// --- Secrets -------------------------------------------------------------------------------------

Parsed<std::string> check_secret(std::string value) {
  constexpr std::size_t min_bytes = 32;
  const std::string remedy = "generate one, for example with `openssl rand -hex 32`";
  if (value.empty()) return Complain{{"the secret is empty", remedy}};
  if (is_placeholder(value))
    return Complain{{"the secret is a placeholder from an example", remedy}};
  if (value.size() < min_bytes) {
    return Complain{
        {fmt::format("the secret has {} bytes, fewer than {}", value.size(), min_bytes), remedy}};
  }
  if (is_repetition(value)) {
    return Complain{{"the secret repeats the same few characters over and over", remedy}};
  }
  return value;
}

// --- Enumerations --------------------------------------------------------------------------------

std::string_view to_string(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return "trace";
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warn:
      return "warn";
    case LogLevel::error:
      return "error";
  }
  return "?";
}

std::string_view to_string(LogFormat format) {
  switch (format) {
    case LogFormat::automatic:
      return "auto";
    case LogFormat::text:
      return "text";
    case LogFormat::json:
      return "json";
  }
  return "?";
}

std::string_view to_string(AddressFamilyPolicy policy) {
  switch (policy) {
    case AddressFamilyPolicy::strict:
      return "strict";
    case AddressFamilyPolicy::follow_client:
      return "follow-client";
  }
  return "?";
}

}  // namespace turnpike::server
