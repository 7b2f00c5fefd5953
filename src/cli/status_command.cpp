// `turnpike status`, `drain` and `reload`: a running server as a whole.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>
#include <memory>
#include <ostream>
#include <thread>

#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/table.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::json;

struct Options {
  ControlOptions control;
  bool usage = false;
  bool undo = false;
  bool wait = false;
  Output output = Output::table;
};

std::uint64_t number(const Json& object, const char* name) {
  return object.value(name, std::uint64_t{0});
}

std::string join(const Json& texts) {
  std::string joined;
  for (const Json& text : texts) {
    if (!joined.empty()) joined += ", ";
    joined += text.get<std::string>();
  }
  return joined;
}

std::string store_text(const Json& status) {
  const Json store = status.value("store", Json{});
  if (store.is_null()) return "none";
  std::string text = store.value("failing", false) ? "FAILING" : "ok";
  text += fmt::format(", {} usage records waiting", number(store, "usageWaiting"));
  if (number(store, "usageLost") > 0) text += fmt::format(", {} lost", number(store, "usageLost"));
  return text;
}

std::string status_text(const Json& status) {
  const std::uint64_t limit = number(status, "maxAllocations");
  return table_text({
      {"version", status.value("version", "")},
      {"up", fmt::format("{} (since {})", age_text(number(status, "uptimeSeconds")),
                         status.value("startedAt", ""))},
      {"state", status.value("draining", false) ? "draining: no new clients" : "serving"},
      {"listening", join(status.value("listeners", Json::array()))},
      {"workers", std::to_string(number(status, "workers"))},
      {"allocations", limit == 0 ? fmt::format("{}", number(status, "allocations"))
                                 : fmt::format("{} of {}", number(status, "allocations"), limit)},
      {"relay ports", fmt::format("{} of {} free", number(status, "freeRelayPorts"),
                                  number(status, "relayPorts"))},
      {"rooms", fmt::format("{}, with {} peers", number(status, "rooms"), number(status, "peers"))},
      {"connections", std::to_string(number(status, "connections"))},
      {"store", store_text(status)},
  });
}

std::string usage_text(const Json& usage) {
  std::vector<TableRow> rows{{"ACCOUNT", "ALLOCATIONS", "TIME", "TO PEERS", "TO CLIENT"}};
  for (const Json& sum : usage.value("accounts", Json::array())) {
    rows.push_back({sum.value("account", ""), std::to_string(number(sum, "allocations")),
                    age_text(number(sum, "durationSeconds")), size_text(number(sum, "bytesToPeer")),
                    size_text(number(sum, "bytesToClient"))});
  }
  return table_text(rows);
}

void print(const Json& answer, const Options& options, std::string (*to_text)(const Json&),
           const Io& io) {
  io.out << (options.output == Output::json ? answer.dump() + "\n" : to_text(answer));
}

int show_status(const Options& options, const Io& io) {
  const ControlClient server{options.control, io};
  if (options.usage) {
    print(server.ask("GET", "/v1/usage?limit=1000"), options, &usage_text, io);
  } else {
    print(server.ask("GET", "/v1/status"), options, &status_text, io);
  }
  return 0;
}

/// Once a second, until nothing is relayed any more.
Json wait_until_empty(const ControlClient& server, Json status, const Io& io) {
  std::uint64_t told = 0;
  while (number(status, "allocations") > 0) {
    const std::uint64_t left = number(status, "allocations");
    if (left != told && io.err_is_terminal) io.err << fmt::format("{} allocations left\n", left);
    told = left;
    std::this_thread::sleep_for(seconds{1});
    status = server.ask("GET", "/v1/status");
  }
  return status;
}

int drain(const Options& options, const Io& io) {
  const ControlClient server{options.control, io};
  Json status = server.ask(options.undo ? "DELETE" : "POST", "/v1/drain");
  if (options.wait) status = wait_until_empty(server, std::move(status), io);
  print(status, options, &status_text, io);
  return 0;
}

std::string reload_text(const Json& report) {
  std::string text = "reloaded\n";
  const std::string changed = join(report.value("changed", Json::array()));
  const std::string restart = join(report.value("needsRestart", Json::array()));
  if (!changed.empty()) text += "in effect now: " + changed + "\n";
  if (!restart.empty()) text += "in effect after a restart: " + restart + "\n";
  return text;
}

int reload(const Options& options, const Io& io) {
  print(ControlClient{options.control, io}.ask("POST", "/v1/reload"), options, &reload_text, io);
  return 0;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
  auto* const command = app.add_subcommand("status", "What a running server does");
  const auto options = std::make_shared<Options>();
  command->add_flag("--usage", options->usage, "What each account has used, from the store");
  add_control_options(*command, options->control);
  add_output_option(*command, options->output);
  command->callback([options, &context] { context.exit_code = show_status(*options, context.io); });
}

void add_drain(CLI::App& app, Context& context) {
  auto* const command = app.add_subcommand(
      "drain", "Send new clients elsewhere, while what is relayed goes on to its end");
  const auto options = std::make_shared<Options>();
  command->add_flag("--wait", options->wait, "Come back when nothing is relayed any more");
  command->add_flag("--undo", options->undo, "Let new clients in again")->excludes("--wait");
  add_control_options(*command, options->control);
  add_output_option(*command, options->output);
  command->footer(
      "New clients get 300 with one of relay.alternate_servers, or 508; /readyz says 503; who is "
      "in a room\nis asked to go. SIGUSR1 does the same.");
  command->callback([options, &context] { context.exit_code = drain(*options, context.io); });
}

void add_reload(CLI::App& app, Context& context) {
  auto* const command =
      app.add_subcommand("reload", "Read the configuration again; a broken one changes nothing");
  const auto options = std::make_shared<Options>();
  add_control_options(*command, options->control);
  add_output_option(*command, options->output);
  command->callback([options, &context] { context.exit_code = reload(*options, context.io); });
}

}  // namespace turnpike::cli
