// The part of the doctor that looks at the kernel of this host.
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "diagnosis/doctor.h"

namespace turnpike::diagnosis {
namespace {

using server::Config;
using Json = nlohmann::json;

std::string text_of_file(const std::string& path) {
  const std::ifstream stream{path};
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// The number at the start of `text`; nothing when there is none.
std::optional<std::uint64_t> number_in(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end == text.data()) return std::nullopt;
  return number;
}

/// The soft limit in the line of /proc/PID/limits; "unlimited" is nothing.
std::optional<std::uint64_t> open_files_in(std::string_view limits) {
  constexpr std::string_view name = "Max open files";
  const std::size_t line = limits.find(name);
  if (line == std::string_view::npos) return std::nullopt;
  std::string_view rest = limits.substr(line + name.size());
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  return number_in(rest);
}

/// How many allocations the configuration lets there be.
std::uint64_t allocations_of(const Config& config) {
  const std::uint64_t ports = config.relay.ports.last - config.relay.ports.first + 1U;
  const std::uint64_t most = config.relay.max_allocations;
  return most == 0 ? ports : std::min(most, ports);
}

// --- nftables ------------------------------------------------------------------------------------

struct Ports {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  [[nodiscard]] bool meets(const PortRange& range) const {
    return first <= range.last && range.first <= last;
  }
  [[nodiscard]] bool covers(const PortRange& range) const {
    return first <= range.first && range.last <= last;
  }
};

/// A number, a range, or a set of both, as `nft -j` writes them. Other things: nothing.
std::vector<Ports> ports_in(const Json& right) {
  if (right.is_number_unsigned()) return {{right.get<std::uint64_t>(), right.get<std::uint64_t>()}};
  if (!right.is_object()) return {};
  if (const auto range = right.find("range"); range != right.end() && range->size() == 2) {
    const Json& first = (*range)[0];
    const Json& last = (*range)[1];
    if (!first.is_number_unsigned() || !last.is_number_unsigned()) return {};
    return {{first.get<std::uint64_t>(), last.get<std::uint64_t>()}};
  }
  std::vector<Ports> all;
  if (const auto set = right.find("set"); set != right.end() && set->is_array()) {
    for (const Json& one : *set) {
      for (const Ports& ports : ports_in(one)) all.push_back(ports);
    }
  }
  return all;
}

/// A rule, as far as it can be understood.
struct Rule {
  std::vector<Ports> udp_ports;  ///< empty with `is_about_all`: every packet
  bool is_about_all = false;
  bool accepts = false;
  bool drops = false;
};

bool is_udp_port(const Json& left) {
  const auto payload = left.find("payload");
  return payload != left.end() && payload->value("protocol", "") == "udp" &&
         payload->value("field", "") == "dport";
}

Rule read_rule(const Json& rule) {
  Rule read;
  bool has_match = false;
  const auto expressions = rule.find("expr");
  if (expressions == rule.end() || !expressions->is_array()) return read;
  for (const Json& expression : *expressions) {
    if (expression.contains("accept")) read.accepts = true;
    if (expression.contains("drop") || expression.contains("reject")) read.drops = true;
    const auto match = expression.find("match");
    if (match == expression.end()) continue;
    has_match = true;
    if (match->value("op", "") == "==" && match->contains("left") && match->contains("right") &&
        is_udp_port((*match)["left"])) {
      read.udp_ports = ports_in((*match)["right"]);
    }
  }
  read.is_about_all = !has_match;
  return read;
}

/// Where a chain is.
std::string place_of(const Json& object, std::string_view name) {
  return fmt::format("{} {} {}", object.value("family", "?"), object.value("table", "?"),
                     object.value(std::string{name}, "?"));
}

struct InputChain {
  std::string place;
  bool drops_by_default = false;
  std::vector<Rule> rules;
};

std::vector<InputChain> input_chains(const Json& ruleset) {
  std::vector<InputChain> chains;
  const auto list = ruleset.find("nftables");
  if (list == ruleset.end() || !list->is_array()) return chains;
  for (const Json& item : *list) {
    if (const auto chain = item.find("chain"); chain != item.end()) {
      const std::string hook = chain->value("hook", "");
      if (hook == "input" || hook == "prerouting") {
        chains.push_back({place_of(*chain, "name"), chain->value("policy", "") == "drop", {}});
      }
    }
    const auto rule = item.find("rule");
    if (rule == item.end()) continue;
    const std::string place = place_of(*rule, "chain");
    for (InputChain& chain : chains) {
      if (chain.place == place) chain.rules.push_back(read_rule(*rule));
    }
  }
  return chains;
}

std::optional<Finding> judge_chain(const InputChain& chain, const PortRange& ports) {
  const std::string range = fmt::format("{}-{}", ports.first, ports.last);
  for (const Rule& rule : chain.rules) {
    const auto covers = [&ports](const Ports& one) { return one.covers(ports); };
    const auto meets = [&ports](const Ports& one) { return one.meets(ports); };
    if (rule.accepts &&
        (rule.is_about_all || std::any_of(rule.udp_ports.begin(), rule.udp_ports.end(), covers))) {
      return std::nullopt;
    }
    if (rule.drops && std::any_of(rule.udp_ports.begin(), rule.udp_ports.end(), meets)) {
      return Finding{
          Level::problem, "firewall",
          fmt::format("a rule in the nftables chain \"{}\" drops UDP to relay ports", chain.place),
          fmt::format("let UDP {} in: peers send there", range)};
    }
  }
  if (!chain.drops_by_default) return std::nullopt;
  return Finding{
      Level::warning, "firewall",
      fmt::format("the nftables chain \"{}\" drops what no rule accepts, and no rule was "
                  "found that accepts UDP {}",
                  chain.place, range),
      fmt::format("add `udp dport {} accept`, and one for each listener", range)};
}

/// Its output; nothing when it cannot be run.
std::optional<std::string> nft_ruleset() {
  if (::geteuid() != 0) return std::nullopt;
  struct Close {
    void operator()(std::FILE* file) const { ::pclose(file); }
  };
  for (const char* const program : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"}) {
    if (::access(program, X_OK) != 0) continue;
    const std::string command = std::string{program} + " -j list ruleset 2>/dev/null";
    const std::unique_ptr<std::FILE, Close> pipe{::popen(command.c_str(), "r")};
    if (!pipe) return std::nullopt;
    std::string text;
    std::array<char, 4096> piece{};
    while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), pipe.get())) {
      text.append(piece.data(), size);
    }
    return text;
  }
  return std::nullopt;
}

std::optional<WallTime> time_of_file(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return std::nullopt;
  return WallTime{seconds{status.st_mtime}};
}

bool is_clock_synchronised() {
  timex state{};
  return ::adjtimex(&state) != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
}

}  // namespace

Findings check_open_files(const Config& config, std::string_view limits, bool is_of_server) {
  constexpr std::uint64_t for_the_rest = 1000;
  const std::uint64_t allocations = allocations_of(config);
  const auto limit = open_files_in(limits);
  const std::string whose = is_of_server ? "the server" : "this shell, if not the server,";
  if (!limit) return {{Level::ok, "open-files", whose + " may open any number of files", ""}};
  const std::string text =
      fmt::format("{} may open {} files; {} relay ports and connections want {}", whose, *limit,
                  allocations, allocations + for_the_rest);
  if (*limit >= allocations + for_the_rest) return {{Level::ok, "open-files", text, ""}};
  const bool is_tiny = *limit < 2048;
  Level level = is_of_server ? Level::warning : Level::note;
  if (is_of_server && is_tiny) level = Level::problem;
  return {{level, "open-files", text,
           "start the server with a higher limit: LimitNOFILE=1048576 in its systemd unit, or "
           "`ulimit -n`"}};
}

Findings check_socket_buffers(std::string_view rmem_max, std::string_view wmem_max) {
  constexpr std::uint64_t wanted = 4 << 20;
  Findings findings;
  const auto check = [&](std::string_view key, std::string_view text) {
    const auto bytes = number_in(text);
    if (!bytes) return;  // hidden in this namespace
    const std::string said = fmt::format("{} is {}; the server asks for {}", key, *bytes, wanted);
    if (*bytes >= wanted) {
      findings.push_back({Level::ok, "socket-buffers", said, ""});
    } else {
      findings.push_back({Level::warning, "socket-buffers",
                          said + ": bursts of many calls will lose packets",
                          fmt::format("echo '{} = {}' > /etc/sysctl.d/60-turnpike.conf for both "
                                      "keys, then `sysctl --system`",
                                      key, wanted)});
    }
  };
  check("net.core.rmem_max", rmem_max);
  check("net.core.wmem_max", wmem_max);
  return findings;
}

Findings check_conntrack(const Config& config, std::string_view count, std::string_view max) {
  const auto limit = number_in(max);
  if (!limit || *limit == 0) {
    return {{Level::ok, "conntrack", "the kernel tracks no connections", ""}};
  }
  const std::uint64_t used = number_in(count).value_or(0);
  const std::string remedy =
      "raise net.netfilter.nf_conntrack_max, or exempt the relay ports from tracking (notrack)";
  if (used * 10 > *limit * 8) {
    return {{Level::problem, "conntrack",
             fmt::format("{} of {} entries are in use; when none is left, packets are dropped",
                         used, *limit),
             remedy}};
  }
  // An allocation has its client and, in a call, some peers.
  const std::uint64_t wanted = allocations_of(config) * 4;
  const std::string text = fmt::format("the table has {} entries; {} allocations may want {}",
                                       *limit, allocations_of(config), wanted);
  if (*limit < wanted) return {{Level::warning, "conntrack", text, remedy}};
  return {{Level::ok, "conntrack", text, ""}};
}

Findings check_local_ports(const Config& config, std::string_view range,
                           std::string_view reserved) {
  const auto hint = server::local_port_hint(config.relay.ports, range, reserved);
  if (hint) return {{Level::warning, "local-ports", *hint, ""}};
  return {{Level::ok, "local-ports", "the kernel gives no relay ports to other programs", ""}};
}

Findings check_clock(WallTime now, std::optional<WallTime> newest_file, bool is_synchronised) {
  constexpr seconds day{86400};
  const std::string remedy = "`timedatectl set-ntp true`, or install chrony";
  if (newest_file && now + day < *newest_file) {
    return {{Level::problem, "clock",
             "it is behind the date of the server's own files: credentials will be refused, or be "
             "accepted for too long",
             remedy}};
  }
  if (!is_synchronised) {
    return {
        {Level::warning, "clock",
         "the kernel does not know that it is right: nothing keeps it synchronised; credentials "
         "with an expiry need the same time here and where they are made",
         remedy}};
  }
  return {{Level::ok, "clock", "it is kept synchronised", ""}};
}

Findings check_firewall(const Config& config, const std::optional<std::string>& ruleset) {
  if (!ruleset) {
    return {{Level::note, "firewall",
             "this host's rules cannot be read (it takes root, and the program nft)", ""}};
  }
  const Json parsed = Json::parse(*ruleset, nullptr, false);
  Findings findings;
  if (!parsed.is_discarded()) {
    for (const InputChain& chain : input_chains(parsed)) {
      if (auto finding = judge_chain(chain, config.relay.ports)) {
        findings.push_back(std::move(*finding));
      }
    }
  }
  if (findings.empty()) {
    findings.push_back({Level::ok, "firewall",
                        "no nftables rule of this host was found to be in the way of relay ports",
                        ""});
  }
  return findings;
}

Findings check_host(const DoctorPlan& plan, std::optional<int> server_pid) {
  const Config& config = plan.loaded.config;
  Findings all;
  const auto add = [&all](Findings some) {
    for (Finding& finding : some) all.push_back(std::move(finding));
  };
  const auto sys = [](const std::string& name) { return text_of_file("/proc/sys/net/" + name); };
  std::string limits;
  if (server_pid) limits = text_of_file(fmt::format("/proc/{}/limits", *server_pid));
  const bool is_of_server = !limits.empty();
  if (!is_of_server) limits = text_of_file("/proc/self/limits");
  add(check_open_files(config, limits, is_of_server));
  add(check_socket_buffers(sys("core/rmem_max"), sys("core/wmem_max")));
  add(check_conntrack(config, sys("netfilter/nf_conntrack_count"),
                      sys("netfilter/nf_conntrack_max")));
  add(check_local_ports(config, sys("ipv4/ip_local_port_range"),
                        sys("ipv4/ip_local_reserved_ports")));
  add(check_clock(plan.now, time_of_file(plan.origin), is_clock_synchronised()));
  add(check_firewall(config, nft_ruleset()));
  return all;
}

}  // namespace turnpike::diagnosis
