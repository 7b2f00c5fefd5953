// `turnpike config check`, `turnpike config show` and `turnpike config schema`
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

#include "cli/commands.h"
#include "cli/configuration.h"
#include "server/config_sources.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  ConfigOptions config;
  Output output = Output::table;
  bool with_origin = false;
};

void print_json(const Json& json, const Io& io) {
  io.out << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}

// --- config check --------------------------------------------------------------------------------

std::string text_of_file(const char* path) {
  const std::ifstream stream{path};
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// What is accepted but worth knowing.
std::vector<std::string> remarks_on(const FoundConfig& found) {
  std::vector<std::string> remarks = found.loaded.warnings;
  const auto hint = server::local_port_hint(
      found.loaded.config.relay.ports, text_of_file("/proc/sys/net/ipv4/ip_local_port_range"),
      text_of_file("/proc/sys/net/ipv4/ip_local_reserved_ports"));
  if (hint) remarks.push_back(*hint);
  return remarks;
}

Json json_of(const server::ConfigError& error) {
  return {{"where", error.where},
          {"key", error.key},
          {"problem", error.problem},
          {"remedy", error.remedy},
          {"message", error.to_string()}};
}

int report_refusal(const ConfigErrors& errors, const Options& options, const Io& io) {
  if (options.output == Output::json) {
    Json list = Json::array();
    for (const server::ConfigError& error : errors) list.push_back(json_of(error));
    print_json({{"ok", false}, {"errors", std::move(list)}}, io);
  } else {
    print_errors(errors, io);
  }
  return static_cast<int>(ExitCode::configuration);
}

int check(const Options& options, const Io& io) {
  const auto found = find_config(options.config, QuickstartSecret::leave_out, io);
  if (!found) return report_refusal(found.error(), options, io);

  const std::vector<std::string> remarks = remarks_on(*found);
  if (options.output == Output::json) {
    print_json({{"ok", true}, {"source", found->origin}, {"remarks", remarks}}, io);
    return 0;
  }
  if (found->quickstart) {
    io.out << fmt::format(
        "There is no {}: `turnpike serve` would run its quickstart on loopback.\n",
        io.default_config_path);
  } else {
    io.out << fmt::format("{}: the configuration is valid.\n", found->origin);
  }
  for (const std::string& remark : remarks) io.out << "Remark: " << remark << ".\n";
  return 0;
}

// --- config show ---------------------------------------------------------------------------------

std::string_view section_of(std::string_view path) {
  const std::size_t dot = path.find('.');
  return dot == std::string_view::npos ? std::string_view{} : path.substr(0, dot);
}

/// The configuration as TOML that could be read again, but for the hidden values.
void print_toml(const std::vector<server::ShownKey>& keys, bool with_origin, const Io& io) {
  constexpr std::size_t widest = 60;  // a very long value does not push all comments out of sight
  std::vector<std::string> lines;
  std::size_t width = 0;
  for (const server::ShownKey& key : keys) {
    const std::string_view section = section_of(key.path);
    const std::string name = section.empty() ? key.path : key.path.substr(section.size() + 1);
    lines.push_back(name + " = " + server::to_toml(key.value));
    width = std::min(widest, std::max(width, lines.back().size()));
  }
  std::string_view section;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (section_of(keys[i].path) != section) {
      section = section_of(keys[i].path);
      io.out << fmt::format("\n[{}]\n", section);
    }
    io.out << (with_origin ? fmt::format("{:<{}}  # {}\n", lines[i], width, keys[i].origin)
                           : lines[i] + "\n");
  }
}

Json json_of(
    const server::ConfigValue& value) {  // NOLINT(misc-no-recursion): as deep as our own values
  if (value.text() != nullptr) return *value.text();
  if (value.integer() != nullptr) return *value.integer();
  if (value.boolean() != nullptr) return *value.boolean();
  Json json;
  if (value.list() != nullptr) {
    json = Json::array();
    for (const server::ConfigValue& element : *value.list()) json.push_back(json_of(element));
  } else if (value.table() != nullptr) {
    json = Json::object();
    for (const server::ConfigMember& member : *value.table())
      json[member.key] = json_of(member.value);
  }
  return json;
}

/// Keys nested by section; with origins as a second object, by full key.
Json json_of(const std::vector<server::ShownKey>& keys, bool with_origin) {
  Json values = Json::object();
  Json origins = Json::object();
  for (const server::ShownKey& key : keys) {
    const std::string section{section_of(key.path)};
    Json& parent = section.empty() ? values : values[section];
    parent[section.empty() ? key.path : key.path.substr(section.size() + 1)] = json_of(key.value);
    origins[key.path] = key.origin;
  }
  if (!with_origin) return values;
  return {{"config", std::move(values)}, {"origins", std::move(origins)}};
}

int show(const Options& options, const Io& io) {
  const FoundConfig found = require_config(options.config, QuickstartSecret::leave_out, io);
  const auto keys = server::shown_config(found.loaded);
  if (options.output == Output::json) {
    print_json(json_of(keys, options.with_origin), io);
  } else {
    print_toml(keys, options.with_origin, io);
  }
  return 0;
}

// --- config schema -------------------------------------------------------------------------------

Json type_schema(server::ConfigType type) {
  const Json texts{{"type", "array"}, {"items", {{"type", "string"}}}};
  switch (type) {
    case server::ConfigType::text:
      return {{"type", "string"}};
    case server::ConfigType::integer:
      return {{"type", "integer"}, {"minimum", 0}};
    case server::ConfigType::boolean:
      return {{"type", "boolean"}};
    case server::ConfigType::integer_list:
      return {{"type", "array"}, {"items", {{"type", "integer"}}}};
    case server::ConfigType::text_list:
      return texts;
    case server::ConfigType::text_or_list:
      return {{"anyOf", Json::array({{{"type", "string"}}, texts})}};
    case server::ConfigType::table_list:
      return {{"type", "array"}, {"items", {{"type", "object"}}}};
  }
  return Json::object();
}

Json schema_of(const server::ConfigKey& key) {
  Json schema = type_schema(key.type);
  schema["description"] = key.meaning;
  schema["default"] = json_of(key.show(server::Config{}));
  if (const auto example = server::toml_value(key.example, {})) {
    schema["examples"] = Json::array({json_of(*example)});
  }
  return schema;
}

/// The key table as JSON Schema. It knows names and types; `config check` knows the rest.
Json schema_of_keys() {
  Json root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
            {"title", "turnpike.toml"},
            {"description", "The configuration of Turnpike, a STUN and TURN server."},
            {"type", "object"},
            {"additionalProperties", false},
            {"properties", Json::object()}};
  for (const server::ConfigKey& key : server::config_keys()) {
    const std::string section{section_of(key.path)};
    if (section.empty()) {
      root["properties"][std::string{key.path}] = schema_of(key);
      continue;
    }
    Json& parent = root["properties"][section];
    if (parent.is_null()) {
      parent = {
          {"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
    }
    parent["properties"][std::string{key.path.substr(section.size() + 1)}] = schema_of(key);
  }
  return root;
}

}  // namespace

void add_config(CLI::App& app, Context& context) {
  auto* config = app.add_subcommand("config", "Check, show or describe the configuration");
  config->require_subcommand(1);

  auto* check_command = config->add_subcommand(
      "check", "Say whether the configuration is right; exit code 78: it is not");
  const auto check_options = std::make_shared<Options>();
  add_config_options(*check_command, check_options->config);
  add_output_option(*check_command, check_options->output);
  check_command->footer(
      R"(Nothing is started or changed. All mistakes are listed, each with its place and the remedy.

Example:
  turnpike config check --config ./turnpike.toml)");
  check_command->callback(
      [check_options, &context] { context.exit_code = check(*check_options, context.io); });

  auto* show_command =
      config->add_subcommand("show", "Print the configuration in effect, defaults included");
  const auto show_options = std::make_shared<Options>();
  add_config_options(*show_command, show_options->config);
  add_output_option(*show_command, show_options->output);
  show_command->add_flag("--origin", show_options->with_origin, "Say where each value comes from");
  show_command->footer(R"text(Secrets and passwords are shown as "(hidden)".

Examples:
  turnpike config show --origin
  turnpike config show --output json | jq .relay.ports)text");
  auto* schema_command =
      config->add_subcommand("schema", "Print the JSON Schema of the configuration, for editors");
  schema_command->footer(R"(Example:
  turnpike config schema > turnpike.schema.json)");
  schema_command->callback([&context] { print_json(schema_of_keys(), context.io); });

  show_command->callback(
      [show_options, &context] { context.exit_code = show(*show_options, context.io); });
}

}  // namespace turnpike::cli
