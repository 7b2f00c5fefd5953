// `turnpike conformance`: does a server, any server, do what the RFCs say?
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <memory>
#include <ostream>

#include "base/crypto.h"
#include "cli/commands.h"
#include "cli/password.h"
#include "cli/turn_target.h"
#include "cli/user_name.h"
#include "conformance/report.h"
#include "net/interfaces.h"

namespace turnpike::cli {
namespace {

using conformance::Check;
using conformance::CheckResult;

constexpr std::uint16_t default_port = 3478;
constexpr std::uint16_t default_secured_port = 5349;

struct Options {
  std::string target;
  std::string user;
  std::string password;  ///< "@file", "-", or empty: asked for
  std::string second_user;
  std::string second_password;
  std::string secret;                 ///< "@file" or "-"
  std::int64_t nonce_lifetime_s = 0;  ///< 0: not known
  std::vector<std::string> transports;
  std::uint16_t tls_port = 0;
  std::string family;
  std::vector<std::string> checks;
  bool list = false;
  bool slow = false;
  bool verify = false;
  std::string peer_address;
  std::uint32_t rto_ms = 500;
  Output output = Output::table;
};

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

// --- What to run ---------------------------------------------------------------------------------

std::vector<Check> chosen_checks(const std::vector<std::string>& patterns) {
  const auto all = conformance::catalogue();
  if (patterns.empty()) return {all.begin(), all.end()};
  std::vector<Check> chosen;
  for (const std::string& pattern : patterns) {
    const std::size_t before = chosen.size();
    for (const Check& check : all) {
      if (conformance::matches(pattern, check.name)) chosen.push_back(check);
    }
    if (chosen.size() == before) {
      throw usage(fmt::format("--check: no check is called {}; --list shows them", pattern));
    }
  }
  return chosen;
}

Transport transport_named(const std::string& name) {
  for (const Transport transport :
       {Transport::udp, Transport::tcp, Transport::tls, Transport::dtls}) {
    if (name == to_string(transport)) return transport;
  }
  throw usage(fmt::format("--transport: {} is not known; use udp, tcp, tls, dtls", name));
}

std::vector<Transport> chosen_transports(const Options& options, const TurnTarget& target) {
  if (options.transports.empty()) return {target.transport};
  std::vector<Transport> transports;
  for (const std::string& name : options.transports) transports.push_back(transport_named(name));
  return transports;
}

bool is_secured(Transport transport) {
  return transport == Transport::tls || transport == Transport::dtls;
}

/// The URI's port is for what its scheme names; the other kind has its own.
std::uint16_t port_for(Transport transport, const Options& options, const TurnTarget& target) {
  const bool is_of_target = is_secured(transport) == is_secured(target.transport);
  if (is_secured(transport) && options.tls_port != 0) return options.tls_port;
  if (is_of_target) return target.port;
  return is_secured(transport) ? default_secured_port : default_port;
}

/// A family to test, and the server's address of it, if it has one.
struct Side {
  Family family;
  std::optional<IpAddress> address;
};

std::vector<Side> chosen_sides(const Options& options, const TurnTarget& target) {
  const auto all = net::resolve(target.host);
  if (!all) throw CommandFailure{ExitCode::unavailable, all.error()};
  if (options.family.empty()) return {{all->front().family(), all->front()}};
  const auto side_of = [&](Family family) {
    const auto found = std::find_if(all->begin(), all->end(), [family](const IpAddress& address) {
      return address.family() == family;
    });
    return Side{family, found == all->end() ? std::nullopt : std::optional{*found}};
  };
  if (options.family == "ipv4") return {side_of(Family::ipv4)};
  if (options.family == "ipv6") return {side_of(Family::ipv6)};
  return {side_of(Family::ipv4), side_of(Family::ipv6)};
}

/// `second`: "" or "second-", as the options are called.
std::optional<conformance::User> user_from(const std::string& name, const std::string& password,
                                           const std::string& second, const Io& io) {
  if (name.empty()) return std::nullopt;
  return conformance::User{require_user_name(name, "--" + second + "user"),
                           read_password(password, "--" + second + "password", io)};
}

conformance::Settings settings_from(const Options& options, const TurnTarget& target,
                                    const Io& io) {
  conformance::Settings settings;
  settings.server_name = target.host;
  settings.user = user_from(options.user, options.password, "", io);
  settings.second_user = user_from(options.second_user, options.second_password, "second-", io);
  if (!options.secret.empty()) settings.secret = read_password(options.secret, "--secret", io);
  if (options.nonce_lifetime_s > 0) settings.nonce_lifetime = seconds{options.nonce_lifetime_s};
  settings.slow = options.slow;
  settings.verify = options.verify;
  settings.timing.rto = milliseconds{options.rto_ms};
  if (!options.peer_address.empty()) {
    settings.peer_address = IpAddress::parse(options.peer_address);
    if (!settings.peer_address) {
      throw usage(fmt::format("--peer-address: {} is no IP address", options.peer_address));
    }
  }
  return settings;
}

// --- Running -------------------------------------------------------------------------------------

/// The run as it goes.
struct Run {
  const std::vector<Check>& checks;
  Output output;
  const Io& io;
  std::vector<CheckResult> results;
  bool is_unreachable = false;  ///< over one transport at least
};

void add(Run& run, CheckResult result) {
  if (run.output == Output::table) run.io.out << conformance::to_text(result) << std::flush;
  run.results.push_back(std::move(result));
}

/// Every check as not tried, for one reason. In the table the reason stands once.
void skip_all(const conformance::Settings& settings, const std::string& why, Run& run) {
  for (const Check& check : run.checks) {
    if (!conformance::applies_to(check.applies, settings.transport)) continue;
    CheckResult result{&check, settings.transport, settings.server.family(), {}, {}, {}};
    result.outcome.status = conformance::Status::not_tried;
    result.outcome.why = why;
    run.results.push_back(std::move(result));
  }
  run.io.err << "turnpike: " << why << '\n';
}

void run_over(conformance::Settings settings, Random& random, Run& run) {
  const auto contact = conformance::make_contact(settings, random);
  switch (contact.kind) {
    case conformance::Contact::Kind::refused:
      throw CommandFailure{ExitCode::refused, contact.text};
    case conformance::Contact::Kind::unreachable:
      run.is_unreachable = true;
      return skip_all(settings,
                      fmt::format("{} cannot be reached over {}: {}", settings.server.to_string(),
                                  to_string(settings.transport), contact.text),
                      run);
    case conformance::Contact::Kind::ready:
      break;
  }
  for (const Check& check : run.checks) {
    if (!conformance::applies_to(check.applies, settings.transport)) continue;
    add(run, conformance::run_check(check, settings, random));
  }
}

int conformance_run(const Options& options, const Io& io) {
  const std::vector<Check> checks = chosen_checks(options.checks);
  if (options.list) {
    io.out << (options.output == Output::json ? conformance::list_json(checks) + "\n"
                                              : conformance::list_text(checks));
    return 0;
  }
  if (options.target.empty()) throw usage("a server is missing, as in turn:turn.example.com");
  const auto target = parse_turn_target(options.target);
  if (!target) throw usage(target.error());
  const auto transports = chosen_transports(options, *target);
  conformance::Settings settings = settings_from(options, *target, io);

  SecureRandom random;
  Run run{checks, options.output, io, {}, false};
  for (const Side& side : chosen_sides(options, *target)) {
    for (const Transport transport : transports) {
      settings.transport = transport;
      settings.server = {side.address.value_or(IpAddress::any(side.family)),
                         port_for(transport, options, *target)};
      if (!side.address) {
        skip_all(settings, target->host + " has no address of that family", run);
      } else if (!conformance::route_to(*side.address)) {
        skip_all(settings, "this host has no route to " + side.address->to_string(), run);
      } else {
        run_over(settings, random, run);
      }
    }
  }
  const conformance::Counts counts = conformance::count(run.results);
  io.out << (options.output == Output::json ? conformance::to_json(options.target, run.results)
                                            : conformance::to_text(counts))
         << '\n';
  if (counts.failed > 0) return static_cast<int>(ExitCode::no);
  return static_cast<int>(run.is_unreachable ? ExitCode::unavailable : ExitCode::ok);
}

void add_options(CLI::App& command, Options& options) {
  command.add_option("TARGET", options.target,
                     "turn:HOST[:PORT][?transport=udp|tcp], turns:…, stun:… or HOST[:PORT]");
  command.add_option("--user", options.user, "User name")->type_name("NAME");
  command
      .add_option("--password", options.password,
                  "File with the user's password, or - for standard input; asked for without it")
      ->type_name("@FILE|-");
  command
      .add_option("--second-user", options.second_user,
                  "Another user, for what two users must not do to each other")
      ->type_name("NAME");
  command.add_option("--second-password", options.second_password, "The same for that one")
      ->type_name("@FILE|-");
  command
      .add_option("--secret", options.secret,
                  "File with the secret that time-limited credentials are made with, or -")
      ->type_name("@FILE|-");
  command
      .add_option(
          "--nonce-lifetime", options.nonce_lifetime_s,
          "For how many seconds the server takes a nonce: then that is tried without --slow")
      ->check(CLI::Range(1, 3600))
      ->type_name("S");
  command
      .add_option("--transport", options.transports,
                  "udp, tcp, tls, dtls, or several with commas; default: that of TARGET")
      ->delimiter(',')
      ->type_name("LIST");
  command
      .add_option("--tls-port", options.tls_port,
                  "Port for TLS and DTLS; default: that of turns:, or 5349")
      ->check(CLI::Range(1, 65535))
      ->type_name("PORT");
  command.add_option("--family", options.family, "ipv4, ipv6 or both; default: the preferred one")
      ->check(CLI::IsMember({"ipv4", "ipv6", "both"}))
      ->type_name("FAMILY");
  command
      .add_option("--check", options.checks,
                  "Only this check; may be repeated, and * stands for anything")
      ->type_name("NAME")
      ->allow_extra_args(false);
  command.add_flag("--list", options.list, "Show the checks and run none");
  command.add_flag("--slow", options.slow, "Also run what has to wait for minutes");
  command.add_flag("--verify", options.verify, "The server's certificate must be valid");
  command
      .add_option("--peer-address", options.peer_address,
                  "Address of this host on which the suite's peers listen; default: by the route")
      ->type_name("ADDRESS");
  command
      .add_option("--rto", options.rto_ms,
                  "First wait for an answer, in ms, until the round trip is known; default: 500")
      ->check(CLI::Range(10, 10'000))
      ->type_name("MS");
  add_output_option(command, options.output);
}

}  // namespace

void add_conformance(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "conformance", "Check a STUN or TURN server, any server, against the RFCs from outside");
  const auto options = std::make_shared<Options>();
  add_options(*command, *options);
  command->footer(
      R"(Each check is one rule, with its section. It ends as passed; failed (a MUST is broken); warned (a
SHOULD); not supported (the server lacks an optional feature); or not tried (no conclusion from
here, and why). The suite makes allocations for its user, relays a few datagrams to its own sockets
and deletes what it made. Exit codes: 0 nothing failed, 1 something did, 4 user or password
refused, 69 no server there.

Examples:
  turnpike conformance turn:turn.example.com --user alice --password @secret.txt
  turnpike conformance turn:192.0.2.1 --user alice --password - --transport udp,tcp,tls --family both
  turnpike conformance stun:turn.example.com --check 'binding-*' --output json)");
  command->callback(
      [options, &context] { context.exit_code = conformance_run(*options, context.io); });
}

}  // namespace turnpike::cli
