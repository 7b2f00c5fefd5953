// `turnpike credential verify`: would the server let these in, and if not, why?
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>
#include <ostream>

#include "auth/opaque_string.h"
#include "cli/commands.h"
#include "cli/credential_check.h"
#include "cli/password.h"
#include "cli/store_access.h"
#include "cli/store_command.h"
#include "cli/table.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  StoreOptions store;
  Output output = Output::table;
  std::string user;
  std::string password;  ///< "@file" or "-"; empty: a prompt
};

int verify(const Options& options, const Io& io) {
  const server::Config config = find_store_config(options.store, io);
  const auto store = open_store_if_there(config, io);
  const std::string username = auth::opaque_string(options.user).value_or(options.user);
  CredentialSources sources{.config = config};
  if (store != nullptr) {
    sources.stored_user = answer_of(store->find_user(username));
    sources.secrets = answer_of(store->secrets());
    sources.revocations = answer_of(store->revocations(io.now));
  }
  const std::string password = read_password(options.password, "--password", io);
  const Verdict verdict = check_credential(username, password, sources, io.now);
  if (options.output == Output::json) {
    Json json{{"ok", verdict.is_accepted}, {"username", username}};
    if (!verdict.by.empty()) json["by"] = verdict.by;
    if (!verdict.is_accepted) json["reason"] = verdict.reason;
    io.out << json.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  } else if (verdict.is_accepted) {
    io.out << fmt::format("accepted: {}\n", printable(verdict.by));
  } else {
    io.out << fmt::format("refused: {}{}{}\n", printable(verdict.by),
                          verdict.by.empty() ? "" : ": ", printable(verdict.reason));
  }
  return static_cast<int>(verdict.is_accepted ? ExitCode::ok : ExitCode::refused);
}

}  // namespace

void add_credential_verify(CLI::App& credential, Context& context) {
  const auto [command, options] = add_store_command<Options>(
      credential, "verify",
      "Say whether the server would accept a username and password, and why not", verify, context);
  command->add_option("--user", options->user, "The username, as the client sends it")
      ->type_name("NAME")
      ->required();
  command
      ->add_option("--password", options->password,
                   "File with the password, or - for standard input; default: a prompt")
      ->type_name("@FILE|-");
  command->footer(
      R"(Looks at the users and secrets of the configuration and of the store, and at what is revoked; no
server needs to run. Exit code 0: accepted, 4: refused.

Examples:
  turnpike credential verify --user alice
  turnpike credential verify --user 1795219200:alice --password @credential.txt)");
}

}  // namespace turnpike::cli
