#include "diagnosis/nat_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

namespace turnpike::diagnosis {
namespace {

using client::Doubt;
using client::NatBehavior;
using client::NatFiltering;
using client::NatMapping;
using client::Trial;
using Json = nlohmann::ordered_json;

double in_ms(nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// "0.4", "18": as exact as it matters.
std::string ms(nanoseconds duration) {
  const double value = in_ms(duration);
  return value < 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

nanoseconds percentile(const std::vector<nanoseconds>& sorted, std::size_t percent) {
  return sorted[(sorted.size() - 1) * percent / 100];
}

/// RFC 6598: what carriers number their customers with, behind a NAT of their own.
bool is_shared_space(const IpAddress& address) {
  static const IpPrefix shared{IpAddress::v4(0x64400000), 10};
  return address.family() == Family::ipv4 && shared.contains(address);
}

bool is_carrier_nat(const NatBehavior& behavior) {
  return (behavior.local && is_shared_space(behavior.local->address)) ||
         (behavior.mapped && is_shared_space(behavior.mapped->address));
}

std::string words_of(Doubt doubt) {
  switch (doubt) {
    case Doubt::none:
      return "";
    case Doubt::no_answer:
      return "nothing is answered over UDP";
    case Doubt::no_other_address:
      return "the server has one address, or no NAT discovery (RFC 5780)";
    case Doubt::other_is_silent:
      return "the server's second address does not answer";
    case Doubt::not_supported:
      return "the server cannot help to tell";
    case Doubt::lossy:
      return "too much is lost on the way";
    case Doubt::contradiction:
      return "the answers contradict each other";
    case Doubt::no_nat:
      return "there is no NAT";
    case Doubt::not_asked:
      return "not tried";
  }
  return "";
}

const NatBehavior* behavior_of(const NatReport& report) {
  for (const FamilyResult& family : report.families) {
    if (family.problem.empty()) return &family.behavior;
  }
  return nullptr;
}

bool is_udp_open(const NatReport& report) {
  return std::any_of(report.families.begin(), report.families.end(), [](const FamilyResult& one) {
    return one.problem.empty() && one.behavior.is_udp_open;
  });
}

bool any_path(const NatReport& report, PathState state) {
  return std::any_of(report.paths.begin(), report.paths.end(),
                     [state](const PathResult& one) { return one.state == state; });
}

bool has_usable_path(const NatReport& report) {
  return std::any_of(report.paths.begin(), report.paths.end(),
                     [](const PathResult& one) { return one.is_usable(); });
}

std::uint32_t lost_pings(const NatBehavior& behavior) {
  return behavior.pings - static_cast<std::uint32_t>(behavior.rtts.size());
}

bool is_lossy(const NatBehavior& behavior) {
  return behavior.is_udp_open && lost_pings(behavior) * 10 > behavior.pings;
}

// --- The judgement -------------------------------------------------------------------------------

std::string about_direct_calls(const NatReport& report) {
  const NatBehavior* const behavior = behavior_of(report);
  if (behavior == nullptr || !is_udp_open(report)) {
    return "UDP does not reach the server from here: direct calls will most likely fail, and media "
           "has to go through a relay over TCP or TLS.";
  }
  switch (behavior->mapping.value) {
    case NatMapping::none:
      return behavior->filtering.value == NatFiltering::endpoint_independent
                 ? "No NAT, and nothing is filtered: direct calls work with everybody."
                 : "No NAT: direct calls work with nearly everybody.";
    case NatMapping::endpoint_independent:
      return behavior->filtering.value == NatFiltering::endpoint_independent
                 ? "An open NAT: direct calls work with nearly everybody."
                 : "Direct calls work with most peers; a relay is needed against symmetric NATs.";
    case NatMapping::address_dependent:
    case NatMapping::address_and_port_dependent:
      return "A symmetric NAT: it shows another port to each destination, so direct calls work "
             "only with peers who have no NAT or an open one. The others need the relay.";
    case NatMapping::inconclusive:
      break;
  }
  return fmt::format("How this NAT treats direct calls cannot be told: {}.",
                     words_of(behavior->mapping.doubt));
}

std::string about_relay(const NatReport& report, NatVerdict verdict) {
  if (!report.wants_relay) {
    return "No relay was tried: the address given is of a STUN server.";
  }
  if (verdict == NatVerdict::refused) {
    return "The TURN server refuses these credentials: calls that need the relay will fail.";
  }
  if (verdict == NatVerdict::no_path) {
    return "There is no way to a TURN server: calls that need a relay will fail.";
  }
  if (!report.has_user) {
    return "A TURN server is there; give --user and --password, or --secret, to try a relay.";
  }
  if (!report.relay.problem.empty()) {
    return "Allocations are made, but it could not be shown that they relay: " +
           report.relay.problem + ".";
  }
  return "The relay works. Calls from here will work.";
}

std::string port_of(const TurnPath& path) {
  return fmt::format("{}/{}", path.server.port, is_stream(path.transport) ? "tcp" : "udp");
}

/// What to do about a path; empty when nothing needs to be done.
std::string fix_of(const PathResult& result) {
  const std::string name = result.path.to_string();
  const bool is_asked_for = !result.path.is_guess;
  switch (result.state) {
    case PathState::certificate:
      return fmt::format(
          "{}: browsers will refuse it ({}). Install a certificate with its whole chain for the "
          "name {}.",
          name, result.detail, result.path.server_name);
    case PathState::handshake:
      return is_asked_for
                 ? fmt::format("{}: no TLS is spoken there ({}). Check which program has the port.",
                               name, result.detail)
                 : "";
    case PathState::nothing_listens:
    case PathState::timed_out:
      return is_asked_for ? fmt::format(
                                "{}: open {} in the server's firewall and start its listener, or "
                                "take the URL out of iceServers: browsers wait for it.",
                                name, port_of(result.path))
                          : "";
    case PathState::no_turn:
      return is_asked_for
                 ? fmt::format("{}: something else than TURN is there ({}). Check the port.", name,
                               result.detail)
                 : "";
    case PathState::no_capacity:
      return fmt::format(
          "{}: the server makes no more allocations ({}). Wait, or raise its limits.", name,
          result.detail);
    case PathState::other_error:
      return fmt::format("{}: {}.", name, result.detail);
    case PathState::credentials_refused:
    case PathState::no_route:
    case PathState::ok:
    case PathState::wants_credentials:
      break;
  }
  return "";
}

NatVerdict verdict_of(const NatReport& report, bool has_fixes) {
  if (any_path(report, PathState::credentials_refused)) return NatVerdict::refused;
  if (report.wants_relay && !has_usable_path(report)) return NatVerdict::no_path;
  if (!report.wants_relay && !is_udp_open(report)) return NatVerdict::no_path;
  const NatBehavior* const behavior = behavior_of(report);
  const bool is_impaired = !is_udp_open(report) || (behavior != nullptr && is_lossy(*behavior));
  return is_impaired || has_fixes ? NatVerdict::degraded : NatVerdict::ok;
}

/// What must be changed, on either side.
std::vector<std::string> fixes_for(const NatReport& report) {
  std::vector<std::string> fixes;
  for (const PathResult& result : report.paths) {
    if (auto fix = fix_of(result); !fix.empty()) fixes.push_back(std::move(fix));
  }
  if (any_path(report, PathState::credentials_refused)) {
    fixes.emplace_back(
        "credentials: check name and password; time-limited ones expire, and need the server's own "
        "secret and a right clock.");
  }
  if (report.relay_path && report.relay.is_reachable == Trial::no && is_udp_open(report)) {
    fixes.push_back(fmt::format(
        "relay ports: what is sent to {} does not arrive. Open the server's whole range of relay "
        "ports (Turnpike: relay.ports, UDP 49152-65535) in its firewall; behind a 1:1 NAT set "
        "public_ip.",
        report.relay.relayed->to_string()));
  }
  if (report.relay_path && !report.relay.problem.empty()) {
    fixes.push_back("relay: " + report.relay.problem + ".");
  }
  const NatBehavior* const behavior = behavior_of(report);
  if (behavior != nullptr && behavior->alg.value == Trial::yes) {
    fixes.emplace_back(
        "router: it rewrites addresses inside packets. Switch its SIP or STUN helper (ALG) off.");
  }
  return fixes;
}

}  // namespace

std::string_view to_string(NatVerdict verdict) {
  switch (verdict) {
    case NatVerdict::ok:
      return "ok";
    case NatVerdict::no_path:
      return "no-path";
    case NatVerdict::degraded:
      return "degraded";
    case NatVerdict::refused:
      break;
  }
  return "credentials-refused";
}

NatJudgement judge(const NatReport& report) {
  NatJudgement judgement;
  judgement.fixes = fixes_for(report);
  judgement.verdict = verdict_of(report, !judgement.fixes.empty());
  if (!is_udp_open(report) && has_usable_path(report)) {
    judgement.fixes.emplace_back(
        "network: let UDP out to the server's port; over TCP, lost packets make calls stutter.");
  }
  judgement.sentences = {about_direct_calls(report), about_relay(report, judgement.verdict)};
  const NatBehavior* const behavior = behavior_of(report);
  if (behavior != nullptr && is_lossy(*behavior)) {
    judgement.sentences.push_back(
        fmt::format("{} of {} packets were lost: calls will be bad whatever way they take.",
                    lost_pings(*behavior), behavior->pings));
  }
  return judgement;
}

// --- Text ----------------------------------------------------------------------------------------

namespace {

void put_line(std::string& text, std::string_view name, std::string_view line) {
  text += fmt::format("{:<11} {}\n", name, line);
}

/// A trial as text: its word, or its doubt.
std::string said(const client::Found<Trial>& found) {
  if (found.doubt == Doubt::none) return std::string{to_string(found.value)};
  return fmt::format("unknown ({})", words_of(found.doubt));
}

std::string local_text(const FamilyResult& family) {
  if (!family.local) return family.problem;
  return family.interface.empty()
             ? family.local->to_string()
             : fmt::format("{} ({})", family.local->to_string(), family.interface);
}

std::string udp_text(const FamilyResult& family) {
  if (!family.problem.empty()) return "not tried: " + family.problem;
  const NatBehavior& behavior = family.behavior;
  if (!behavior.is_udp_open) {
    return fmt::format("blocked, or no server: {} does not answer", family.server.to_string());
  }
  if (behavior.refusal != 0)
    return fmt::format("open, but Binding is refused ({})", behavior.refusal);
  std::string text = "open";
  if (!behavior.rtts.empty()) {
    text += fmt::format("  RTT {} ms (min {}, p95 {})", ms(percentile(behavior.rtts, 50)),
                        ms(behavior.rtts.front()), ms(percentile(behavior.rtts, 95)));
  }
  text += fmt::format(", loss {}/{}", lost_pings(behavior), behavior.pings);
  text += behavior.fragments.doubt != Doubt::none  ? ", fragments unknown"
          : behavior.fragments.value == Trial::yes ? ", fragments ok"
                                                   : ", fragments lost";
  text += behavior.alg.doubt != Doubt::none  ? ", ALG unknown"
          : behavior.alg.value == Trial::yes ? ", ALG rewrites addresses"
                                             : ", ALG none";
  return text;
}

std::string public_text(const NatBehavior& behavior) {
  std::string text = behavior.mapped->address.to_string();
  if (behavior.mapping.value == NatMapping::none) {
    text += ", no NAT";
  } else {
    text += behavior.port_preserved.value == Trial::yes ? ", port preserved" : ", port changed";
  }
  if (behavior.is_pooled) text += ", several addresses";
  return text +
         (is_carrier_nat(behavior) ? "  CGNAT: yes (100.64/10)" : "  CGNAT: no (not 100.64/10)");
}

template <class Value>
std::string behavior_text(const client::Found<Value>& found, std::string_view section) {
  const std::string name{to_string(found.value)};
  if (found.doubt == Doubt::none) return fmt::format("{:<30} RFC 5780 {}", name, section);
  return fmt::format("{}: {}", name, words_of(found.doubt));
}

std::string mapping_text(const NatBehavior& behavior) {
  std::string text = behavior_text(behavior.mapping, "4.3");
  if (behavior.mapping.value == NatMapping::endpoint_independent) {
    text += fmt::format(", {} destinations agree", behavior.destinations);
  }
  return text;
}

std::string lifetime_text(const client::BindingLifetime& lifetime) {
  if (lifetime.doubt != Doubt::none) {
    return lifetime.doubt == Doubt::not_asked
               ? "not tried (--lifetime)"
               : fmt::format("unknown ({})", words_of(lifetime.doubt));
  }
  if (!lifetime.less_than) return fmt::format("≥ {} s", lifetime.at_least.count());
  return fmt::format("{} to {} s", lifetime.at_least.count(), lifetime.less_than->count());
}

void put_family(std::string& text, const FamilyResult& family) {
  const std::string version = family.server.family() == Family::ipv4 ? "IPv4" : "IPv6";
  put_line(text, "Local", fmt::format("{}  {}", version, local_text(family)));
  put_line(text, "UDP", udp_text(family));
  const NatBehavior& behavior = family.behavior;
  if (!family.problem.empty() || !behavior.mapped) return;
  put_line(text, "Public", public_text(behavior));
  put_line(text, "Mapping", mapping_text(behavior));
  put_line(text, "Filtering", behavior_text(behavior.filtering, "4.4"));
  put_line(text, "Hairpin",
           fmt::format("{}  Binding lifetime {}", said(behavior.hairpin),
                       lifetime_text(behavior.lifetime)));
  const auto name = old_name(behavior.mapping.value, behavior.filtering.value);
  if (!name.empty()) put_line(text, "Old name", fmt::format("{} (RFC 3489)", name));
}

std::string path_text(const PathResult& result) {
  const std::string name = result.path.to_string();
  switch (result.state) {
    case PathState::ok:
      return fmt::format("{} ok {} ms", name, ms(result.took));
    case PathState::wants_credentials:
      return fmt::format("{} there {} ms", name, ms(result.took));
    case PathState::certificate:
      return fmt::format("{} {}", name, result.detail);
    default:
      return fmt::format("{} {}", name, to_string(result.state));
  }
}

std::string paths_text(const NatReport& report) {
  std::string text;
  for (const PathResult& result : report.paths) {
    text += (text.empty() ? "" : " | ") + path_text(result);
  }
  return text;
}

std::string relay_text(const NatReport& report) {
  const RelayResult& relay = report.relay;
  if (!relay.relayed) return "none: " + relay.problem;
  std::string text =
      fmt::format("{} by {}", relay.relayed->to_string(), report.relay_path->to_string());
  if (!relay.echoes.empty()) text += fmt::format(", echo {} ms", ms(percentile(relay.echoes, 50)));
  if (relay.offered_mbit > 0) {
    text += fmt::format(", {:.1f} of {:.1f} Mbit/s there and back", relay.received_mbit,
                        relay.offered_mbit);
  }
  text += relay.is_reachable == Trial::yes  ? ", reachable from here"
          : relay.is_reachable == Trial::no ? ", not reachable from here"
                                            : "";
  return text + (relay.mobility == Trial::yes ? ", ICE mobility yes" : ", ICE mobility no");
}

}  // namespace

std::string to_text(const NatReport& report) {
  const NatJudgement judgement = judge(report);
  std::string text = fmt::format("turnpike nat-test {}  {:.1f} s\n", report.target,
                                 std::chrono::duration<double>(report.took).count());
  for (const FamilyResult& family : report.families) put_family(text, family);
  if (!report.paths.empty()) put_line(text, "TURN", paths_text(report));
  if (report.relay_path) put_line(text, "Relay", relay_text(report));
  if (report.relay_path && !report.relay.reachable_doubt.empty()) {
    put_line(text, "",
             fmt::format("reachable from outside: unknown ({})", report.relay.reachable_doubt));
  }
  std::string_view name = "Verdict";
  for (const std::string& sentence : judgement.sentences) {
    put_line(text, name, sentence);
    name = "";
  }
  name = "Fix";
  for (const std::string& fix : judgement.fixes) {
    put_line(text, name, fix);
    name = "";
  }
  return text;
}

// --- JSON ----------------------------------------------------------------------------------------

namespace {

double rounded_ms(nanoseconds duration) { return std::round(in_ms(duration) * 1000) / 1000; }

template <class Value>
Json found_json(const client::Found<Value>& found) {
  Json json{{"value", to_string(found.value)}};
  if (found.doubt != Doubt::none) json["reason"] = to_string(found.doubt);
  return json;
}

Json lifetime_json(const client::BindingLifetime& lifetime) {
  if (lifetime.doubt != Doubt::none) {
    return {{"value", "inconclusive"}, {"reason", to_string(lifetime.doubt)}};
  }
  Json json{{"at_least_s", lifetime.at_least.count()}};
  if (lifetime.less_than) json["less_than_s"] = lifetime.less_than->count();
  return json;
}

Json rtt_json(const std::vector<nanoseconds>& sorted) {
  if (sorted.empty()) return nullptr;
  return {{"min", rounded_ms(sorted.front())},
          {"median", rounded_ms(percentile(sorted, 50))},
          {"p95", rounded_ms(percentile(sorted, 95))}};
}

Json family_json(const FamilyResult& family) {
  Json json{{"family", family.server.family() == Family::ipv4 ? "ipv4" : "ipv6"},
            {"server", family.server.to_string()}};
  if (family.local) json["local"] = family.local->to_string();
  if (!family.interface.empty()) json["interface"] = family.interface;
  if (!family.problem.empty()) {
    json["problem"] = family.problem;
    return json;
  }
  const NatBehavior& behavior = family.behavior;
  json["udp"] = behavior.is_udp_open ? "open" : "blocked";
  if (behavior.refusal != 0) json["refusal"] = behavior.refusal;
  json["pings"] = behavior.pings;
  json["lost"] = lost_pings(behavior);
  json["rtt_ms"] = rtt_json(behavior.rtts);
  json["public"] = behavior.mapped ? Json(behavior.mapped->to_string()) : Json(nullptr);
  json["cgnat"] = is_carrier_nat(behavior);
  json["several_addresses"] = behavior.is_pooled;
  json["port_preserved"] = found_json(behavior.port_preserved);
  json["alg"] = found_json(behavior.alg);
  json["fragments"] = found_json(behavior.fragments);
  json["mapping"] = found_json(behavior.mapping);
  json["filtering"] = found_json(behavior.filtering);
  json["hairpin"] = found_json(behavior.hairpin);
  json["binding_lifetime"] = lifetime_json(behavior.lifetime);
  json["old_name"] = old_name(behavior.mapping.value, behavior.filtering.value);
  return json;
}

Json path_json(const PathResult& result) {
  Json json{{"transport", turnpike::to_string(result.path.transport)},
            {"server", result.path.server.to_string()},
            {"guess", result.path.is_guess},
            {"state", to_string(result.state)}};
  if (result.is_usable()) json["ms"] = rounded_ms(result.took);
  if (!result.detail.empty()) json["detail"] = result.detail;
  return json;
}

Json relay_json(const NatReport& report) {
  const RelayResult& relay = report.relay;
  Json json{{"path", report.relay_path->to_string()}};
  json["relayed"] = relay.relayed ? Json(relay.relayed->to_string()) : Json(nullptr);
  if (!relay.problem.empty()) json["problem"] = relay.problem;
  json["echoes"] = relay.echoes.size();
  json["echoes_sent"] = relay.echoes_sent;
  json["echo_ms"] = rtt_json(relay.echoes);
  json["offered_mbit_s"] = std::round(relay.offered_mbit * 10) / 10;
  json["received_mbit_s"] = std::round(relay.received_mbit * 10) / 10;
  json["reachable"] = to_string(relay.is_reachable);
  if (!relay.reachable_doubt.empty()) json["reachable_reason"] = relay.reachable_doubt;
  json["mobility"] = to_string(relay.mobility);
  return json;
}

}  // namespace

std::string to_json(const NatReport& report) {
  const NatJudgement judgement = judge(report);
  Json json{{"target", report.target}, {"took_ms", rounded_ms(report.took)}};
  json["families"] = Json::array();
  for (const FamilyResult& family : report.families)
    json["families"].push_back(family_json(family));
  json["paths"] = Json::array();
  for (const PathResult& result : report.paths) json["paths"].push_back(path_json(result));
  json["relay"] = report.relay_path ? relay_json(report) : Json(nullptr);
  json["verdict"] = to_string(judgement.verdict);
  json["sentences"] = judgement.sentences;
  json["fixes"] = judgement.fixes;
  // Reason phrases come from the network and may be no UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace turnpike::diagnosis
