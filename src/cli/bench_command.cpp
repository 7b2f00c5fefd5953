// `turnpike bench`: how much a TURN server, any server, relays, and what that costs it.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <charconv>
#include <memory>
#include <ostream>

#include "auth/credentials.h"
#include "base/crypto.h"
#include "bench/report.h"
#include "bench/run.h"
#include "bench/stamp.h"
#include "bench/udp_socket.h"
#include "cli/commands.h"
#include "cli/password.h"
#include "cli/secret_option.h"
#include "cli/turn_target.h"
#include "cli/user_name.h"
#include "net/interfaces.h"

namespace turnpike::cli {
namespace {

using bench::Against;
using bench::Framing;
using bench::Mode;
using bench::Plan;

constexpr std::uint16_t default_port = 3478;
constexpr std::uint16_t default_secured_port = 5349;

struct Options {
  std::string target;
  std::string user;
  std::string password;  ///< "@file" or "-"
  std::string secret;    ///< "@file" or "-"
  std::string mode = "client-to-peer";
  std::string transport;
  std::uint16_t tls_port = 0;
  std::size_t allocations = 100;
  std::size_t payload_bytes = 160;
  std::size_t train = 1;
  std::string rate = "max";
  double seconds_wanted = 5;
  double refresh_seconds = 0;  ///< 0: no refreshes
  std::size_t in_flight = 0;
  std::string framing = "channel";
  bool pair = false;
  int server_pid = 0;
  std::string clients_from;
  std::string peer_address;
  int core = -1;
  std::string against = "turn";
  Output output = Output::table;
};

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

// --- The plan ------------------------------------------------------------------------------------

Mode mode_named(const std::string& name) {
  for (const Mode mode : {Mode::client_to_peer, Mode::peer_to_client, Mode::echo, Mode::binding,
                          Mode::churn, Mode::idle}) {
    if (name == to_string(mode)) return mode;
  }
  throw usage(fmt::format(
      "--mode: {} is not known; use client-to-peer, peer-to-client, echo, binding, churn, idle",
      name));
}

Transport transport_named(const std::string& name) {
  for (const Transport transport :
       {Transport::udp, Transport::tcp, Transport::tls, Transport::dtls}) {
    if (name == to_string(transport)) return transport;
  }
  throw usage(fmt::format("--transport: {} is not known; use udp, tcp, tls, dtls", name));
}

bool is_secured(Transport transport) {
  return transport == Transport::tls || transport == Transport::dtls;
}

/// The URI's port is for what its scheme names; the other kind has its own.
std::uint16_t port_for(Transport transport, const Options& options, const TurnTarget& target) {
  if (is_secured(transport) && options.tls_port != 0) return options.tls_port;
  if (is_secured(transport) == is_secured(target.transport)) return target.port;
  return is_secured(transport) ? default_secured_port : default_port;
}

bench::Rate rate_from(const std::string& text) {
  if (text == "max") return bench::RateMax{};
  if (text == "search") return bench::RateSearched{};
  std::uint64_t rate = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, rate);
  if (error != std::errc{} || rest != end || rate == 0 || rate > 100'000'000) {
    throw usage(
        fmt::format("--rate: {} is neither max nor search nor a number of packets a second", text));
  }
  return static_cast<double>(rate);
}

std::optional<IpPrefix> clients_from(const Options& options, const Endpoint& server) {
  if (options.clients_from.empty()) {
    // All of 127.0.0.0/8 is this host: many addresses cost nothing and spare the load many sockets.
    const auto many = IpPrefix::parse("127.1.0.0/16");
    return server.address.is_loopback() && server.family() == Family::ipv4 ? many : std::nullopt;
  }
  const auto prefix = IpPrefix::parse(options.clients_from);
  if (!prefix || prefix->address().family() != Family::ipv4) {
    throw usage(fmt::format("--clients-from: {} is no IPv4 prefix, as in 127.0.1.0/24",
                            options.clients_from));
  }
  if (server.family() != Family::ipv4) {
    throw usage("--clients-from: its addresses are IPv4 and the server's is IPv6");
  }
  return prefix;
}

std::optional<IpAddress> peer_address(const Options& options, const Endpoint& server) {
  if (options.peer_address.empty()) return std::nullopt;
  const auto address = IpAddress::parse(options.peer_address);
  if (!address || address->family() != server.family()) {
    throw usage(fmt::format("--peer-address: {} is no IP address of the server's family",
                            options.peer_address));
  }
  return address;
}

/// Name and password.
void put_user(const Options& options, const Io& io, Plan& plan) {
  if (plan.mode == Mode::binding || plan.against == Against::forwarder) return;
  if (!options.secret.empty()) {
    if (!options.password.empty()) throw usage("give --password or --secret, not both");
    constexpr seconds enough{3600};
    const std::string secret = secret_from_option(options.secret, "--secret", io);
    const std::string account = options.user.empty() ? "bench" : options.user;
    plan.username =
        require_user_name(auth::time_limited_username(io.now + enough, account), "--user");
    plan.password = auth::time_limited_password(secret, plan.username);
    return;
  }
  if (options.user.empty()) {
    throw usage("allocations need credentials: give --user and --password, or --secret");
  }
  plan.username = require_user_name(options.user, "--user");
  plan.password = read_password(options.password, "--password", io);
}

nanoseconds duration_from(double count) {
  return std::chrono::round<nanoseconds>(std::chrono::duration<double>{count});
}

/// What one train has on the wire to the server, at most.
std::size_t train_bytes(const Plan& plan) {
  constexpr std::size_t envelope_max = 64;
  return plan.train * (plan.payload_bytes + envelope_max);
}

void check(const Plan& plan) {
  if (plan.pair && plan.allocations % 2 != 0) {
    throw usage("--pair: two allocations make a pair, so --allocations must be even");
  }
  if (plan.pair && plan.mode != Mode::client_to_peer && plan.mode != Mode::echo) {
    throw usage("--pair goes with --mode client-to-peer and --mode echo");
  }
  if (train_bytes(plan) > bench::UdpSocket::train_bytes_max) {
    throw usage("--train: all its packets together must not exceed 65,507 bytes on the wire");
  }
  if (std::holds_alternative<bench::RateSearched>(plan.rate) && !relays_packets(plan.mode)) {
    throw usage("--rate search goes with the modes that relay packets");
  }
  if (std::holds_alternative<bench::RateSearched>(plan.rate) && plan.duration > seconds{8}) {
    throw usage("--rate search: some 25 trials of more than 8 s would outlive the permissions");
  }
  if (plan.refresh_every && (!relays_packets(plan.mode) || plan.against == Against::forwarder)) {
    throw usage("--refresh goes with the modes that relay packets, through a TURN server");
  }
  const bool lasts = plan.mode == Mode::binding || plan.mode == Mode::churn;
  if (!lasts && !plan.refresh_every && plan.duration > seconds{240}) {
    throw usage("--seconds: permissions last 300; more than 240 needs --refresh");
  }
  if (plan.against == Against::forwarder &&
      (plan.transport != Transport::udp || plan.pair || !relays_packets(plan.mode))) {
    throw usage("--against forwarder: it knows UDP alone, and packets between clients and peers");
  }
}

Plan plan_from(const Options& options, const Io& io) {
  const auto target = parse_turn_target(options.target);
  if (!target) throw usage(target.error());
  Plan plan;
  plan.target = options.target;
  plan.transport =
      options.transport.empty() ? target->transport : transport_named(options.transport);
  plan.mode = mode_named(options.mode);
  plan.against = options.against == "forwarder" ? Against::forwarder : Against::turn;
  plan.framing = options.framing == "channel" ? Framing::channel : Framing::indication;
  if (plan.against == Against::forwarder) plan.framing = Framing::none;
  plan.pair = options.pair;
  plan.allocations = options.allocations;
  plan.payload_bytes = options.payload_bytes;
  plan.train = options.train;
  plan.rate = rate_from(options.rate);
  plan.duration = duration_from(options.seconds_wanted);
  if (options.refresh_seconds > 0) plan.refresh_every = duration_from(options.refresh_seconds);
  plan.in_flight = options.in_flight;
  if (options.server_pid > 0) plan.server_process = options.server_pid;
  if (options.core >= 0) plan.core = static_cast<unsigned>(options.core);
  check(plan);

  const auto addresses = net::resolve(target->host);
  if (!addresses) throw CommandFailure{ExitCode::unavailable, addresses.error()};
  plan.server = {addresses->front(), port_for(plan.transport, options, *target)};
  plan.server_name = target->host;
  plan.clients_from = clients_from(options, plan.server);
  plan.peer_address = peer_address(options, plan.server);
  put_user(options, io, plan);
  return plan;
}

ExitCode exit_code_for(bench::BenchFailure::Kind kind) {
  switch (kind) {
    case bench::BenchFailure::Kind::unreachable:
      return ExitCode::unavailable;
    case bench::BenchFailure::Kind::credentials:
      return ExitCode::refused;
    case bench::BenchFailure::Kind::refused:
      break;
  }
  return ExitCode::no;
}

int run_bench(const Options& options, const Io& io) {
  const Plan plan = plan_from(options, io);
  SecureRandom random;
  try {
    const bench::Report report = bench::run(plan, random);
    io.out << (options.output == Output::json ? bench::to_json(report) + "\n"
                                              : bench::to_text(report));
  } catch (const bench::BenchFailure& failure) {
    throw CommandFailure{exit_code_for(failure.kind), failure.what()};
  }
  return static_cast<int>(ExitCode::ok);
}

void add_load_options(CLI::App& command, Options& options) {
  command
      .add_option("--mode", options.mode,
                  "client-to-peer, peer-to-client, echo, binding, churn or idle; see below")
      ->type_name("MODE");
  command
      .add_option("--transport", options.transport,
                  "udp, tcp, tls or dtls between clients and server; default: that of TARGET")
      ->type_name("NAME");
  command
      .add_option("--tls-port", options.tls_port,
                  "Port for TLS and DTLS; default: that of turns:, or 5349")
      ->check(CLI::Range(1, 65535))
      ->type_name("PORT");
  command.add_option("--allocations", options.allocations, "How many; default: 100")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
  command.add_option("--size", options.payload_bytes, "Payload of a packet; default: 160")
      ->check(CLI::Range(bench::stamp_bytes, std::size_t{65'000}))
      ->type_name("BYTES");
  command
      .add_option("--train", options.train,
                  "So many packets of one flow leave together, as those of a video frame do")
      ->check(CLI::Range(std::size_t{1}, bench::UdpSocket::segments_max))
      ->type_name("N");
  command
      .add_option("--rate", options.rate,
                  "Packets (or transactions) a second; max: as many as there is room for; search: "
                  "the highest rate without loss")
      ->type_name("N|max|search");
  command
      .add_option("--seconds", options.seconds_wanted,
                  "How long to measure, with search each trial; default: 5")
      ->check(CLI::Range(0.05, 604'800.0))
      ->type_name("S");
  command
      .add_option(
          "--refresh", options.refresh_seconds,
          "Meanwhile refresh each allocation, and bind its peer again, every so many seconds")
      ->check(CLI::Range(0.1, 300.0))
      ->type_name("S");
  command
      .add_option("--in-flight", options.in_flight,
                  "With --rate max: trains, or transactions, on their way at once")
      ->check(CLI::Range(1, 100'000))
      ->type_name("N");
  command
      .add_option("--framing", options.framing,
                  "channel (ChannelData, the default) or indication (Send and Data)")
      ->check(CLI::IsMember({"channel", "indication"}))
      ->type_name("NAME");
  command.add_flag("--pair", options.pair,
                   "The peers are allocations of the same server: half of --allocations each");
}

void add_place_options(CLI::App& command, Options& options) {
  command
      .add_option("--clients-from", options.clients_from,
                  "IPv4 addresses of this host that clients send from; default for a server on "
                  "127.0.0.0/8: 127.1.0.0/16")
      ->type_name("PREFIX");
  command
      .add_option("--peer-address", options.peer_address,
                  "Address of this host on which the peers are; default: by the route")
      ->type_name("ADDRESS");
  command
      .add_option("--server-pid", options.server_pid,
                  "Process of the server, on this host: its CPU time and memory are reported")
      ->check(CLI::PositiveNumber)
      ->type_name("PID");
  command
      .add_option("--cpu", options.core,
                  "Run on this core alone and never sleep; the server should be on another")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command.add_option("--against", options.against, "turn, or forwarder: that of bench/")
      ->check(CLI::IsMember({"turn", "forwarder"}))
      ->group("");  // for script/bench alone
}

}  // namespace

void add_bench(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "bench", "Load a TURN server, any server: what it relays, and what that costs it");
  const auto options = std::make_shared<Options>();
  command
      ->add_option("TARGET", options->target,
                   "HOST[:PORT], turn:HOST[:PORT][?transport=udp|tcp] or turns:…")
      ->required();
  command->add_option("--user", options->user, "User name")->type_name("NAME");
  command
      ->add_option("--password", options->password,
                   "File with the user's password, or - for standard input; asked for without it")
      ->type_name("@FILE|-");
  command
      ->add_option("--secret", options->secret,
                   "File with the server's secret, or -: makes a credential for an hour")
      ->type_name("@FILE|-");
  add_load_options(*command, *options);
  add_place_options(*command, *options);
  add_output_option(*command, options->output);
  command->footer(
      R"(For servers of your own: it sends as much as it can. Clients and peers are both here, in this one
process; packets are numbered and carry the time, so that each is accounted for.

Modes: client-to-peer and peer-to-client relay one way; echo goes to the peer and back, for
latencies; binding sends Binding requests; churn makes an allocation as a new client does (Allocate,
which is challenged, and Allocate again) and deletes it; idle makes --allocations with a channel each
and leaves them alone, for the memory they take.

The server must let clients relay to the peers here and one user have all the allocations: for
Turnpike relay.max_allocations_per_user = 0, limits.challenge_rate = 0, and on loopback
`turnpike serve --insecure-allow-peers 127.0.0.0/8`.
Exit codes: 0 measured, 1 the server or this host refuses, 2 usage, 4 credentials refused, 69 no
answer.

Examples:
  turnpike bench 127.0.0.1 --secret @secret.txt --server-pid 4711 --cpu 1
  turnpike bench 127.0.0.1 --secret @secret.txt --mode echo --rate 20000
  turnpike bench 127.0.0.1 --secret @secret.txt --size 1200 --train 16 --rate search
  turnpike bench turns:turn.example.com --user alice --password @pw.txt --allocations 10)");
  command->callback([options, &context] { context.exit_code = run_bench(*options, context.io); });
}

}  // namespace turnpike::cli
