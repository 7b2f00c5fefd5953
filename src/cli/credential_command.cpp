// `turnpike credential mint`: credentials for a browser or a client, with no server running.
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <optional>
#include <ostream>

#include "cli/commands.h"
#include "cli/host_port.h"
#include "cli/percent_encoding.h"
#include "cli/secret_option.h"
#include "cli/signing_keys.h"
#include "cli/store_access.h"
#include "server/config_parsers.h"
#include "server/ice_servers.h"

namespace turnpike::cli {
namespace {

constexpr std::uint16_t default_port = 3478;
constexpr seconds longest_ttl{86'400};

enum class Format : std::uint8_t { json, js, env, curl, uri };

struct Options {
  std::string secret;  ///< "@file" or "-"
  std::string user;
  std::string ttl;
  Format format = Format::json;
  std::vector<std::string> hosts;
  ConfigOptions config;
};

// --- What to sign with ---------------------------------------------------------------------------

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

std::optional<std::string> secret_from_environment(const Io& io) {
  if (const auto value = io.environment.find("TURNPIKE__AUTH__SECRET");
      value != io.environment.end()) {
    return value->second;
  }
  if (const auto file = io.environment.find("TURNPIKE__AUTH__SECRET_FILE");
      file != io.environment.end()) {
    return read_secret_at(file->second);
  }
  return std::nullopt;
}

/// What of the server's configuration matters here.
struct Basis {
  std::string secret;
  seconds ttl{3600};
  std::vector<server::ServerAddress> servers;
  server::Config::Listen listen{{{std::nullopt, default_port}}, {}, {}};  ///< as far as is known
};

/// All but the secret.
Basis basis_of(const server::Config& config) {
  return {{}, config.auth.credential_ttl, server::servers_of(config), config.listen};
}

Basis find_basis(const Options& options, const Io& io) {
  std::optional<server::Config> config;
  if (!options.config.file.empty()) config = find_store_config({{}, options.config}, io);
  Basis basis = config ? basis_of(*config) : Basis{};
  if (!options.secret.empty()) {
    basis.secret = secret_from_option(options.secret, "--secret", io);
  } else if (config) {
    basis.secret = signing_secret(*config, io);
  } else if (auto secret = secret_from_environment(io)) {
    basis.secret = std::move(*secret);
  }
  if (!basis.secret.empty()) return basis;
  throw usage("there is no secret to sign with; give --secret @FILE, --secret - or --config FILE");
}

// --- What to write -------------------------------------------------------------------------------

seconds chosen_ttl(const Options& options, seconds otherwise) {
  if (options.ttl.empty()) return otherwise;
  const auto ttl = server::parse_duration(options.ttl);
  if (!ttl) throw usage(fmt::format("--ttl: {}; {}", ttl.error().problem, ttl.error().remedy));
  if (*ttl > longest_ttl) {
    throw usage(fmt::format("--ttl: {} is too long; use at most {}", options.ttl,
                            server::duration_text(longest_ttl)));
  }
  return *ttl;
}

/// The listeners on `port`. None there: the port is one of a NAT in front, taken to be for UDP.
server::Config::Listen listeners_on(std::uint16_t port, server::Config::Listen listen) {
  for (auto* addresses : {&listen.udp, &listen.tcp, &listen.tls}) {
    std::erase_if(*addresses, [&](const server::ListenAddress& a) { return a.port != port; });
  }
  if (server::listeners_of(listen).empty()) listen.udp = {{std::nullopt, port}};
  return listen;
}

std::vector<server::ServerAddress> chosen_servers(const Options& options, const Basis& basis,
                                                  const Io& io) {
  std::vector<server::ServerAddress> servers;
  for (const std::string& text : options.hosts) {
    const auto parsed = parse_host_port(text);
    if (!parsed) throw usage("--host: " + parsed.error());
    const auto listen = parsed->port ? listeners_on(*parsed->port, basis.listen) : basis.listen;
    const auto at_host = server::servers_at(parsed->host, listen);
    servers.insert(servers.end(), at_host.begin(), at_host.end());
  }
  if (!servers.empty()) return servers;
  if (!basis.servers.empty()) return basis.servers;
  if (const auto domain = io.environment.find("TURNPIKE__DOMAIN"); domain != io.environment.end()) {
    return server::servers_at(domain->second, basis.listen);
  }
  io.err
      << "turnpike: the URLs name this host, 127.0.0.1; say --host turn.example.com for others\n";
  return server::servers_at("127.0.0.1", basis.listen);
}

std::string checked_user(const std::string& user) {
  constexpr std::size_t max_bytes = 508 - 11;  // RFC 8489 §14.3, less "1795219200:"
  if (user.empty()) return user;
  auto name = server::parse_user_name(user);
  if (!name) throw usage(fmt::format("--user: {}; {}", name.error().problem, name.error().remedy));
  if (name->size() > max_bytes)
    throw usage(fmt::format("--user: the name is too long; use at most {} bytes", max_bytes));
  return std::move(*name);
}

/// `text` as one word of a POSIX shell.
std::string shell_word(std::string_view text) {
  std::string word = "'";
  for (const char c : text) {
    if (c == '\'') {
      word += R"('\'')";
    } else {
      word += c;
    }
  }
  return word + "'";
}

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ",") + text;
  return out;
}

std::string to_env(const server::IceServers& ice) {
  return fmt::format(
      "TURN_URLS={}\nTURN_USERNAME={}\nTURN_CREDENTIAL={}\nSTUN_URLS={}\nTURN_EXPIRES_AT={}",
      shell_word(joined(ice.turn_urls())), shell_word(ice.username), shell_word(ice.credential),
      shell_word(joined(ice.stun_urls())), shell_word(server::rfc3339(ice.expires_at)));
}

/// Hands the JSON to whatever listens at $URL: how an application is tried out by hand.
std::string to_curl(const server::IceServers& ice) {
  return fmt::format("curl -X POST -H 'Content-Type: application/json' --data {} \"$URL\"",
                     shell_word(server::to_json(ice)));
}

/// The form of GStreamer and ffmpeg, one per line; RFC 7065 knows no user part.
std::string to_uris(const server::IceServers& ice) {
  std::string out;
  for (const std::string& url : ice.turn_urls()) {
    const std::size_t colon = url.find(':');
    out += fmt::format("{}{}://{}:{}@{}", out.empty() ? "" : "\n", url.substr(0, colon),
                       percent_encoded(ice.username), percent_encoded(ice.credential),
                       url.substr(colon + 1));
  }
  return out;
}

std::string render(const server::IceServers& ice, Format format) {
  switch (format) {
    case Format::json:
      return server::to_json(ice);
    case Format::js:
      return server::to_javascript(ice);
    case Format::env:
      return to_env(ice);
    case Format::curl:
      return to_curl(ice);
    case Format::uri:
      return to_uris(ice);
  }
  return {};
}

int mint(const Options& options, const Io& io) {
  const std::string user = checked_user(options.user);
  const Basis basis = find_basis(options, io);
  const seconds ttl = chosen_ttl(options, basis.ttl);
  auto servers = chosen_servers(options, basis, io);
  io.out << render(server::mint_ice_servers(std::move(servers), basis.secret, user, io.now + ttl),
                   options.format)
         << '\n';
  return 0;
}

void add_mint_options(CLI::App& command, Options& options) {
  const auto choose_format = [&options](const std::string& name) {
    static const std::map<std::string, Format> formats{{"json", Format::json},
                                                       {"js", Format::js},
                                                       {"env", Format::env},
                                                       {"curl", Format::curl},
                                                       {"uri", Format::uri}};
    const auto format = formats.find(name);
    if (format == formats.end()) {
      throw CLI::ValidationError("--format",
                                 name + " is not known; use json, js, env, curl or uri");
    }
    options.format = format->second;
  };
  command
      .add_option("--secret", options.secret,
                  "File with the shared secret, or - for standard input")
      ->type_name("@FILE|-");
  command.add_option("--user", options.user, "Who the credentials are for; quotas count by it")
      ->type_name("NAME");
  command
      .add_option("--ttl", options.ttl,
                  "How long they are valid, at most 24h; default: auth.credential_ttl or 1h")
      ->type_name("DURATION");
  command
      .add_option_function<std::string>("--format", choose_format,
                                        "json (default), js, env, curl or uri")
      ->type_name("FORMAT");
  command
      .add_option("--host", options.hosts,
                  "Server in the URLs; may be repeated. Default: from the configuration")
      ->type_name("HOST[:PORT]")
      ->allow_extra_args(false);
  command
      .add_option("-c,--config", options.config.file,
                  "Takes secret, lifetime and host from this configuration and its store")
      ->type_name("FILE");
}

}  // namespace

void add_credential(CLI::App& app, Context& context) {
  auto* credential = app.add_subcommand("credential", "TURN credentials: make, check, revoke");
  credential->require_subcommand(1);
  auto* command = credential->add_subcommand("mint", "Make credentials; no server needs to run");
  const auto options = std::make_shared<Options>();
  add_mint_options(*command, *options);
  command->footer(
      R"(The secret is one of the server's auth.secrets. It comes from a file, from standard input, from
TURNPIKE__AUTH__SECRET or TURNPIKE__AUTH__SECRET_FILE, or from --config; never from the command
line itself. With a configuration that has none it is the one of its store that signs (`turnpike
secret list`). Formats: json is what RTCPeerConnection takes, with "expiresAt"; js a line to paste
into a page; env shell variables; curl a command that posts the JSON to $URL; uri turn://user:pass@…
as GStreamer wants it. With --config there is a URL for each listener (UDP, TCP, TLS), else for UDP
alone.

Examples:
  turnpike credential mint --secret @secret.txt --user alice --ttl 10m --host turn.example.com
  turnpike credential mint --config /etc/turnpike/turnpike.toml --format js
  pass show turn | turnpike credential mint --secret - --format env)");
  command->callback([options, &context] { context.exit_code = mint(*options, context.io); });
  add_credential_verify(*credential, context);
  add_credential_revocations(*credential, context);
}

}  // namespace turnpike::cli
