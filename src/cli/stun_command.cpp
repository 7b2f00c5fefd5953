// `turnpike stun`: which address does a STUN server see, and how far away is it?
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <thread>

#include "base/crypto.h"
#include "cli/commands.h"
#include "cli/host_port.h"
#include "cli/udp_exchange.h"
#include "server/config_parsers.h"
#include "server/log.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::ordered_json;
using Outcome = std::variant<Answered, Unanswered>;

constexpr std::uint16_t default_port = 3478;

struct Options {
  std::string target;
  std::uint16_t port = 0;  ///< 0: not given
  bool ipv4 = false;
  bool ipv6 = false;
  std::uint32_t count = 1;
  std::string timeout = "5s";
  Output output = Output::table;
};

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

/// The host and the port to ask.
HostPort chosen_target(const Options& options) {
  auto target = parse_stun_target(options.target);
  if (!target) throw usage(target.error());
  if (target->port && options.port != 0 && *target->port != options.port) {
    throw usage(fmt::format("two ports are given, {} and --port {}; keep one", *target->port,
                            options.port));
  }
  if (!target->port) target->port = options.port != 0 ? options.port : default_port;
  return std::move(*target);
}

std::optional<Family> chosen_family(const Options& options) {
  if (options.ipv4) return Family::ipv4;
  if (options.ipv6) return Family::ipv6;
  return std::nullopt;
}

seconds chosen_timeout(const Options& options) {
  const auto timeout = server::parse_duration(options.timeout);
  if (!timeout)
    throw usage(fmt::format("--timeout: {}; {}", timeout.error().problem, timeout.error().remedy));
  return *timeout;
}

double in_milliseconds(nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// What kind of line an outcome is worth.
enum class Verdict : std::uint8_t { address, refusal, silence };

Verdict verdict_of(const Outcome& outcome) {
  const auto* answered = std::get_if<Answered>(&outcome);
  if (answered == nullptr) return Verdict::silence;
  return std::holds_alternative<client::ReflexiveAddress>(answered->answer) ? Verdict::address
                                                                            : Verdict::refusal;
}

Json json_of(const Outcome& outcome) {
  const auto* answered = std::get_if<Answered>(&outcome);
  if (answered == nullptr)
    return {{"error", "no answer"}, {"requests", std::get<Unanswered>(outcome).transmissions}};
  Json json;
  if (const auto* address = std::get_if<client::ReflexiveAddress>(&answered->answer)) {
    json["reflexive"] = address->endpoint.to_string();
  } else {
    const auto& refused = std::get<client::BindingRefused>(answered->answer);
    json["error"] = "refused";
    json["code"] = refused.code;
    json["reason"] = refused.reason;
  }
  json["rtt_ms"] = std::round(in_milliseconds(answered->elapsed) * 1000) / 1000;
  json["requests"] = answered->transmissions;
  return json;
}

std::string text_of(const Outcome& outcome, const std::string& server) {
  const auto* answered = std::get_if<Answered>(&outcome);
  if (answered == nullptr) {
    return fmt::format("no answer from {} to {} requests", server,
                       std::get<Unanswered>(outcome).transmissions);
  }
  std::string text;
  if (const auto* address = std::get_if<client::ReflexiveAddress>(&answered->answer)) {
    text = fmt::format("{} is your address, seen by {}", address->endpoint.to_string(), server);
  } else {
    const auto& refused = std::get<client::BindingRefused>(answered->answer);
    // The phrase comes from the network; the log's escaping keeps it from steering the terminal.
    text = fmt::format(
        "refused by {}, {}", server,
        server::log_line_text(std::to_string(refused.code), {{"reason", refused.reason}}));
  }
  text += fmt::format(", {:.1f} ms", in_milliseconds(answered->elapsed));
  if (answered->transmissions > 1)
    text += fmt::format(" after {} requests", answered->transmissions);
  return text;
}

/// The first address that can be sent to: a host without IPv6 passes over the AAAA records.
std::pair<Endpoint, std::unique_ptr<StunSocket>> connect_to(const HostPort& target,
                                                            std::optional<Family> family) {
  const std::vector<IpAddress> addresses = resolve(target.host, family);
  for (std::size_t i = 0;; ++i) {
    const Endpoint server{addresses[i], *target.port};
    try {
      return {server, std::make_unique<StunSocket>(server)};
    } catch (const CommandFailure&) {
      if (i + 1 == addresses.size()) throw;
    }
  }
}

void print(const Outcome& outcome, const std::string& server, Output output, const Io& io) {
  if (output == Output::json) return;  // all at once, at the end
  std::ostream& stream = verdict_of(outcome) == Verdict::address ? io.out : io.err;
  stream << text_of(outcome, server) << std::endl;  // flushed: with --count lines come one by one
}

int stun(const Options& options, const Io& io) {
  const HostPort target = chosen_target(options);
  const seconds timeout = chosen_timeout(options);
  const auto [server, socket] = connect_to(target, chosen_family(options));
  SecureRandom random;
  Json answers = Json::array();
  std::uint32_t received = 0;
  for (std::uint32_t i = 0; i < options.count; ++i) {
    if (i != 0) std::this_thread::sleep_for(seconds{1});
    const Outcome outcome = socket->ask(random, timeout);
    if (verdict_of(outcome) == Verdict::address) ++received;
    print(outcome, server.to_string(), options.output, io);
    answers.push_back(json_of(outcome));
  }
  if (options.output == Output::json) {
    const Json json{{"host", target.host},
                    {"server", server.to_string()},
                    {"sent", options.count},
                    {"received", received},
                    {"answers", std::move(answers)}};
    io.out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  }
  return static_cast<int>(received > 0 ? ExitCode::ok : ExitCode::no);
}

}  // namespace

void add_stun(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "stun", "Ask a STUN server which address it sees (a Binding request over UDP)");
  const auto options = std::make_shared<Options>();
  command
      ->add_option("HOST", options->target, "Host name, address or stun: URI, with or without port")
      ->required();
  command->add_option("--port,-p", options->port, "Port; default: 3478")
      ->check(CLI::Range(1, 65535))
      ->type_name("PORT");
  auto* ipv4 = command->add_flag("-4", options->ipv4, "Use IPv4");
  auto* ipv6 = command->add_flag("-6", options->ipv6, "Use IPv6");
  ipv6->excludes(ipv4);
  command->add_option("--count", options->count, "How often to ask, once a second; default: 1")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  command
      ->add_option("--timeout", options->timeout, "How long to wait for each answer; default: 5s")
      ->type_name("DURATION");
  add_output_option(*command, options->output);
  command->footer(
      R"(Requests are repeated as RFC 8489 §6.2.1 says until the time is over. Exit codes: 0 an address,
1 no answer or a refusal, 69 no such host or nothing listens there.

Examples:
  turnpike stun turn.example.com
  turnpike stun stun:192.0.2.1:3479 --count 5
  turnpike stun -6 turn.example.com --output json | jq -r .answers[0].reflexive)");
  command->callback([options, &context] { context.exit_code = stun(*options, context.io); });
}

}  // namespace turnpike::cli
