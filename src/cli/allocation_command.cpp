// `turnpike allocation`: what is relayed by a running server.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <ostream>

#include "cli/allocation_table.h"
#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/percent_encoding.h"
#include "cli/table.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::json;

struct Options {
  ControlOptions control;
  std::string user;
  std::string client;
  std::string transport;
  std::string sort = "id";
  std::size_t limit = 100;
  std::string id;
  Output output = Output::table;
};

std::string list_path(const Options& options) {
  std::string path =
      fmt::format("/v1/allocations?limit={}&sort={}", options.limit, percent_encoded(options.sort));
  const auto add = [&path](std::string_view name, const std::string& value) {
    if (!value.empty()) path += fmt::format("&{}={}", name, percent_encoded(value));
  };
  add("user", options.user);
  add("client", options.client);
  add("transport", options.transport);
  return path;
}

int list(const Options& options, const Io& io) {
  const Json answer = ControlClient{options.control, io}.ask("GET", list_path(options));
  if (options.output == Output::json) {
    io.out << answer.dump() << '\n';
    return 0;
  }
  io.out << allocation_table(answer["allocations"]);
  const std::size_t shown = answer["allocations"].size();
  const auto total = answer.value("total", std::uint64_t{0});
  if (shown < total) {
    io.out << fmt::format("{} of {}; --limit shows more, --user, --client and --sort others\n",
                          shown, total);
  }
  return 0;
}

std::string detail_text(const Json& allocation) {
  const Json& traffic = allocation["traffic"];
  const auto way = [&traffic](const char* packets, const char* bytes) {
    return fmt::format("{} packets, {}", traffic.value(packets, std::uint64_t{0}),
                       size_text(traffic.value(bytes, std::uint64_t{0})));
  };
  return table_text({
      {"id", allocation.value("id", "")},
      {"user", allocation.value("user", "")},
      {"account", allocation.value("account", "")},
      {"client", allocation.value("clientTransport", "") + " " + allocation.value("client", "")},
      {"relayed", allocation.value("peerTransport", "") + " " + relayed_text(allocation)},
      {"started", allocation.value("startedAt", "")},
      {"expires in", age_text(allocation.value("expiresIn", std::uint64_t{0}))},
      {"permissions", std::to_string(allocation.value("permissions", std::uint64_t{0}))},
      {"channels", std::to_string(allocation.value("channels", std::uint64_t{0}))},
      {"to peers", way("packetsToPeer", "bytesToPeer")},
      {"to client", way("packetsToClient", "bytesToClient")},
      {"bitrate", rate_text(allocation.value("bitrate", std::uint64_t{0}))},
  });
}

int show(const Options& options, const Io& io) {
  const std::string path = "/v1/allocations/" + percent_encoded(options.id);
  const Json allocation = ControlClient{options.control, io}.ask("GET", path);
  io.out << (options.output == Output::json ? allocation.dump() + "\n" : detail_text(allocation));
  return 0;
}

int kill(const Options& options, const Io& io) {
  if (options.id.empty() == options.user.empty()) {
    throw CommandFailure{ExitCode::usage, "name one allocation, or with --user all of a user"};
  }
  const ControlClient server{options.control, io};
  std::uint64_t ended = 1;
  if (options.user.empty()) {
    (void)server.ask("DELETE", "/v1/allocations/" + percent_encoded(options.id));
  } else {
    ended = server.ask("DELETE", "/v1/allocations?user=" + percent_encoded(options.user))
                .value("ended", std::uint64_t{0});
  }
  io.out << (options.output == Output::json ? Json{{"ended", ended}}.dump()
                                            : fmt::format("ended {}", ended))
         << '\n';
  return ended > 0 ? 0 : static_cast<int>(ExitCode::no);
}

void add_list(CLI::App& parent, Context& context) {
  auto* const command = parent.add_subcommand("list", "Who is relayed, and how much");
  const auto options = std::make_shared<Options>();
  command->add_option("--user", options->user, "Only of this user")->type_name("NAME");
  command->add_option("--client", options->client, "Only of clients at this address")
      ->type_name("ADDRESS");
  command->add_option("--transport", options->transport, "Only those with UDP or TCP to the peer")
      ->type_name("udp|tcp")
      ->check(CLI::IsMember({"udp", "tcp"}));
  command->add_option("--sort", options->sort, "What comes first; default: id")
      ->type_name("id|bytes|bitrate")
      ->check(CLI::IsMember({"id", "bytes", "bitrate"}));
  command->add_option("--limit", options->limit, "How many at most; default 100")
      ->type_name("NUMBER")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1000}));
  add_control_options(*command, options->control);
  add_output_option(*command, options->output);
  command->callback([options, &context] { context.exit_code = list(*options, context.io); });
}

void add_show(CLI::App& parent, Context& context) {
  auto* const command = parent.add_subcommand("show", "All about one allocation");
  const auto options = std::make_shared<Options>();
  command->add_option("id", options->id, "As list prints it")->type_name("ID")->required();
  add_control_options(*command, options->control);
  add_output_option(*command, options->output);
  command->callback([options, &context] { context.exit_code = show(*options, context.io); });
}

void add_kill(CLI::App& parent, Context& context) {
  auto* const command =
      parent.add_subcommand("kill", "End one allocation, or all of a user; they may come back");
  const auto options = std::make_shared<Options>();
  command->add_option("id", options->id, "As list prints it")->type_name("ID");
  command->add_option("--user", options->user, "All of this user")->type_name("NAME");
  add_control_options(*command, options->control);
  add_output_option(*command, options->output);
  command->footer(
      "To keep a user from coming back, revoke the credential: turnpike credential "
      "revoke --help");
  command->callback([options, &context] { context.exit_code = kill(*options, context.io); });
}

}  // namespace

void add_allocation(CLI::App& app, Context& context) {
  auto* const allocation =
      app.add_subcommand("allocation", "What a running server relays: list, show, kill");
  allocation->require_subcommand(1);
  add_list(*allocation, context);
  add_show(*allocation, context);
  add_kill(*allocation, context);
}

}  // namespace turnpike::cli
