// `turnpike credential revoke|restore|list`: credentials that are refused although they verify.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "auth/credentials.h"
#include "cli/commands.h"
#include "cli/store_access.h"
#include "cli/store_command.h"
#include "cli/table.h"
#include "server/config_parsers.h"
#include "server/ice_servers.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::ordered_json;

// The longest that time-limited credentials live: those of now have run out by then.
constexpr seconds longest_life{86'400};

struct Options {
  StoreOptions store;
  Output output = Output::table;
  std::string name;
  std::string duration;
  bool forever = false;
  std::string reason;
};

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

/// What `text` names: "1795219200:alice" is one credential, "alice" an account.
store::Revocation named(const std::string& text) {
  if (auth::parse_time_limited_username(text)) {
    return {.kind = store::RevokedName::username, .name = text};
  }
  const auto name = server::parse_user_name(text);
  if (!name) throw usage(fmt::format("{}; {}", name.error().problem, name.error().remedy));
  return {.kind = store::RevokedName::account, .name = *name};
}

std::optional<WallTime> chosen_end(const Options& options, const store::Revocation& revocation,
                                   const Io& io) {
  if (options.forever && !options.duration.empty()) {
    throw usage("--for and --forever exclude one another");
  }
  if (options.forever) return std::nullopt;
  if (!options.duration.empty()) {
    const auto duration = server::parse_duration(options.duration);
    if (!duration) {
      throw usage(fmt::format("--for: {}; {}", duration.error().problem, duration.error().remedy));
    }
    return io.now + *duration;
  }
  const auto user = auth::parse_time_limited_username(revocation.name);
  // One that has run out is of no use to anybody; a day more, for clocks that differ.
  return user ? std::max(user->expires, io.now) + longest_life : io.now + longest_life;
}

std::string checked_reason(const std::string& reason) {
  constexpr std::size_t max_bytes = 256;
  if (reason.size() > max_bytes) {
    throw usage(fmt::format("--reason: the text is too long; use at most {} bytes", max_bytes));
  }
  return reason;
}

Json json_of(const store::Revocation& revocation) {
  Json json{{"kind", to_string(revocation.kind)}, {"name", revocation.name}};
  json["since"] = server::rfc3339(revocation.since);
  if (revocation.until) json["until"] = server::rfc3339(*revocation.until);
  if (!revocation.reason.empty()) json["reason"] = revocation.reason;
  return json;
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string end_text(const store::Revocation& revocation) {
  return revocation.until ? server::rfc3339(*revocation.until) : "for ever";
}

int revoke(const Options& options, const Io& io) {
  store::Revocation revocation = named(options.name);
  revocation.since = io.now;
  revocation.until = chosen_end(options, revocation, io);
  revocation.reason = checked_reason(options.reason);
  const OpenStore open = open_store(options.store, store::IfAbsent::create, io);
  changed(open, open.store->revoke(revocation, author_of(io)));
  if (options.output == Output::json) {
    io.out << dumped(json_of(revocation)) << '\n';
    return 0;
  }
  const bool is_account = revocation.kind == store::RevokedName::account;
  io.out << fmt::format("{} {} is refused {}{}.\n", is_account ? "Everything of" : "The credential",
                        printable(revocation.name), revocation.until ? "until " : "",
                        end_text(revocation));
  return 0;
}

int restore(const Options& options, const Io& io) {
  const store::Revocation revocation = named(options.name);
  const OpenStore open = open_store(options.store, store::IfAbsent::fail, io);
  if (!changed(open, open.store->restore(revocation.kind, revocation.name, author_of(io)))) {
    throw CommandFailure{ExitCode::no, fmt::format("{} is not revoked; `turnpike credential list` "
                                                   "shows what is",
                                                   server::in_quotes(revocation.name))};
  }
  if (options.output == Output::json) {
    io.out << dumped({{"kind", to_string(revocation.kind)}, {"name", revocation.name}}) << '\n';
  } else {
    io.out << fmt::format("{} is accepted again.\n", printable(revocation.name));
  }
  return 0;
}

int list(const Options& options, const Io& io) {
  const OpenStore open = open_store(options.store, store::IfAbsent::fail, io);
  Json array = Json::array();
  std::vector<TableRow> rows{{"KIND", "NAME", "SINCE", "UNTIL", "REASON"}};
  for (const store::Revocation& revocation : answer_of(open.store->revocations(io.now))) {
    array.push_back(json_of(revocation));
    rows.push_back({std::string{to_string(revocation.kind)}, revocation.name,
                    server::rfc3339(revocation.since), end_text(revocation), revocation.reason});
  }
  io.out << (options.output == Output::json ? dumped(array) + "\n" : table_text(rows));
  return 0;
}

void add_name(CLI::App& command, Options& options) {
  command.add_option("name", options.name, "An account (alice), or one credential's username")
      ->type_name("NAME")
      ->required();
}

}  // namespace

void add_credential_revocations(CLI::App& credential, Context& context) {
  {
    const auto [command, options] = add_store_command<Options>(
        credential, "revoke", "Refuse credentials from now on", revoke, context);
    add_name(*command, *options);
    command
        ->add_option("--for", options->duration,
                     "How long; default: until those that there are have run out (24h)")
        ->type_name("DURATION");
    command->add_flag("--forever", options->forever, "Until it is restored");
    command->add_option("--reason", options->reason, "For those who read the list")
        ->type_name("TEXT");
    command->footer(
        R"(An account is what quotas count: the user alice, and every time-limited username that ends in
":alice". A username with its time, as 1795219200:alice, is that one credential. Whoever makes
credentials for alice should stop: new ones are refused for that time, and accepted after it.

Examples:
  turnpike credential revoke alice
  turnpike credential revoke alice --forever --reason "left the company"
  turnpike credential revoke 1795219200:alice)");
  }
  {
    const auto [command, options] = add_store_command<Options>(
        credential, "restore", "Accept what was revoked again", restore, context);
    add_name(*command, *options);
    command->footer(R"(Example:
  turnpike credential restore alice)");
  }
  {
    const auto [command, options] =
        add_store_command<Options>(credential, "list", "List what is revoked", list, context);
    command->footer(
        R"(Time-limited credentials themselves are kept nowhere: they are a time, a name and a signature.

Example:
  turnpike credential list --output json)");
  }
}

}  // namespace turnpike::cli
