// `turnpike quickstart --domain`: a public host configured in one command.
#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <ostream>

#include "base/crypto.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/private_file.h"
#include "server/config_parsers.h"
#include "server/config_schema.h"
#include "server/config_value.h"
#include "server/ice_servers.h"

namespace turnpike::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string domain;
  std::string email;
  std::string root;  ///< put before every path; for tests and images
  bool dry_run = false;
  bool force = false;
};

/// Where things go. `shown` is the path as the configuration and people know it.
struct Paths {
  std::string root;

  [[nodiscard]] std::string real(const std::string& shown) const { return root + shown; }
};

const std::string directory = "/etc/turnpike";
const std::string config_file = directory + "/turnpike.toml";
const std::string secret_file = directory + "/secret";
const std::string api_key_file = directory + "/api.key";
const std::string certificate_file = directory + "/tls/fullchain.pem";
const std::string certificate_key_file = directory + "/tls/privkey.pem";

std::string checked_domain(const std::string& domain) {
  const auto parsed = server::parse_domain(domain);
  if (!parsed || domain.empty() || domain.find('.') == std::string::npos) {
    throw CommandFailure{ExitCode::usage,
                         fmt::format("--domain: {} is no name of a public host; write for example "
                                     "--domain turn.example.com",
                                     server::in_quotes(domain))};
  }
  return *parsed;
}

std::string checked_email(const std::string& email) {
  const std::size_t at = email.find('@');
  const bool is_plain = email.find_first_of(" '\"\\$`;&|<>\n") == std::string::npos;
  if (email.empty() || (at != std::string::npos && at > 0 && at + 1 < email.size() && is_plain)) {
    return email;
  }
  throw CommandFailure{ExitCode::usage,
                       fmt::format("--email: {} is no address", server::in_quotes(email))};
}

std::string random_hex() {
  std::array<std::uint8_t, 32> bytes{};
  SecureRandom random;
  random.fill(bytes);
  std::string text;
  for (const std::uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

bool has_certificate(const Paths& paths) {
  return !server::check_file(paths.real(certificate_file), server::FileSecrecy::open) &&
         !server::check_file(paths.real(certificate_key_file), server::FileSecrecy::secret);
}

std::string config_text(const Options& options, bool with_certificate) {
  const std::string tls = fmt::format("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n",
                                      certificate_file, certificate_key_file);
  std::string commented = "# Once there is a certificate (see below), take away the \"#\":\n";
  for (std::size_t start = 0; start < tls.size();) {
    const std::size_t end = tls.find('\n', start) + 1;
    commented += "#" + tls.substr(start, end - start);
    start = end;
  }
  return fmt::format(
      "# Written by `turnpike quickstart`. Every key: turnpike.toml(5), or\n"
      "# /usr/share/doc/turnpike/examples/turnpike.toml. After a change: turnpike config check\n"
      "domain = {}\n"
      "# Behind 1:1 NAT (AWS, Google Cloud, Azure): the address that peers see.\n"
      "#public_ip = [\"203.0.113.10\"]\n"
      "\n"
      "{}"
      "\n"
      "[auth]\n"
      "secrets = [{{ id = \"main\", file = \"{}\" }}]\n"
      "api_keys = [{{ id = \"main\", file = \"{}\" }}]\n",
      server::in_quotes(options.domain), with_certificate ? tls : commented, secret_file,
      api_key_file);
}

/// Runs the steps, or says what they would be.
class Quickstart {
 public:
  Quickstart(const Options& options, const Io& io)
      : options_(options), io_(io), paths_{options.root} {}

  int run() {
    make_directory();
    with_certificate_ = has_certificate(paths_);
    write(secret_file, random_hex() + "\n", Existing::keep,
          "the secret that credentials are made from");
    write(api_key_file, random_hex() + "\n", Existing::keep, "the API key of your application");
    write(config_file, config_text(options_, with_certificate_),
          options_.force ? Existing::replace : Existing::keep, "the configuration");
    if (!options_.dry_run) require_valid();
    enable_unit();
    print_next();
    return 0;
  }

 private:
  void say(const std::string& line) const { io_.out << line << '\n'; }

  void make_directory() const {
    const std::string path = paths_.real(directory);
    std::error_code error;
    if (options_.dry_run || fs::is_directory(path, error)) return;
    fs::create_directories(path, error);
    if (!error && ::chmod(path.c_str(), 0750) != 0) {
      error = std::error_code{errno, std::generic_category()};
    }
    if (error) {
      throw CommandFailure{ExitCode::configuration,
                           fmt::format("{} cannot be made: {}; run this as root, or give --root",
                                       path, error.message())};
    }
    hand_over(path, 0750);
  }

  /// To the service's user where there is one; a secret stays with root and is read by the group.
  void hand_over(const std::string& path, mode_t mode) const {
    const passwd* const user = ::getpwnam("turnpike");
    if (user == nullptr || !io_.is_root || !paths_.root.empty()) return;
    if (::chown(path.c_str(), 0, user->pw_gid) == 0) static_cast<void>(::chmod(path.c_str(), mode));
  }

  void write(const std::string& shown, const std::string& text, Existing existing,
             const char* what) const {
    const std::string path = paths_.real(shown);
    std::error_code ignored;
    if (options_.dry_run) {
      const bool stays = fs::exists(path, ignored) && existing == Existing::keep;
      return say(fmt::format("{} {} ({})", stays ? "would keep " : "would write", path, what));
    }
    const bool is_written = write_private_file(path, text, existing);
    if (is_written) hand_over(path, 0640);
    say(fmt::format("{} {} ({})", is_written ? "wrote" : "kept ", path, what));
  }

  /// The configuration with its files, wherever the root is.
  void require_valid() const {
    if (!paths_.root.empty()) return;  // its paths mean another place
    ConfigOptions config;
    config.file = config_file;
    static_cast<void>(require_config(config, QuickstartSecret::leave_out, io_));
  }

  void enable_unit() const {
    std::error_code ignored;
    const bool has_systemd =
        paths_.root.empty() && fs::is_directory("/run/systemd/system", ignored);
    const char* const command = "systemctl enable --now turnpike.service";
    if (!has_systemd || options_.dry_run || !io_.is_root) {
      return say(fmt::format("\nStart it with:\n  {}", command));
    }
    if (std::system(command) == 0) return say("started turnpike.service, also for the next boot");
    throw CommandFailure{ExitCode::unavailable,
                         fmt::format("{} failed; see journalctl -u turnpike", command)};
  }

  void print_certificate() const {
    if (with_certificate_) return;
    const std::string email =
        options_.email.empty() ? "--register-unsafely-without-email" : "--email " + options_.email;
    say(fmt::format(
        "\nFor TLS (port 443 too), get a certificate; the hook copies it where the service reads "
        "it:\n"
        "  certbot certonly --standalone -d {} {} --agree-tos \\\n"
        "    --deploy-hook /usr/share/turnpike/certbot-deploy-hook\n"
        "Then take away the \"#\" of [tls] in {} and restart.",
        options_.domain, email, config_file));
  }

  void print_firewall() const {
    const std::string tcp = with_certificate_ ? "3478,443,5349" : "3478";
    say(
        fmt::format("\nOpen the firewall, with ufw:\n"
                    "  ufw allow {}/tcp && ufw allow 3478/udp && ufw allow 49152:65535/udp\n"
                    "or with nft:\n"
                    "  nft add rule inet filter input tcp dport {{ {} }} accept\n"
                    "  nft add rule inet filter input udp dport {{ 3478, 49152-65535 }} accept",
                    tcp, tcp));
  }

  void print_next() const {
    print_certificate();
    print_firewall();
    std::vector<server::ServerAddress> servers{{options_.domain, 3478, Transport::udp},
                                               {options_.domain, 3478, Transport::tcp}};
    if (with_certificate_) servers.push_back({options_.domain, 443, Transport::tls});
    if (const auto secret = server::read_secret_file(paths_.real(secret_file))) {
      const auto ice =
          server::mint_ice_servers(servers, *secret, "quickstart", io_.now + seconds{86'400});
      say(fmt::format("\nPaste this into a page (good for a day):\n\n{}",
                      server::to_javascript(ice)));
    }
    say(fmt::format(
        "\nCredentials for your users:  turnpike credential mint --config {} --user NAME\n"
        "Invite to a call:            turnpike room token --config {} --room demo --url {}://{}{}",
        config_file, config_file, with_certificate_ ? "https" : "http", options_.domain,
        with_certificate_ ? "" : ":3478"));
  }

  const Options& options_;
  const Io& io_;
  Paths paths_;
  bool with_certificate_ = false;
};

}  // namespace

void add_quickstart(CLI::App& app, Context& context) {
  auto* command = app.add_subcommand("quickstart", "Configure a public host and start the service");
  const auto options = std::make_shared<Options>();
  command->add_option("--domain", options->domain, "The name that clients know this host by")
      ->type_name("NAME")
      ->required();
  command->add_option("--email", options->email, "For the certificate's authority")
      ->type_name("ADDRESS");
  command->add_flag("--dry-run", options->dry_run, "Say what would be done, and do nothing");
  command->add_flag("--force", options->force,
                    "Replace the configuration; the secret and the API key stay as they are");
  command->add_option("--root", options->root, "Write below this directory, and start nothing")
      ->type_name("DIR");
  command->footer(
      R"(Writes /etc/turnpike/turnpike.toml, a secret and an API key, switches the systemd unit on, and
prints what comes next: certificate, firewall, the snippet for a page. What is there already stays,
so it can be run again.

Examples:
  turnpike quickstart --domain turn.example.com --dry-run
  turnpike quickstart --domain turn.example.com --email admin@example.com)");
  command->callback([options, &context] {
    options->domain = checked_domain(options->domain);
    options->email = checked_email(options->email);
    context.exit_code = Quickstart{*options, context.io}.run();
  });
}

}  // namespace turnpike::cli
