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
#include <ostream>

#include "base/crypto.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/coturn_config.h"
#include "cli/private_file.h"

namespace turnpike::cli {
namespace {

using coturn::Fate;
using Json = nlohmann::ordered_json;

struct Options {
  std::string file;
  std::string database;
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
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

coturn::Source read_source(const Options& options) {
  const auto file = server::read_config_file(options.file);
  if (!file) throw unreadable(file.error().to_string());
  coturn::Source source;
  source.options = coturn::parse_options(file->text);
  source.directory =
      std::filesystem::absolute(std::filesystem::path{options.file}).parent_path().string();
  source.fresh_secret = fresh_secret();
  if (options.database.empty()) return source;
  auto database = coturn::read_database(options.database);
  if (!database) throw unreadable(database.error());
  source.database = std::move(*database);
  return source;
}

/// What is written is what `serve` takes; else nothing is written.
void require_valid(const std::string& toml, const Options& options, const Io& io) {
  server::ConfigSources sources;
  sources.file =
      server::ConfigFile{options.out.empty() ? std::string{"turnpike.toml"} : options.out, toml};
  const auto loaded = server::load_config(sources);
  if (loaded) return;
  print_errors(loaded.error(), io);
  throw unreadable(fmt::format(
      "{} cannot be imported as it stands: see above; correct it there and import again",
      options.file));
}

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

void print_json(const coturn::Import& import, const std::string& toml, const Options& options,
                const Io& io) {
  Json json{{"mapped", count(import, Fate::mapped)},
            {"unneeded", count(import, Fate::unneeded)},
            {"stricter", count(import, Fate::stricter)},
            {"lost", count(import, Fate::lost)},
            {"options", json_of(import)}};
  if (options.out.empty()) {
    json["config"] = toml;
  } else {
    json["file"] = options.out;
  }
  io.out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

int import_coturn(const Options& options, const Io& io) {
  const coturn::Import import = coturn::convert(read_source(options));
  const std::string toml =
      coturn::to_toml(import.settings, std::filesystem::path{options.file}.filename().string());
  require_valid(toml, options, io);
  if (!options.out.empty() &&
      !write_private_file(options.out, toml, options.force ? Existing::replace : Existing::keep)) {
    throw CommandFailure{
        ExitCode::usage,
        fmt::format("{} is there already; choose another --out, or --force", options.out)};
  }
  if (options.output == Output::json) {
    print_json(import, toml, options, io);
  } else if (options.out.empty()) {  // so that the file can be piped
    io.out << toml;
    print_report(import, io.err);
  } else {
    print_report(import, io.out);
    io.out << fmt::format("{} is written (mode 0600).\n", options.out);
  }
  return static_cast<int>(count(import, Fate::lost) == 0 ? ExitCode::ok : ExitCode::degraded);
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
  command->add_option("--out", options->out, "Where to write; default: standard output")
      ->type_name("FILE");
  command->add_flag("--force", options->force, "Replace --out when it is there");
  add_output_option(*command, options->output);
  command->footer(
      R"(Line by line it says what maps to which key, what is not needed, what Turnpike refuses on purpose,
and what is lost. Nothing becomes more open than it was: what cannot be said is left denied. The
result always passes `turnpike config check`. coturn's own files are not changed.

Exit codes: 0 everything is taken over, 3 something is lost, 78 the files cannot be read or used.

Examples:
  turnpike import coturn /etc/turnserver.conf
  turnpike import coturn /etc/turnserver.conf --db /var/lib/turn/turndb \
    --out /etc/turnpike/turnpike.toml)");
  command->callback(
      [options, &context] { context.exit_code = import_coturn(*options, context.io); });
}

}  // namespace turnpike::cli
