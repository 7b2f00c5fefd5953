// `turnpike nat-test`: what does the network here do to calls, and does a TURN server help?
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <memory>
#include <ostream>

#include "auth/credentials.h"
#include "cli/commands.h"
#include "cli/password.h"
#include "cli/secret_option.h"
#include "cli/turn_target.h"
#include "cli/user_name.h"
#include "diagnosis/nat_test.h"
#include "net/interfaces.h"
#include "server/config_parsers.h"

namespace turnpike::cli {
namespace {

using diagnosis::NatTestPlan;
using diagnosis::TurnPath;

constexpr std::uint16_t default_port = 3478;
constexpr std::uint16_t default_secured_port = 5349;
constexpr std::uint16_t https_port = 443;

struct Options {
  std::vector<std::string> targets;
  std::string user;
  std::string password;  ///< "@file" or "-"
  std::string secret;    ///< "@file" or "-"
  std::string lifetime;  ///< empty: not tried
  bool ipv4 = false;
  bool ipv6 = false;
  Output output = Output::table;
};

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

bool is_uri(const std::string& text) {
  for (const std::string_view scheme : {"turn:", "turns:", "stun:", "stuns:"}) {
    if (text.starts_with(scheme)) return true;
  }
  return false;
}

std::vector<TurnTarget> parsed_targets(const Options& options) {
  std::vector<TurnTarget> targets;
  for (const std::string& text : options.targets) {
    auto target = parse_turn_target(text);
    if (!target) throw usage(target.error());
    if (!targets.empty() && target->host != targets.front().host) {
      throw usage(fmt::format("{} and {} are two servers; test one at a time", targets.front().host,
                              target->host));
    }
    targets.push_back(std::move(*target));
  }
  return targets;
}

/// The addresses to use: one of each family, the preferred one first.
std::vector<IpAddress> chosen_addresses(const std::string& host, const Options& options) {
  const auto all = net::resolve(host);
  if (!all) throw CommandFailure{ExitCode::unavailable, all.error()};
  std::vector<IpAddress> chosen;
  for (const IpAddress& address : *all) {
    if (options.ipv4 && address.family() != Family::ipv4) continue;
    if (options.ipv6 && address.family() != Family::ipv6) continue;
    const bool is_there = std::any_of(chosen.begin(), chosen.end(), [&](const IpAddress& one) {
      return one.family() == address.family();
    });
    if (!is_there) chosen.push_back(address);
  }
  if (chosen.empty()) {
    throw CommandFailure{ExitCode::unavailable,
                         fmt::format("the name {} has no address of that family", host)};
  }
  return chosen;
}

/// What a host alone stands for: the usual ports, some of which nobody promised.
std::vector<TurnPath> usual_paths(const TurnTarget& target, const IpAddress& address) {
  const auto path = [&](Transport transport, std::uint16_t port, bool is_guess) {
    return TurnPath{transport, {address, port}, target.host, is_guess};
  };
  return {path(Transport::udp, target.port, false), path(Transport::tcp, target.port, true),
          path(Transport::tls, https_port, true), path(Transport::tls, default_secured_port, true),
          path(Transport::dtls, default_secured_port, true)};
}

NatTestPlan plan_for(const Options& options, const std::vector<TurnTarget>& targets) {
  const TurnTarget& first = targets.front();
  const auto addresses = chosen_addresses(first.host, options);
  NatTestPlan plan;
  for (const std::string& text : options.targets)
    plan.target += (plan.target.empty() ? "" : " ") + text;
  // NAT questions go to a UDP port that was named, else to the usual one.
  const auto over_udp = std::find_if(targets.begin(), targets.end(), [](const TurnTarget& one) {
    return one.transport == Transport::udp;
  });
  const std::uint16_t stun_port = over_udp == targets.end() ? default_port : over_udp->port;
  for (const IpAddress& address : addresses) plan.stun.push_back({address, stun_port});
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const TurnTarget& target = targets[i];
    if (!is_uri(options.targets[i])) {
      const auto usual = usual_paths(target, addresses.front());
      plan.paths.insert(plan.paths.end(), usual.begin(), usual.end());
    } else if (target.relays) {
      plan.paths.push_back(
          {target.transport, {addresses.front(), target.port}, target.host, false});
    }
  }
  return plan;
}

std::optional<conformance::User> user_from(const Options& options, const Io& io) {
  if (!options.secret.empty()) {
    if (!options.password.empty()) throw usage("give --password or --secret, not both");
    constexpr seconds enough{600};
    const std::string secret = secret_from_option(options.secret, "--secret", io);
    const std::string account = options.user.empty() ? "nat-test" : options.user;
    const std::string name =
        require_user_name(auth::time_limited_username(io.now + enough, account), "--user");
    return conformance::User{name, auth::time_limited_password(secret, name)};
  }
  if (options.user.empty()) {
    if (!options.password.empty()) throw usage("--password needs --user");
    return std::nullopt;
  }
  const std::string name = require_user_name(options.user, "--user");
  return conformance::User{name, read_password(options.password, "--password", io)};
}

std::optional<seconds> lifetime_from(const Options& options) {
  if (options.lifetime.empty()) return std::nullopt;
  const auto lifetime = server::parse_duration(options.lifetime);
  if (!lifetime) {
    throw usage(
        fmt::format("--lifetime: {}; {}", lifetime.error().problem, lifetime.error().remedy));
  }
  constexpr seconds longest{900};
  if (*lifetime < seconds{1} || *lifetime > longest) {
    throw usage("--lifetime: from 1s to 15m, as in --lifetime 2m");
  }
  return lifetime.value();
}

int nat_test(const Options& options, const Io& io) {
  const auto targets = parsed_targets(options);
  NatTestPlan plan = plan_for(options, targets);
  plan.user = user_from(options, io);
  plan.lifetime = lifetime_from(options);
  const diagnosis::NatReport report = diagnosis::run_nat_test(plan);
  io.out << (options.output == Output::json ? diagnosis::to_json(report) + "\n"
                                            : diagnosis::to_text(report));
  return static_cast<int>(diagnosis::judge(report).verdict);
}

}  // namespace

void add_nat_test(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "nat-test", "What the network here does to calls, and whether a TURN server helps");
  const auto options = std::make_shared<Options>();
  command
      ->add_option(
          "TARGET", options->targets,
          "HOST[:PORT] for the usual ports, or the stun:, turn: and turns: URIs of one host")
      ->required();
  command->add_option("--user", options->user, "User name")->type_name("NAME");
  command
      ->add_option("--password", options->password,
                   "File with the user's password, or - for standard input; asked for without it")
      ->type_name("@FILE|-");
  command
      ->add_option("--secret", options->secret,
                   "File with the server's secret, or -: makes a credential for ten minutes")
      ->type_name("@FILE|-");
  command
      ->add_option("--lifetime", options->lifetime,
                   "Also find out how long the NAT keeps a silent binding, up to this long")
      ->type_name("DURATION");
  auto* ipv4 = command->add_flag("-4", options->ipv4, "Use IPv4 only");
  auto* ipv6 = command->add_flag("-6", options->ipv6, "Use IPv6 only");
  ipv6->excludes(ipv4);
  add_output_option(*command, options->output);
  command->footer(
      R"(Takes about ten seconds. Sends to that server alone (and to the second address that it names for
NAT discovery): some hundred small packets and, with credentials, a second of 8 Mbit/s. Mapping and
filtering need a server of RFC 5780 with two addresses; without one they are "inconclusive".
Exit codes: 0 ok, 1 no way to a TURN server, 2 usage, 3 works with something to mend,
4 credentials refused, 69 no such host.

Examples:
  turnpike nat-test turn.example.com --secret @secret.txt
  turnpike nat-test turn:turn.example.com turns:turn.example.com:443 --user alice --password @pw.txt
  turnpike nat-test stun:stun.example.com --output json
  turnpike nat-test turn.example.com --lifetime 2m)");
  command->callback([options, &context] { context.exit_code = nat_test(*options, context.io); });
}

}  // namespace turnpike::cli
