// `turnpike secret add|rotate|list|remove`: shared secrets of time-limited credentials, in the
// store.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.h"
#include "cli/random_secret.h"
#include "cli/secret_option.h"
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
  std::string value;  ///< "@file" or "-"; empty: made
  std::string starts_in;
  std::string ends_in;
  std::string grace = "24h";
  std::string in;
};

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

CommandFailure no_such_secret(const std::string& id) {
  return {ExitCode::no, fmt::format("there is no secret {} in the store; `turnpike secret list` "
                                    "shows those that there are",
                                    server::in_quotes(id))};
}

std::string checked_id(const std::string& text) {
  const auto id = server::parse_user_name(text);
  if (!id) throw usage(fmt::format("{}; {}", id.error().problem, id.error().remedy));
  return *id;
}

/// `text` as a time from now.
WallTime after_now(const std::string& text, const std::string& option, const Io& io) {
  const auto duration = server::parse_duration(text);
  if (!duration) {
    throw usage(
        fmt::format("{}: {}; {}", option, duration.error().problem, duration.error().remedy));
  }
  return io.now + *duration;
}

// --- What is stored ------------------------------------------------------------------------------

std::string chosen_value(const Options& options, const Io& io) {
  if (options.value.empty()) return random_secret(33);
  auto value = server::check_secret(secret_from_option(options.value, "--value", io));
  if (!value) throw usage(fmt::format("{}; {}", value.error().problem, value.error().remedy));
  return std::move(*value);
}

store::StoredSecret chosen_secret(const Options& options, const Io& io) {
  store::StoredSecret secret{
      .id = options.id.empty() ? server::rfc3339(io.now).substr(0, 10) : checked_id(options.id),
      .value = {},
      .not_before = io.now,
      .created = io.now};
  if (!options.starts_in.empty()) {
    secret.not_before = after_now(options.starts_in, "--starts-in", io);
  }
  if (!options.ends_in.empty()) secret.not_after = after_now(options.ends_in, "--ends-in", io);
  if (secret.not_after && *secret.not_after <= secret.not_before) {
    throw usage("the secret would end before it begins; make --ends-in longer than --starts-in");
  }
  secret.value = chosen_value(options, io);
  return secret;
}

// --- What is printed -----------------------------------------------------------------------------

std::string_view state_of(const store::StoredSecret& secret, const store::StoredSecret* signing,
                          WallTime now) {
  if (now < secret.not_before) return "to come";
  if (!secret.is_valid_at(now)) return "ended";
  return &secret == signing ? "signs" : "verifies";
}

Json json_of(const store::StoredSecret& secret) {
  Json json{{"id", secret.id}, {"notBefore", server::rfc3339(secret.not_before)}};
  if (secret.not_after) json["notAfter"] = server::rfc3339(*secret.not_after);
  json["created"] = server::rfc3339(secret.created);
  return json;
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Says that there is a new secret, and shows it when nobody else knows it.
void report(const store::StoredSecret& secret, std::string_view note, const Options& options,
            const Io& io) {
  const bool is_generated = options.value.empty();
  if (options.output == Output::json) {
    Json json = json_of(secret);
    if (is_generated) json["value"] = secret.value;
    io.out << dumped(json) << '\n';
    return;
  }
  io.out << fmt::format("The secret {} was added.{}\n", printable(secret.id), note);
  if (is_generated) {
    io.out << fmt::format(
        "Value: {}\nGive it to whatever makes credentials. It will not be shown "
        "again.\n",
        secret.value);
  }
}

// --- The commands --------------------------------------------------------------------------------

CommandFailure taken(const std::string& id) {
  return {ExitCode::no,
          fmt::format("there is a secret {} already; choose another id", server::in_quotes(id))};
}

int add(const Options& options, const Io& io) {
  const store::StoredSecret secret = chosen_secret(options, io);
  const OpenStore open = open_store(options.store, store::IfAbsent::create, io);
  if (!changed(open, open.store->add_secret(secret, author_of(io)))) throw taken(secret.id);
  report(secret, "", options, io);
  return 0;
}

int rotate(const Options& options, const Io& io) {
  const store::StoredSecret secret = chosen_secret(options, io);
  const WallTime end = after_now(options.grace, "--grace", io);
  const OpenStore open = open_store(options.store, store::IfAbsent::create, io);
  if (!changed(open, open.store->rotate_secret(secret, end, author_of(io)))) throw taken(secret.id);
  report(secret, fmt::format(" Those before it end at {}.", server::rfc3339(end)), options, io);
  return 0;
}

int list(const Options& options, const Io& io) {
  const OpenStore open = open_store(options.store, store::IfAbsent::fail, io);
  const auto secrets = answer_of(open.store->secrets());
  const store::StoredSecret* const signing = store::signing_secret(secrets, io.now);
  Json array = Json::array();
  std::vector<TableRow> rows{{"ID", "STATE", "BEGINS", "ENDS"}};
  for (const store::StoredSecret& secret : secrets) {
    const std::string state{state_of(secret, signing, io.now)};
    Json json = json_of(secret);
    json["state"] = state;
    array.push_back(std::move(json));
    rows.push_back({secret.id, state, server::rfc3339(secret.not_before),
                    secret.not_after ? server::rfc3339(*secret.not_after) : "-"});
  }
  io.out << (options.output == Output::json ? dumped(array) + "\n" : table_text(rows));
  return 0;
}

int remove(const Options& options, const Io& io) {
  const std::string id = checked_id(options.id);
  const bool is_later = !options.in.empty();
  const WallTime end = is_later ? after_now(options.in, "--in", io) : io.now;
  const OpenStore open = open_store(options.store, store::IfAbsent::fail, io);
  const bool is_done = changed(open, is_later ? open.store->retire_secret(id, end, author_of(io))
                                              : open.store->remove_secret(id, author_of(io)));
  if (!is_done) throw no_such_secret(id);
  if (options.output == Output::json) {
    io.out << dumped({{"id", id}, {"notAfter", server::rfc3339(end)}}) << '\n';
  } else if (is_later) {
    io.out << fmt::format("The secret {} ends at {}.\n", printable(id), server::rfc3339(end));
  } else {
    io.out << fmt::format("The secret {} was removed.\n", printable(id));
  }
  return 0;
}

// --- The tree ------------------------------------------------------------------------------------

void add_new_secret_options(CLI::App& command, Options& options) {
  command.add_option("id", options.id, "What it is called; default: the date")->type_name("ID");
  command
      .add_option("--value", options.value,
                  "File with the secret, or - for standard input; default: one is made and printed")
      ->type_name("@FILE|-");
  command.add_option("--starts-in", options.starts_in, "When it begins; default: now")
      ->type_name("DURATION");
  command.add_option("--ends-in", options.ends_in, "When it ends; default: never")
      ->type_name("DURATION");
}

}  // namespace

void add_secret(CLI::App& app, Context& context) {
  CLI::App* const secret = app.add_subcommand(
      "secret", "Shared secrets that time-limited credentials are made and verified with");
  secret->require_subcommand(1);
  {
    const auto [command, options] =
        add_store_command<Options>(*secret, "add", "Add a secret", add, context);
    add_new_secret_options(*command, *options);
    command->footer(
        R"(What makes credentials (Synapse, Nextcloud Talk, your own server) gets the same secret. All
secrets verify while they are valid; of several, the one that began last signs. It is sealed in
the store, and comes from a file or from standard input, never from the command line itself.

Examples:
  turnpike secret add                           makes one and prints it
  turnpike secret add nextcloud --value @nextcloud.secret)");
  }
  {
    const auto [command, options] = add_store_command<Options>(
        *secret, "rotate", "Add a secret, and have all others end", rotate, context);
    add_new_secret_options(*command, *options);
    command
        ->add_option("--grace", options->grace,
                     "How long the others still verify; default 24h, the longest that credentials "
                     "live")
        ->type_name("DURATION");
    command->footer(
        R"(Nobody's call ends: credentials made with the old secret are good until the grace is over, by
when they have run out themselves. Secrets of the configuration (auth.secrets) are not touched.

Examples:
  turnpike secret rotate
  turnpike secret rotate 2026-12 --grace 2h)");
  }
  {
    const auto [command, options] = add_store_command<Options>(
        *secret, "list", "List the secrets of the store, not their values", list, context);
    command->footer(
        R"(signs: the one that new credentials are made with; verifies: credentials made with it are good;
to come and ended: of no use now. Secrets of the configuration are not among them.

Example:
  turnpike secret list)");
  }
  {
    const auto [command, options] =
        add_store_command<Options>(*secret, "remove", "Remove a secret", remove, context);
    command->add_option("id", options->id, "What it is called")->type_name("ID")->required();
    command->add_option("--in", options->in, "Has it end then, instead of removing it now")
        ->type_name("DURATION");
    command->footer(
        R"(Removed now, all credentials made with it are refused from now on: for a secret that has leaked.

Examples:
  turnpike secret remove 2026-11
  turnpike secret remove 2026-11 --in 2h)");
  }
}

}  // namespace turnpike::cli
