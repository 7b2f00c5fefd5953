// `turnpike serve`
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <ostream>

#include "cli/commands.h"
#include "cli/configuration.h"
#include "server/config_parsers.h"
#include "server/quickstart.h"
#include "server/service.h"

namespace turnpike::cli {
namespace {

struct Options {
  ConfigOptions config;
  std::vector<std::string> insecure_allow_peers;
};

std::vector<IpPrefix> parse_prefixes(const std::vector<std::string>& texts) {
  std::vector<IpPrefix> prefixes;
  for (const std::string& text : texts) {
    const auto prefix = server::parse_prefix(text);
    if (!prefix) {
      throw CommandFailure{ExitCode::usage,
                           fmt::format("--insecure-allow-peers: {}; {}", prefix.error().problem,
                                       prefix.error().remedy)};
    }
    prefixes.push_back(*prefix);
  }
  return prefixes;
}

/// For a reload: the same sources as at the start, with what they say now.
Result<server::Config, std::vector<std::string>> read_again(const ConfigOptions& options,
                                                            const Io& io) {
  auto found = find_config(options, QuickstartSecret::make, io);
  if (found) return std::move(found->loaded.config);
  std::vector<std::string> sentences;
  for (const server::ConfigError& error : found.error()) sentences.push_back(error.to_string());
  return Failure<std::vector<std::string>>{std::move(sentences)};
}

int serve(const Options& options, const Io& io) {
  server::ServeOptions serve_options;
  serve_options.insecure_allow_peers = parse_prefixes(options.insecure_allow_peers);
  const FoundConfig found = require_config(options.config, QuickstartSecret::make, io);
  for (const std::string& warning : found.loaded.warnings) io.err << "warning: " << warning << '\n';
  serve_options.config_origin = found.origin;
  serve_options.quickstart = found.quickstart;
  serve_options.config_files = found.loaded.files;
  if (found.quickstart) {
    serve_options.quickstart_directory = server::state_directory(io.environment, io.is_root);
    serve_options.config_files.push_back(
        server::quickstart_secret_file(serve_options.quickstart_directory));
  }
  serve_options.read_again = [&options, &io] { return read_again(options.config, io); };
  serve_options.manager = server::ServiceManagerSettings::from(io.environment, ::getpid());
  return server::run(found.loaded.config, serve_options);
}

}  // namespace

void add_serve(CLI::App& app, Context& context) {
  auto* command =
      app.add_subcommand("serve", "Run the server until it is told to stop (SIGINT, SIGTERM)");
  const auto options = std::make_shared<Options>();
  add_config_options(*command, options->config);
  command
      ->add_option("--insecure-allow-peers", options->insecure_allow_peers,
                   "Opens a range that is otherwise always denied, such as 127.0.0.0/8. For tests "
                   "and benchmarks "
                   "only: whoever may use the relay reaches these addresses as this host does. May "
                   "be repeated")
      ->type_name("CIDR")
      ->allow_extra_args(false);
  command->footer(
      R"(Values come from --set, then the environment (TURNPIKE__SECTION__KEY), then the file. With no
file and no credentials in the environment a quickstart server listens on loopback.

Examples:
  turnpike serve
  turnpike serve --config ./turnpike.toml --set log.level=debug
  TURNPIKE__AUTH__SECRET_FILE=/run/secrets/turn turnpike serve)");
  command->callback([options, &context] { context.exit_code = serve(*options, context.io); });
}

}  // namespace turnpike::cli
