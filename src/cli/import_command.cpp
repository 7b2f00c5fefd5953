// `turnpike import coturn`: from coturn's configuration and users to ours, with a report.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>

#include "base/crypto.h"
#include "base/hexadecimal.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/coturn_config.h"
#include "cli/private_file.h"
#include "cli/store_access.h"

namespace turnpike::cli {
namespace {

using coturn::Fate;
using Json = nlohmann::ordered_json;

struct Options {
  std::string file;
  std::string database;
  std::string store;
  std::string out;
  bool force = false;
  Output output = Output::table;
};

CommandFailure unreadable(const std::string& sentence) {
  return {ExitCode::configuration, sentence};
}

std::string fresh_secret() {
  constexpr std::size_t secret_bytes = 32;
  std::array<std::uint8_t, secret_bytes> bytes{};
  SecureRandom random;
  random.fill(bytes);
  return hex_of(bytes);
}

/// Absolute, for it will stand in a configuration; empty: there is to be no store.
std::string store_path(const Options& options) {
  constexpr std::string_view scheme = "sqlite:";
  std::string_view path = options.store;
  if (path.starts_with(scheme)) path.remove_prefix(scheme.size());
  if (path.empty()) return {};
  return std::filesystem::absolute(path).lexically_normal().string();
}

coturn::Source read_source(const Options& options) {
  const auto file = server::read_config_file(options.file);
  if (!file) throw unreadable(file.error().to_string());
  coturn::Source source;
  source.options = coturn::parse_options(file->text);
  source.directory =
      std::filesystem::absolute(std::filesystem::path{options.file}).parent_path().string();
  source.fresh_secret = fresh_secret();
  source.store = store_path(options);
  if (options.database.empty()) return source;
  auto database = coturn::read_database(options.database);
  if (!database) throw unreadable(database.error());
  source.database = std::move(*database);
  return source;
}

/// What is written is what `serve` takes; else nothing is written.
server::Config require_valid(const std::string& toml, const Options& options, const Io& io) {
  server::ConfigSources sources;
  sources.file =
      server::ConfigFile{options.out.empty() ? std::string{"turnpike.toml"} : options.out, toml};
  auto loaded = server::load_config(sources);
  if (loaded) return std::move(loaded->config);
  print_errors(loaded.error(), io);
  throw unreadable(fmt::format(
      "{} cannot be imported as it stands: see above; correct it there and import again",
      options.file));
}

// --- Users ---------------------------------------------------------------------------------------

/// What became of the users in the store.
struct Stored {
  std::size_t added = 0;
  std::size_t unchanged = 0;      ///< were there with the same key: imported before
  std::vector<std::string> kept;  ///< were there with another key, and stay as they are
};

Stored put_users(const std::vector<store::StoredUser>& users, const OpenStore& open, const Io& io) {
  Stored stored;
  std::vector<store::StoredUser> absent;
  for (const store::StoredUser& user : users) {
    const auto there = answer_of(open.store->find_user(user.name));
    if (!there) {
      absent.push_back(user);
    } else if (there->realm == user.realm && there->md5 == user.md5 &&
               there->sha256 == user.sha256) {
      ++stored.unchanged;
    } else {
      stored.kept.push_back(user.name);
    }
  }
  if (!absent.empty()) stored.added = changed(open, open.store->add_users(absent, author_of(io)));
  return stored;
}

// --- The report ----------------------------------------------------------------------------------

std::size_t count(const coturn::Import& import, Fate fate) {
  return static_cast<std::size_t>(
      std::count_if(import.remarks.begin(), import.remarks.end(),
                    [&](const coturn::Remark& remark) { return remark.fate == fate; }));
}

std::string summary(const coturn::Import& import) {
  return fmt::format("{} mapped, {} not needed, {} stricter on purpose, {} lost",
                     count(import, Fate::mapped), count(import, Fate::unneeded),
                     count(import, Fate::stricter), count(import, Fate::lost));
}

void print_report(const coturn::Import& import, std::ostream& out) {
  out << fmt::format("{:>5}  {:<34} {:<11} {}\n", "LINE", "COTURN", "", "TURNPIKE");
  for (const coturn::Remark& remark : import.remarks) {
    const std::string line = remark.line == 0 ? "-" : std::to_string(remark.line);
    const std::string separator = remark.key.empty() || remark.text.empty() ? "" : ": ";
    out << fmt::format("{:>5}  {:<34} {:<11} {}{}{}\n", line, remark.option,
                       coturn::to_string(remark.fate), remark.key, separator, remark.text);
  }
  out << '\n' << summary(import) << ".\n";
}

Json json_of(const coturn::Import& import) {
  Json list = Json::array();
  for (const coturn::Remark& remark : import.remarks) {
    list.push_back({{"line", remark.line},
                    {"option", remark.option},
                    {"fate", coturn::to_string(remark.fate)},
                    {"key", remark.key},
                    {"text", remark.text}});
  }
  return list;
}

void print_stored(const Stored& stored, const std::string& path, std::ostream& out) {
  out << fmt::format("{} user{} added to the store {}", stored.added,
                     stored.added == 1 ? " was" : "s were", path);
  if (stored.unchanged > 0) out << fmt::format(", {} were there already", stored.unchanged);
  out << ".\n";
  for (const std::string& name : stored.kept) {
    out << fmt::format(
        "{} is there with another key and stays as it is; `turnpike user remove {}` "
        "and import again, if coturn's is right.\n",
        server::in_quotes(name), name);
  }
}

Json json_of(const Stored& stored, const std::string& path) {
  return {{"path", path},
          {"added", stored.added},
          {"unchanged", stored.unchanged},
          {"kept", stored.kept}};
}

void print_json(const coturn::Import& import, const std::string& toml,
                const std::optional<Json>& stored, const Options& options, const Io& io) {
  Json json{{"mapped", count(import, Fate::mapped)},
            {"unneeded", count(import, Fate::unneeded)},
            {"stricter", count(import, Fate::stricter)},
            {"lost", count(import, Fate::lost)},
            {"options", json_of(import)}};
  if (stored) json["store"] = *stored;
  if (options.out.empty()) {
    json["config"] = toml;
  } else {
    json["file"] = options.out;
  }
  io.out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

// --- The command ---------------------------------------------------------------------------------

void write_out(const std::string& toml, const Options& options) {
  if (options.out.empty()) return;
  const Existing existing = options.force ? Existing::replace : Existing::keep;
  if (write_private_file(options.out, toml, existing)) return;
  throw CommandFailure{
      ExitCode::usage,
      fmt::format("{} is there already; choose another --out, or --force", options.out)};
}

int import_coturn(const Options& options, const Io& io) {
  const coturn::Import import = coturn::convert(read_source(options));
  const std::string toml =
      coturn::to_toml(import.settings, std::filesystem::path{options.file}.filename().string());
  OpenStore open{require_valid(toml, options, io), nullptr};
  // Opened before anything is written, for that is what may fail.
  if (!import.users.empty()) open.store = open_store(open.config, store::IfAbsent::create, io);
  write_out(toml, options);
  std::optional<Stored> stored;
  if (open.store != nullptr) stored = put_users(import.users, open, io);

  const std::string& path = open.config.store.path;
  if (options.output == Output::json) {
    print_json(import, toml, stored ? std::optional{json_of(*stored, path)} : std::nullopt, options,
               io);
  } else {
    std::ostream& report = options.out.empty() ? io.err : io.out;
    if (options.out.empty()) io.out << toml;  // so that the file can be piped
    print_report(import, report);
    if (!options.out.empty()) report << fmt::format("{} is written (mode 0600).\n", options.out);
    if (stored) print_stored(*stored, path, report);
  }
  const bool is_whole = count(import, Fate::lost) == 0 && (!stored || stored->kept.empty());
  return static_cast<int>(is_whole ? ExitCode::ok : ExitCode::degraded);
}

}  // namespace

void add_import(CLI::App& app, Context& context) {
  auto* import = app.add_subcommand("import", "Take over another server's configuration");
  import->require_subcommand(1);
  auto* command = import->add_subcommand(
      "coturn", "coturn's turnserver.conf as a turnpike.toml; exit code 3: not all of it");
  const auto options = std::make_shared<Options>();
  command->add_option("file", options->file, "coturn's configuration, as /etc/turnserver.conf")
      ->type_name("FILE")
      ->required();
  command
      ->add_option("--db", options->database,
                   "coturn's SQLite database: secrets, peers and limits are taken from it too")
      ->type_name("FILE");
  command
      ->add_option("--store", options->store,
                   "Puts users with keys into this database, which becomes store.url; default: "
                   "they are only reported")
      ->type_name("PATH");
  command->add_option("--out", options->out, "Where to write; default: standard output")
      ->type_name("FILE");
  command->add_flag("--force", options->force, "Replace --out when it is there");
  add_output_option(*command, options->output);
  command->footer(
      R"(Line by line it says what maps to which key, what is not needed, what Turnpike refuses on purpose,
and what is lost. Nothing becomes more open than it was: what cannot be said is left denied. The
result always passes `turnpike config check`. coturn's own files are not changed.

Long-term users whose password coturn does not know either (turnusers_lt, user=NAME:0xKEY) cannot
stand in a configuration. With --store they go into a store, made when it is not there, with the key
that they have: they log in with the password that they know. It is an MD5 key, so they can use MD5
only, until `turnpike user passwd` gives them a new one. Who is in the store already stays as is.

Exit codes: 0 everything is taken over, 3 something is lost, 78 the files cannot be read or used.

Examples:
  turnpike import coturn /etc/turnserver.conf
  turnpike import coturn /etc/turnserver.conf --db /var/lib/turn/turndb \
    --store /var/lib/turnpike/turnpike.db --out /etc/turnpike/turnpike.toml)");
  command->callback(
      [options, &context] { context.exit_code = import_coturn(*options, context.io); });
}

}  // namespace turnpike::cli
