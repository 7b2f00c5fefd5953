// `turnpike room list`, `show`, `end` and `kick`: the rooms of a running server.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <ostream>

#include "cli/commands.h"
#include "cli/control_client.h"
#include "cli/percent_encoding.h"
#include "cli/table.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::json;

struct Options {
  ControlOptions control;
  std::string room;
  std::string peer;
  std::size_t limit = 100;
  Output output = Output::table;
};

std::string path_of(const Options& options) { return "/v1/rooms/" + percent_encoded(options.room); }

TableRow row_of(const Json& room) {
  return {room.value("id", ""), room.value("kind", ""),
          fmt::format("{} of {}", room.value("peers", std::uint64_t{0}),
                      room.value("max", std::uint64_t{0})),
          room.value("locked", false) ? "locked" : ""};
}

int list(const Options& options, const Io& io) {
  const Json answer = ControlClient{options.control, io}.ask(
      "GET", fmt::format("/v1/rooms?limit={}", options.limit));
  if (options.output == Output::json) {
    io.out << answer.dump() << '\n';
    return 0;
  }
  std::vector<TableRow> rows{{"ROOM", "KIND", "PEERS", ""}};
  for (const Json& room : answer["rooms"]) rows.push_back(row_of(room));
  io.out << table_text(rows);
  if (answer.contains("next")) io.out << "and more: --limit\n";
  return 0;
}

int show(const Options& options, const Io& io) {
  const ControlClient server{options.control, io};
  Json room = server.ask("GET", path_of(options));
  const Json peers = server.ask("GET", path_of(options) + "/peers")["peers"];
  if (options.output == Output::json) {
    room["members"] = peers;
    io.out << room.dump() << '\n';
    return 0;
  }
  io.out << table_text({{"ROOM", "KIND", "PEERS", ""}, row_of(room)}) << '\n';
  std::vector<TableRow> rows{{"PEER", "NAME", "SUBJECT", "ROLE", ""}};
  for (const Json& peer : peers) {
    rows.push_back({peer.value("peer", ""), peer.value("name", ""), peer.value("sub", ""),
                    peer.value("role", ""), peer.value("away", false) ? "away" : ""});
  }
  io.out << table_text(rows);
  return 0;
}

int end(const Options& options, const Io& io) {
  (void)ControlClient{options.control, io}.ask("DELETE", path_of(options));
  io.out << (options.output == Output::json ? R"({"ended":true})" : "ended") << '\n';
  return 0;
}

int kick(const Options& options, const Io& io) {
  (void)ControlClient{options.control, io}.ask(
      "DELETE", path_of(options) + "/peers/" + percent_encoded(options.peer));
  io.out << (options.output == Output::json ? R"({"kicked":true})" : "kicked") << '\n';
  return 0;
}

using Run = int (*)(const Options&, const Io&);

/// A command about one room.
CLI::App& add_command(CLI::App& room, const char* name, const char* meaning, Run run,
                      const std::shared_ptr<Options>& options, Context& context) {
  auto* const command = room.add_subcommand(name, meaning);
  add_control_options(*command, options->control);
  add_output_option(*command, options->output);
  command->callback([options, run, &context] { context.exit_code = run(*options, context.io); });
  return *command;
}

}  // namespace

void add_room_administration(CLI::App& room, Context& context) {
  const auto list_options = std::make_shared<Options>();
  add_command(room, "list", "The rooms of a running server", &list, list_options, context)
      .add_option("--limit", list_options->limit, "How many at most; default 100")
      ->type_name("NUMBER")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1000}));

  const auto add_room_option = [](CLI::App& command, Options& options) {
    command.add_option("room", options.room, "Its name")->type_name("ROOM")->required();
  };
  const auto show_options = std::make_shared<Options>();
  add_room_option(
      add_command(room, "show", "A room and who is in it", &show, show_options, context),
      *show_options);
  const auto end_options = std::make_shared<Options>();
  add_room_option(
      add_command(room, "end", "Send everybody out of a room", &end, end_options, context),
      *end_options);
  const auto kick_options = std::make_shared<Options>();
  CLI::App& kicking =
      add_command(room, "kick", "Send one peer out of a room", &kick, kick_options, context);
  add_room_option(kicking, *kick_options);
  kicking.add_option("peer", kick_options->peer, "Its id, as show prints it")
      ->type_name("PEER")
      ->required();
}

}  // namespace turnpike::cli
