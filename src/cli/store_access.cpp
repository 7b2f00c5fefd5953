#include "cli/store_access.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>

#include "cli/control_client.h"
#include "server/store_location.h"

namespace turnpike::cli {
namespace {

std::string name_of_user(uid_t uid) {
  const passwd* const entry = ::getpwuid(uid);  // no other thread runs in a command
  return entry == nullptr ? std::string{} : fmt::format(" ({})", entry->pw_name);
}

}  // namespace

void add_store_options(CLI::App& command, StoreOptions& options) {
  command
      .add_option("-c,--config", options.config.file,
                  "Configuration file; default: /etc/turnpike/turnpike.toml")
      ->type_name("FILE");
  command
      .add_option("--store", options.store,
                  "The store's database; default: store.url of the configuration")
      ->type_name("PATH");
}

server::Config find_store_config(const StoreOptions& options, const Io& io) {
  ConfigOptions config_options = options.config;
  config_options.require_credentials = false;
  server::Config config =
      require_config(config_options, QuickstartSecret::leave_out, io).loaded.config;
  if (options.store.empty()) return config;
  const std::string_view text = options.store;
  constexpr std::string_view scheme = "sqlite:";
  config.store.path = text.starts_with(scheme) ? text.substr(scheme.size()) : text;
  return config;
}

store::Location located_store(const server::Config& config, const Io& io) {
  if (config.store.path.empty()) {
    throw CommandFailure{ExitCode::configuration,
                         "the configuration has no store: store.url is empty; set it, for example "
                         "to \"sqlite:/var/lib/turnpike/turnpike.db\""};
  }
  return server::store_location(config.store, io.environment);
}

std::unique_ptr<store::Store> open_store(const server::Config& config, store::IfAbsent if_absent,
                                         const Io& io) {
  return answer_of(store::open_sqlite(located_store(config, io), if_absent, store::Check::quick));
}

std::unique_ptr<store::Store> open_store_if_there(const server::Config& config, const Io& io) {
  std::error_code error;
  const std::string& path = config.store.path;
  const bool is_absent = !std::filesystem::exists(path, error) && !error;
  if (path.empty() || is_absent) return nullptr;  // what cannot be reached is no "absent"
  return open_store(config, store::IfAbsent::fail, io);
}

OpenStore open_store(const StoreOptions& options, store::IfAbsent if_absent, const Io& io) {
  server::Config config = find_store_config(options, io);
  auto store = open_store(config, if_absent, io);
  return {std::move(config), std::move(store)};
}

store::Author author_of(const Io& io) {
  const uid_t uid = ::getuid();
  std::string who = fmt::format("uid {}{}", uid, name_of_user(uid));
  const auto sudo = io.environment.find("SUDO_USER");
  if (uid == 0 && sudo != io.environment.end()) who += " for " + sudo->second;
  return {who, io.now};
}

void fail(const store::StoreError& error) {
  const bool may_pass = error.fault == store::Fault::unavailable;
  throw CommandFailure{may_pass ? ExitCode::unavailable : ExitCode::configuration, error.sentence};
}

void tell_server(const server::Config& config) {
  static_cast<void>(tell_store_changed(config.control.socket));
}

}  // namespace turnpike::cli
