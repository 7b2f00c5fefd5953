// `turnpike store reseal`: another key for the store.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.h"
#include "cli/store_access.h"
#include "cli/store_command.h"
#include "server/config_value.h"
#include "store/sqlite.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  StoreOptions store;
  Output output = Output::table;
  std::string new_key_file;
};

/// Absolute, for it is to stand in a configuration.
std::string new_key_file(const Options& options) {
  if (options.new_key_file.empty()) return {};
  return std::filesystem::absolute(options.new_key_file).lexically_normal().string();
}

int reseal(const Options& options, const Io& io) {
  const server::Config config = find_store_config(options.store, io);
  const store::Location location = located_store(config, io);
  const std::string moved_to = new_key_file(options);
  const store::Resealed keys = answer_of(store::reseal_sqlite(location, moved_to, author_of(io)));
  tell_server(config);
  if (options.output == Output::json) {
    const Json json{
        {"store", location.path}, {"keyFile", keys.key_file}, {"oldKeyFile", keys.old_key_file}};
    io.out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
    return 0;
  }
  io.out << fmt::format("{} is sealed with a new key, in {}.\n", location.path, keys.key_file);
  if (!moved_to.empty()) {
    io.out << fmt::format(
        "Set store.key_file = {} and restart the server: it can read nothing more "
        "until then.\n",
        server::in_quotes(keys.key_file));
  }
  io.out << fmt::format("The key before, in {}, opens backups of before and nothing else.\n",
                        keys.old_key_file);
  return 0;
}

}  // namespace

void add_store(CLI::App& app, Context& context) {
  CLI::App* const store =
      app.add_subcommand("store", "The database of users, secrets and API keys");
  store->require_subcommand(1);
  const auto [command, options] = add_store_command<Options>(
      *store, "reseal", "Seal everything in the store with another key", reseal, context);
  command
      ->add_option("--new-key-file", options->new_key_file,
                   "Where that key is, or is to be made; default: it takes the old one's place")
      ->type_name("FILE");
  command->footer(
      R"(For a key that somebody has seen, or has had for long enough. A running server goes on with the new
key by itself; users, secrets and API keys stay what they are. The old key is kept beside the new
one with ".old" behind its name: it opens backups of before, so put it with them and delete it here.
Who has seen both the old key and the database knows what was in it: give users new passwords then,
and rotate secrets and API keys. Interrupted at any moment, the store is sealed with one of the two
keys, which is found.

With --new-key-file the key moves to another file: set store.key_file to it, and restart the server.

Examples:
  turnpike store reseal
  turnpike store reseal --new-key-file /etc/turnpike/store.key)");
}

}  // namespace turnpike::cli
