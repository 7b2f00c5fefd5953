// One function per command: it adds the command to the tree, with what to do when it is chosen.
#pragma once

#include <string>

#include "cli/app.h"
#include "cli/exit_code.h"

namespace CLI {
class App;
}  // namespace CLI

namespace turnpike::cli {

/// Where a chosen command finds its surroundings and leaves its result. Outlives the tree.
struct Context {
  const Io& io;
  int exit_code = 0;
};

void add_serve(CLI::App& app, Context& context);
void add_quickstart(CLI::App& app, Context& context);
void add_config(CLI::App& app, Context& context);
void add_credential(CLI::App& app, Context& context);
/// The parts of `credential` that need the store.
void add_credential_revocations(CLI::App& credential, Context& context);
void add_credential_verify(CLI::App& credential, Context& context);
void add_user(CLI::App& app, Context& context);
void add_secret(CLI::App& app, Context& context);
void add_key(CLI::App& app, Context& context);
void add_store(CLI::App& app, Context& context);
void add_room(CLI::App& app, Context& context);
/// list, show, end and kick, beside `room token`.
void add_room_administration(CLI::App& room, Context& context);
void add_allocation(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_drain(CLI::App& app, Context& context);
void add_reload(CLI::App& app, Context& context);
void add_top(CLI::App& app, Context& context);
void add_stun(CLI::App& app, Context& context);
void add_doctor(CLI::App& app, Context& context);
void add_nat_test(CLI::App& app, Context& context);
void add_conformance(CLI::App& app, Context& context);
void add_bench(CLI::App& app, Context& context);
void add_import(CLI::App& app, Context& context);
void add_completion(CLI::App& app, Context& context);
void add_version(CLI::App& app, Context& context);

/// How a command prints: for people or for programs.
enum class Output : std::uint8_t { table, json };

/// Adds `--output table|json` to `command`; `output` outlives the tree.
void add_output_option(CLI::App& command, Output& output);

}  // namespace turnpike::cli
