#include "cli/configuration.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <filesystem>
#include <ostream>

#include "base/crypto.h"
#include "cli/exit_code.h"
#include "server/quickstart.h"

namespace turnpike::cli {
namespace {

std::pair<std::string, std::string> split_setting(const std::string& setting) {
  const std::size_t equals = setting.find('=');
  if (equals == std::string::npos) {
    throw CommandFailure{
        ExitCode::usage,
        fmt::format(
            "--set {}: there is no \"=\"; write --set KEY=VALUE, for example --set log.level=debug",
            setting)};
  }
  return {setting.substr(0, equals), setting.substr(equals + 1)};
}

/// The file to read; empty: none. A file that is there and cannot be read is not "none".
std::string file_to_read(const ConfigOptions& options, const Io& io) {
  if (!options.file.empty()) return options.file;
  std::error_code error;
  const bool is_absent = !std::filesystem::exists(io.default_config_path, error) && !error;
  return is_absent ? std::string{} : io.default_config_path;
}

server::Config quickstart_settings(QuickstartSecret secret, const std::string& state_directory) {
  if (secret == QuickstartSecret::leave_out) {
    server::Config config = server::quickstart_listeners(server::has_ipv6_loopback());
    config.control.socket = server::quickstart_socket(state_directory);
    return config;
  }
  auto config = server::quickstart_config(state_directory);
  if (!config) throw CommandFailure{ExitCode::configuration, config.error()};
  return std::move(*config);
}

/// With the store, if there will be one, beside the quickstart's secret.
server::Config quickstart(QuickstartSecret secret, const Io& io) {
  const std::string directory = server::state_directory(io.environment, io.is_root);
  server::Config config = quickstart_settings(secret, directory);
  if (!directory.empty()) config.store.path = directory + "/turnpike.db";
  return config;
}

/// A secret of one's own to paste. On a terminal only: what goes to a journal is no secret any
/// more.
void suggest_secret(const ConfigErrors& errors, const Io& io) {
  const bool has_none =
      std::any_of(errors.begin(), errors.end(),
                  [](const server::ConfigError& error) { return error.key == "auth"; });
  if (!has_none || !io.err_is_terminal) return;
  std::array<std::uint8_t, 24> bytes{};
  SecureRandom random;
  random.fill(bytes);
  io.err
      << "Or paste these lines, generated just now:\n[auth]\nsecrets = [{ id = \"main\", value = \""
      << base64_encode(bytes) << "\" }]\n";
}

}  // namespace

void add_config_options(CLI::App& command, ConfigOptions& options) {
  command
      .add_option("-c,--config", options.file,
                  "Configuration file; default: /etc/turnpike/turnpike.toml")
      ->type_name("FILE");
  command
      .add_option(
          "--set", options.settings,
          "Overrides one key, as in --set relay.ports=50000-60000; may be repeated. Lists: commas")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
}

Result<FoundConfig, ConfigErrors> find_config(const ConfigOptions& options, QuickstartSecret secret,
                                              const Io& io) {
  server::ConfigSources sources;
  sources.environment = io.environment;
  sources.require_credentials = options.require_credentials;
  for (const std::string& setting : options.settings)
    sources.settings.push_back(split_setting(setting));

  FoundConfig found;
  if (const std::string path = file_to_read(options, io); !path.empty()) {
    auto file = server::read_config_file(path);
    if (!file) return Failure<ConfigErrors>{{file.error()}};
    sources.file = std::move(*file);
    found.origin = path;
  } else if (server::has_credentials(io.environment)) {
    found.origin = "environment";
  } else {
    found.origin = "quickstart";
    found.quickstart = true;
    sources.quickstart = quickstart(secret, io);
    sources.require_credentials = options.require_credentials && secret == QuickstartSecret::make;
  }
  auto loaded = server::load_config(sources);
  if (!loaded) return Failure<ConfigErrors>{std::move(loaded.error())};
  found.loaded = std::move(*loaded);
  return found;
}

FoundConfig require_config(const ConfigOptions& options, QuickstartSecret secret, const Io& io) {
  auto found = find_config(options, secret, io);
  if (found) return std::move(*found);
  print_errors(found.error(), io);
  throw CommandFailure{ExitCode::configuration, "the configuration was refused"};
}

void print_errors(const ConfigErrors& errors, const Io& io) {
  for (const server::ConfigError& error : errors) io.err << error.to_string() << '\n';
  suggest_secret(errors, io);
}

}  // namespace turnpike::cli
