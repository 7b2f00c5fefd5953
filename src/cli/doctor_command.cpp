// `turnpike doctor`: is everything right with the server that this configuration describes?
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <ostream>

#include "cli/commands.h"
#include "cli/configuration.h"
#include "diagnosis/doctor.h"

namespace turnpike::cli {
namespace {

struct Options {
  ConfigOptions config;
  Output output = Output::table;
};

int doctor(const Options& options, const Io& io) {
  FoundConfig found = require_config(options.config, QuickstartSecret::make, io);
  const diagnosis::DoctorPlan plan{std::move(found.loaded), found.origin, io.now};
  const diagnosis::Findings findings = diagnosis::run_doctor(plan);
  io.out << (options.output == Output::json ? diagnosis::to_json(findings, found.origin) + "\n"
                                            : diagnosis::to_text(findings));
  return diagnosis::exit_code_of(findings);
}

}  // namespace

void add_doctor(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand(
      "doctor", "Check a server, its configuration and its host, with a remedy for what is wrong");
  const auto options = std::make_shared<Options>();
  add_config_options(*command, options->config);
  add_output_option(*command, options->output);
  command->footer(
      R"(Tries every listener of the configuration from outside, makes allocations and lets them talk,
looks at the certificate, addresses and DNS, the kernel's limits, the clock and the firewall. Works
with the server running or not. As root it sees more: who has a port, and the nftables rules. What
cannot be seen from this host it says, and which command to run elsewhere.
Exit codes: 0 nothing is wrong, 1 problems, 3 warnings only, 78 the configuration was refused.

Examples:
  turnpike doctor
  turnpike doctor --config /etc/turnpike/turnpike.toml --output json)");
  command->callback([options, &context] { context.exit_code = doctor(*options, context.io); });
}

}  // namespace turnpike::cli
