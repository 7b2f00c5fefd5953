// `turnpike key create|list|revoke`: API keys of programs, in the store.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.h"
#include "cli/store_access.h"
#include "cli/store_command.h"
#include "cli/table.h"
#include "server/config_parsers.h"
#include "server/ice_servers.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  StoreOptions store;
  Output output = Output::table;
  std::string id;
};

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

std::string checked_id(const std::string& text) {
  constexpr std::size_t max_bytes = 128;  // as `kid` of a room token
  const auto id = server::parse_user_name(text);
  if (!id) throw usage(fmt::format("{}; {}", id.error().problem, id.error().remedy));
  if (id->size() > max_bytes) {
    throw usage(fmt::format("the id is too long; use at most {} bytes", max_bytes));
  }
  return *id;
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// A room token names its key by the id: one id must not be two keys.
void refuse_configured(const std::string& id, const server::Config& config) {
  for (const auth::Secret& key : config.auth.api_keys) {
    if (key.id != id) continue;
    throw CommandFailure{ExitCode::no,
                         fmt::format("{} is an API key of the configuration (auth.api_keys); "
                                     "choose another id",
                                     server::in_quotes(id))};
  }
}

int create(const Options& options, const Io& io) {
  const std::string id = checked_id(options.id);
  const OpenStore open = open_store(options.store, store::IfAbsent::create, io);
  refuse_configured(id, open.config);
  const auto key = changed(open, open.store->create_api_key(id, author_of(io)));
  if (!key) {
    throw CommandFailure{ExitCode::no, fmt::format("there is an API key {} already; revoke it "
                                                   "first, or choose another id",
                                                   server::in_quotes(id))};
  }
  if (options.output == Output::json) {
    io.out << dumped({{"id", key->id}, {"key", key->secret}}) << '\n';
  } else {
    io.out << fmt::format(
        "The API key {} was made.\nKey: {}\nKeep it: it will not be shown again.\n", printable(id),
        key->secret);
  }
  return 0;
}

int list(const Options& options, const Io& io) {
  const OpenStore open = open_store(options.store, store::IfAbsent::fail, io);
  Json array = Json::array();
  std::vector<TableRow> rows{{"ID", "CREATED"}};
  for (const store::StoredApiKey& key : answer_of(open.store->api_keys())) {
    array.push_back({{"id", key.id}, {"created", server::rfc3339(key.created)}});
    rows.push_back({key.id, server::rfc3339(key.created)});
  }
  io.out << (options.output == Output::json ? dumped(array) + "\n" : table_text(rows));
  return 0;
}

int revoke(const Options& options, const Io& io) {
  const std::string id = checked_id(options.id);
  const OpenStore open = open_store(options.store, store::IfAbsent::fail, io);
  if (!changed(open, open.store->revoke_api_key(id, author_of(io)))) {
    throw CommandFailure{ExitCode::no,
                         fmt::format("there is no API key {} in the store; `turnpike key list` "
                                     "shows those that there are",
                                     server::in_quotes(id))};
  }
  if (options.output == Output::json) {
    io.out << dumped({{"id", id}, {"revoked", server::rfc3339(io.now)}}) << '\n';
  } else {
    io.out << fmt::format("The API key {} and its room tokens are refused from now on.\n",
                          printable(id));
  }
  return 0;
}

void add_id(CLI::App& command, Options& options) {
  command.add_option("id", options.id, "What it is called; room tokens show it")
      ->type_name("ID")
      ->required();
}

}  // namespace

void add_key(CLI::App& app, Context& context) {
  CLI::App& key = *app.add_subcommand("key", "API keys of programs that use the REST API");
  key.require_subcommand(1);
  {
    const auto [command, options] = add_store_command<Options>(
        key, "create", "Make an API key and print it once", create, context);
    add_id(*command, *options);
    command->footer(
        R"(A program sends it as "Authorization: Bearer tpk_…" to the REST API (docs/rest.md), and may sign
room tokens with it. The store recognises it by its hash; what signs is sealed.

Examples:
  turnpike key create web
  turnpike key create web --output json | jq -r .key > web.key)");
  }
  {
    const auto [command, options] =
        add_store_command<Options>(key, "list", "List the API keys of the store", list, context);
    command->footer(R"(Those of auth.api_keys in the configuration are not among them.

Example:
  turnpike key list)");
  }
  {
    const auto [command, options] =
        add_store_command<Options>(key, "revoke", "Refuse an API key from now on", revoke, context);
    add_id(*command, *options);
    command->footer(R"(Room tokens signed with it are refused too.

Example:
  turnpike key revoke web)");
  }
}

}  // namespace turnpike::cli
