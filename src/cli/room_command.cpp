// `turnpike room token`: an invitation to a room, with no server running.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/commands.h"
#include "cli/invitation.h"
#include "cli/secret_option.h"
#include "cli/signing_keys.h"
#include "cli/store_access.h"
#include "server/config_parsers.h"
#include "server/ice_servers.h"
#include "signaling/fields.h"
#include "signaling/limits.h"
#include "signaling/token.h"

namespace turnpike::cli {
namespace {

constexpr seconds longest_ttl{7 * 86'400};  // as the REST API has it

struct Options {
  std::string key;  ///< "@file" or "-"
  std::string key_id;
  std::string room;
  std::string name;
  std::string subject;
  std::string role = "member";
  std::vector<std::string> can;
  std::uint32_t max = 0;  ///< 0: not said
  std::string ttl = "1h";
  bool relay_only = false;
  std::string url;
  Output output = Output::table;
  ConfigOptions config;
};

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

// --- What to sign with ---------------------------------------------------------------------------

auth::Secret chosen_key(const Options& options, const Io& io) {
  if (options.key.empty()) {
    if (options.config.file.empty()) {
      throw usage("there is no API key to sign with; give --key @FILE, --key - or --config FILE");
    }
    return signing_api_key(find_store_config({{}, options.config}, io), options.key_id, io);
  }
  auto secret = server::check_secret(secret_from_option(options.key, "--key", io));
  if (!secret) {
    throw usage(fmt::format("--key: {}; {}", secret.error().problem, secret.error().remedy));
  }
  return {options.key_id, *std::move(secret)};
}

// --- What to say ---------------------------------------------------------------------------------

std::string checked_text(const std::string& option, const std::string& text,
                         std::size_t max_bytes) {
  if (signaling::is_plain_text(text, max_bytes)) return text;
  throw usage(
      fmt::format("{}: use at most {} bytes without control characters", option, max_bytes));
}

seconds chosen_ttl(const Options& options) {
  const auto ttl = server::parse_duration(options.ttl);
  if (!ttl) throw usage(fmt::format("--ttl: {}; {}", ttl.error().problem, ttl.error().remedy));
  if (*ttl > longest_ttl) {
    throw usage(fmt::format("--ttl: {} is too long; use at most {}", options.ttl,
                            server::duration_text(longest_ttl)));
  }
  return *ttl;
}

signaling::Claims claims_of(const Options& options, const Io& io) {
  namespace bounds = signaling::bounds;
  signaling::Claims claims;
  claims.room = checked_text("--room", options.room, bounds::room_bytes);
  if (claims.room.empty()) throw usage("--room: the name is empty");
  claims.name = checked_text("--name", options.name, bounds::name_bytes);
  claims.subject = checked_text("--sub", options.subject, bounds::subject_bytes);
  const auto role = signaling::parse_role(options.role);
  if (!role) {
    throw usage(fmt::format("--role: {} is not known; use owner, member or viewer",
                            server::in_quotes(options.role)));
  }
  claims.role = *role;
  for (const std::string& name : options.can) {
    const auto right = signaling::parse_right(name);
    if (!right) {
      throw usage(
          fmt::format("--can: {} is not known; use signal, message, update, kick, lock or end",
                      server::in_quotes(name)));
    }
    claims.can.push_back(*right);
  }
  if (options.max > 0) claims.max = options.max;
  claims.relay_only = options.relay_only;
  claims.expires = io.now + chosen_ttl(options);
  return claims;
}

/// The invitation; empty when no --url was given.
std::string link_of(const Options& options, const std::string& token) {
  std::string url = options.url;
  if (url.empty()) return {};
  const bool has_scheme = url.starts_with("https://") || url.starts_with("http://");
  const std::size_t host = url.find("://") + 3;
  if (!has_scheme || host == url.size() || url.find_first_of("#? ") != std::string::npos) {
    throw usage("--url: write where the call page is, for example https://turn.example.com");
  }
  if (url.find('/', host) == std::string::npos) url += '/';
  return invitation(url, options.room, token);
}

std::string to_json(const signaling::Claims& claims, const std::string& token,
                    const std::string& link) {
  nlohmann::ordered_json out{
      {"token", token}, {"room", claims.room}, {"expiresAt", server::rfc3339(claims.expires)}};
  if (!link.empty()) out["link"] = link;
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string to_table(const signaling::Claims& claims, const std::string& token,
                     const std::string& link) {
  std::string out = fmt::format("room     {}\nexpires  {}\ntoken    {}", claims.room,
                                server::rfc3339(claims.expires), token);
  if (!link.empty()) out += "\nlink     " + link;
  return out;
}

int mint(const Options& options, const Io& io) {
  const signaling::Claims claims = claims_of(options, io);
  const auth::Secret key = chosen_key(options, io);
  const std::string token =
      signaling::mint_token(claims, key.id, HmacSha256Key{bytes_of(key.value)});
  const std::string link = link_of(options, token);
  io.out << (options.output == Output::json ? to_json(claims, token, link)
                                            : to_table(claims, token, link))
         << '\n';
  return 0;
}

void add_token_options(CLI::App& command, Options& options) {
  command.add_option("--room", options.room, "The room that it opens")
      ->type_name("NAME")
      ->required();
  command.add_option("--key", options.key, "File with the API key, or - for standard input")
      ->type_name("@FILE|-");
  command
      .add_option("--key-id", options.key_id,
                  "The key's id; may be left out when the server has one key")
      ->type_name("ID");
  command
      .add_option("-c,--config", options.config.file,
                  "Takes the first key of this configuration, else of its store, or the one that "
                  "--key-id names")
      ->type_name("FILE");
  command.add_option("--name", options.name, "How the others see its bearer")->type_name("NAME");
  command
      .add_option("--sub", options.subject,
                  "Whom it is for; who joins twice takes its own place. Default: anyone")
      ->type_name("TEXT");
  command.add_option("--role", options.role, "owner, member (default) or viewer")
      ->type_name("ROLE");
  command
      .add_option("--can", options.can,
                  "Beyond the role: signal, message, update, kick, lock, end; comma or repeated")
      ->type_name("RIGHT")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("--max", options.max, "Peers in the room")
      ->type_name("NUMBER")
      ->check(CLI::Range(std::uint32_t{1}, signaling::max_peers_cap));
  command.add_option("--ttl", options.ttl, "How long it opens the room, at most 168h; default 1h")
      ->type_name("DURATION");
  command.add_flag("--relay-only", options.relay_only, "Peers see no address of one another");
  command.add_option("--url", options.url, "Where the call page is: prints a link to the room too")
      ->type_name("URL");
  add_output_option(command, options.output);
}

}  // namespace

void add_room(CLI::App& app, Context& context) {
  auto* room = app.add_subcommand("room", "Rooms of the call page and of turnpike.v1");
  room->require_subcommand(1);
  add_room_administration(*room, context);
  auto* command = room->add_subcommand("token", "Mint a room token; no server needs to run");
  const auto options = std::make_shared<Options>();
  add_token_options(*command, *options);
  command->footer(
      R"(The key is one of the server's auth.api_keys, or of its store (`turnpike key list`). It comes from
a file, from standard input or, with --config, from those two; never from the command line itself.

Examples:
  turnpike room token --key @web.key --key-id web --room demo --role owner --name Mina
  turnpike room token --config /etc/turnpike/turnpike.toml --room demo --ttl 12h \
    --url https://turn.example.com)");
  command->callback([options, &context] { context.exit_code = mint(*options, context.io); });
}

}  // namespace turnpike::cli
