#include "cli/app.h"

#include <CLI/CLI.hpp>
#include <exception>
#include <memory>
#include <ostream>

#include "cli/commands.h"
#include "version.h"

namespace turnpike::cli {
namespace {

constexpr const char* footer = R"(Examples:
  turnpike serve                                  a safe server on loopback, nothing to configure
  turnpike serve --config /etc/turnpike/turnpike.toml
  turnpike quickstart --domain turn.example.com   a public server
  turnpike config check                           is the configuration right?
  turnpike user add alice                         a user with a password
  turnpike secret add                             a secret to make credentials with
  turnpike credential mint --secret @secret.txt   credentials for a browser
  turnpike room token --key @web.key --room demo  an invitation to a room
  turnpike status                                 what does the running server do?
  turnpike allocation list --user alice           who is relayed?
  turnpike stun turn.example.com                  what address does the server see?
  turnpike doctor                                 is everything right with this server?
  turnpike nat-test turn.example.com              what does this network do to calls?
  turnpike conformance turn:turn.example.com --user alice --password @secret.txt
  turnpike bench 127.0.0.1 --secret @secret.txt   how fast is it, and what does a packet cost?

`turnpike COMMAND --help` says more. Exit codes: 0 ok, 1 the answer is no, 2 usage,
3 degraded, 4 refused (credentials), 69 unavailable, 78 configuration.)";

/// CLI11 speaks for itself; its many exit codes become 0 or 2.
int report(const CLI::App& app, const CLI::ParseError& error, const Io& io) {
  const int code = app.exit(error, io.out, io.err);
  return static_cast<int>(code == 0 ? ExitCode::ok : ExitCode::usage);
}

int parse_and_run(const std::vector<std::string>& arguments, const Io& io) {
  CLI::App app{"A STUN and TURN server, and the tools that go with it.", "turnpike"};
  app.footer(footer);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::simple);
  Context context{io};
  add_serve(app, context);
  add_quickstart(app, context);
  add_config(app, context);
  add_credential(app, context);
  add_user(app, context);
  add_secret(app, context);
  add_key(app, context);
  add_store(app, context);
  add_room(app, context);
  add_allocation(app, context);
  add_status(app, context);
  add_drain(app, context);
  add_reload(app, context);
  add_top(app, context);
  add_stun(app, context);
  add_doctor(app, context);
  add_nat_test(app, context);
  add_conformance(app, context);
  add_bench(app, context);
  add_import(app, context);
  add_completion(app, context);
  add_version(app, context);
  app.set_version_flag("--version", std::string{"turnpike "} + TURNPIKE_VERSION);

  if (arguments.empty()) {
    io.err << app.help();
    return static_cast<int>(ExitCode::usage);
  }
  try {
    app.parse(std::vector<std::string>{arguments.rbegin(),
                                       arguments.rend()});  // CLI11 takes them from the back
  } catch (const CLI::ParseError& error) {
    return report(app, error, io);
  }
  return context.exit_code;
}

}  // namespace

int run(const std::vector<std::string>& arguments, const Io& io) {
  try {
    return parse_and_run(arguments, io);
  } catch (const CommandFailure& failure) {
    io.err << "turnpike: " << failure.what() << '\n';
    return static_cast<int>(failure.code);
  } catch (const std::exception& bug) {
    io.err << "turnpike: internal error: " << bug.what() << '\n';
    return static_cast<int>(ExitCode::internal);
  }
}

void add_output_option(CLI::App& command, Output& output) {
  const auto choose = [&output](const std::string& name) {
    if (name != "table" && name != "json") {
      throw CLI::ValidationError("--output", name + " is not known; use table or json");
    }
    output = name == "json" ? Output::json : Output::table;
  };
  command
      .add_option_function<std::string>("--output", choose,
                                        "How to print: table (for people) or json")
      ->type_name("table|json");
}

}  // namespace turnpike::cli
