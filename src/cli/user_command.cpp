// `turnpike user add|passwd|change|list|remove`: users with long-term passwords, in the store.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <CLI/Validators.hpp>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "auth/opaque_string.h"
#include "cli/commands.h"
#include "cli/password.h"
#include "cli/random_secret.h"
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
  std::string name;
  std::string password;  ///< "@file" or "-"; empty: a prompt
  bool generate = false;
  std::optional<std::uint32_t> max_allocations;
  std::string bandwidth;
  bool disable = false;
  bool enable = false;
};

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

CommandFailure no_such_user(const std::string& name) {
  return {ExitCode::no, fmt::format("there is no user {} in the store; `turnpike user list` shows "
                                    "those that there are",
                                    server::in_quotes(name))};
}

/// OpaqueString where it applies, else the text itself, as for users of the configuration.
std::string normalised(const std::string& text) { return auth::opaque_string(text).value_or(text); }

std::string checked_name(const std::string& text) {
  const auto name = server::parse_user_name(text);
  if (!name) throw usage(fmt::format("{}; {}", name.error().problem, name.error().remedy));
  return normalised(*name);
}

// --- What is stored ------------------------------------------------------------------------------

/// Puts the limits that were given into `user`.
void set_limits(const Options& options, store::StoredUser& user) {
  if (options.max_allocations) user.limits.max_allocations = options.max_allocations;
  if (options.bandwidth.empty()) return;
  const auto bandwidth = server::parse_bandwidth(options.bandwidth);
  if (!bandwidth) {
    throw usage(
        fmt::format("--bandwidth: {}; {}", bandwidth.error().problem, bandwidth.error().remedy));
  }
  user.limits.bandwidth = *bandwidth;
}

/// A password that is given or made, and whether it has to be shown.
struct Password {
  std::string text;
  bool is_generated = false;
};

Password chosen_password(const Options& options, const Io& io) {
  if (options.generate && !options.password.empty()) {
    throw usage("--generate and --password exclude one another");
  }
  if (options.generate) return {random_secret(18), true};
  return {read_new_password(options.password, "--password", io), false};
}

/// Only keys go into the store. They are made for the realm that the server has now.
void set_password(const std::string& password, const server::Config& config,
                  store::StoredUser& user) {
  const std::string text = normalised(password);
  user.realm = normalised(config.effective_realm());
  const auto key = [&](stun::PasswordAlgorithm algorithm) {
    return auth::long_term_key(algorithm, user.name, user.realm, text);
  };
  user.md5 = key(stun::PasswordAlgorithm::md5);
  user.sha256 = key(stun::PasswordAlgorithm::sha256);
}

// --- What is printed -----------------------------------------------------------------------------

Json json_of(const store::StoredUser& user) {
  Json json{{"name", user.name}, {"realm", user.realm}, {"disabled", user.disabled}};
  if (user.limits.max_allocations) json["maxAllocations"] = *user.limits.max_allocations;
  if (user.limits.bandwidth) json["bandwidth"] = *user.limits.bandwidth;
  json["created"] = server::rfc3339(user.created);
  return json;
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Says what was done to `user`, with the password when nobody else knows it.
void report(const store::StoredUser& user, std::string_view done, const Password& password,
            const Options& options, const Io& io) {
  if (options.output == Output::json) {
    Json json = json_of(user);
    if (password.is_generated) json["password"] = password.text;
    io.out << dumped(json) << '\n';
    return;
  }
  io.out << fmt::format("The user {} was {}.\n", printable(user.name), done);
  if (password.is_generated) {
    io.out << fmt::format("Password: {}\nIt is not kept and will not be shown again.\n",
                          password.text);
  }
}

std::string limit_text(const std::optional<std::uint32_t>& limit) {
  if (!limit) return "-";
  return *limit == 0 ? "none" : std::to_string(*limit);
}

std::string bandwidth_cell(const std::optional<std::uint64_t>& bandwidth) {
  if (!bandwidth) return "-";
  return *bandwidth == 0 ? "none" : server::bandwidth_text(*bandwidth);
}

// --- The commands --------------------------------------------------------------------------------

int add(const Options& options, const Io& io) {
  store::StoredUser user{.name = checked_name(options.name)};
  set_limits(options, user);
  OpenStore open = open_store(options.store, store::IfAbsent::create, io);
  const Password password = chosen_password(options, io);
  set_password(password.text, open.config, user);
  user.created = io.now;
  if (!changed(open, open.store->add_user(user, author_of(io)))) {
    throw CommandFailure{ExitCode::no,
                         fmt::format("there is a user {} already; `turnpike user passwd {}` gives "
                                     "it a new password",
                                     server::in_quotes(user.name), user.name)};
  }
  report(user, fmt::format("added for the realm {}", user.realm), password, options, io);
  return 0;
}

store::StoredUser found_user(store::Store& store, const std::string& name) {
  auto user = answer_of(store.find_user(name));
  if (!user) throw no_such_user(name);
  return std::move(*user);
}

int passwd(const Options& options, const Io& io) {
  OpenStore open = open_store(options.store, store::IfAbsent::fail, io);
  store::StoredUser user = found_user(*open.store, checked_name(options.name));
  const Password password = chosen_password(options, io);
  set_password(password.text, open.config, user);
  if (!changed(open, open.store->replace_user(user, author_of(io)))) throw no_such_user(user.name);
  report(user, "given a new password", password, options, io);
  return 0;
}

int change(const Options& options, const Io& io) {
  if (options.enable && options.disable) {
    throw usage("--enable and --disable exclude one another");
  }
  OpenStore open = open_store(options.store, store::IfAbsent::fail, io);
  store::StoredUser user = found_user(*open.store, checked_name(options.name));
  set_limits(options, user);
  if (options.disable || options.enable) user.disabled = options.disable;
  if (!changed(open, open.store->replace_user(user, author_of(io)))) throw no_such_user(user.name);
  report(user, "changed", {}, options, io);
  return 0;
}

int list(const Options& options, const Io& io) {
  constexpr std::size_t page = 1000;
  const OpenStore open = open_store(options.store, store::IfAbsent::fail, io);
  Json array = Json::array();
  std::vector<TableRow> rows{{"NAME", "REALM", "ALLOCATIONS", "BANDWIDTH", "STATE", "CREATED"}};
  std::vector<store::StoredUser> users;
  do {
    const std::string after = users.empty() ? std::string{} : users.back().name;
    users = answer_of(open.store->users(after, page));
    for (const store::StoredUser& user : users) {
      array.push_back(json_of(user));
      rows.push_back({user.name, user.realm, limit_text(user.limits.max_allocations),
                      bandwidth_cell(user.limits.bandwidth), user.disabled ? "disabled" : "enabled",
                      server::rfc3339(user.created)});
    }
  } while (users.size() == page);
  io.out << (options.output == Output::json ? dumped(array) + "\n" : table_text(rows));
  return 0;
}

int remove(const Options& options, const Io& io) {
  const OpenStore open = open_store(options.store, store::IfAbsent::fail, io);
  const std::string name = checked_name(options.name);
  if (!changed(open, open.store->remove_user(name, author_of(io)))) throw no_such_user(name);
  report({.name = name, .realm = open.config.effective_realm()}, "removed", {}, options, io);
  return 0;
}

// --- The tree ------------------------------------------------------------------------------------

void add_name(CLI::App& command, Options& options) {
  command.add_option("name", options.name, "The name, as the client sends it")
      ->type_name("NAME")
      ->required();
}

void add_password_options(CLI::App& command, Options& options) {
  command
      .add_option("--password", options.password,
                  "File with the password, or - for standard input; default: a prompt")
      ->type_name("@FILE|-");
  command.add_flag("--generate", options.generate, "Make a password and print it once");
}

void add_limit_options(CLI::App& command, Options& options) {
  command
      .add_option("--max-allocations", options.max_allocations,
                  "Instead of relay.max_allocations_per_user; 0: no limit")
      ->type_name("NUMBER");
  command
      .add_option("--bandwidth", options.bandwidth,
                  "Of all its allocations together, as 4mbit; 0: no limit")
      ->type_name("RATE");
}

}  // namespace

void add_user(CLI::App& app, Context& context) {
  CLI::App* const user = app.add_subcommand("user", "Users with long-term passwords");
  user->require_subcommand(1);

  {
    const auto [command, options] =
        add_store_command<Options>(*user, "add", "Add a user", add, context);
    add_name(*command, *options);
    add_password_options(*command, *options);
    add_limit_options(*command, *options);
    command->footer(
        R"(Only keys made of name, realm and password are kept, sealed; never the password. They are of no
use with another realm: after a change of `realm` or `domain`, run `turnpike user passwd`.
A running server knows the user at once.

Examples:
  turnpike user add alice                       asks for the password
  turnpike user add alice --generate            makes one and prints it
  turnpike user add alice --password @pw.txt --max-allocations 4 --bandwidth 8mbit)");
  }
  {
    const auto [command, options] =
        add_store_command<Options>(*user, "passwd", "Give a user a new password", passwd, context);
    add_name(*command, *options);
    add_password_options(*command, *options);
    command->footer(
        R"(Also for a user of another realm, who then belongs to that of the configuration.

Example:
  pass show turn/alice | turnpike user passwd alice --password -)");
  }
  {
    const auto [command, options] = add_store_command<Options>(
        *user, "change", "Change a user's limits, or disable it", change, context);
    add_name(*command, *options);
    add_limit_options(*command, *options);
    command->add_flag("--disable", options->disable, "Refuse it like an unknown user");
    command->add_flag("--enable", options->enable, "Let it in again");
    command->footer(
        R"(Examples:
  turnpike user change alice --bandwidth 2mbit
  turnpike user change alice --disable)");
  }
  {
    const auto [command, options] =
        add_store_command<Options>(*user, "list", "List the users of the store", list, context);
    command->footer(
        R"(Those of auth.users in the configuration are not among them: `turnpike config show` has those.

Example:
  turnpike user list --output json | jq -r '.[].name')");
  }
  {
    const auto [command, options] =
        add_store_command<Options>(*user, "remove", "Remove a user", remove, context);
    add_name(*command, *options);
    command->footer(
        R"(It can make no new allocations. To end those that it has: `turnpike credential revoke`.

Example:
  turnpike user remove alice)");
  }
}

}  // namespace turnpike::cli
