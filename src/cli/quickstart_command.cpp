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
#include <optional>
#include <ostream>

#include "base/crypto.h"
#include "base/hexadecimal.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "cli/invitation.h"
#include "cli/private_file.h"
#include "diagnosis/doctor.h"
#include "server/config_parsers.h"
#include "server/config_schema.h"
#include "server/config_value.h"
#include "server/ice_servers.h"
#include "signaling/token.h"

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

constexpr seconds demo_life{86'400};

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
  return hex_of(bytes);
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

  /// What the doctor finds is told and not judged: its exit codes are those of `turnpike doctor`.
  int run() {
    make_directory();
    with_certificate_ = has_certificate(paths_);
    write(secret_file, random_hex() + "\n", Existing::keep,
          "the secret that credentials are made from");
    write(api_key_file, random_hex() + "\n", Existing::keep, "the API key of your application");
    write(config_file, config_text(options_, with_certificate_),
          options_.force ? Existing::replace : Existing::keep, "the configuration");
    if (!options_.dry_run) loaded_ = load();
    enable_unit();
    examine();
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

  /// The configuration as the service will find it. Below a root of its own the files that it
  /// names are there too, and a file of somebody else's may name others: nothing then.
  [[nodiscard]] std::optional<server::LoadedConfig> load() const {
    if (paths_.root.empty()) {
      ConfigOptions config;
      config.file = config_file;
      return require_config(config, QuickstartSecret::leave_out, io_).loaded;
    }
    auto file = server::read_config_file(paths_.real(config_file));
    if (!file) return std::nullopt;
    server::ConfigSources sources;
    sources.file = server::ConfigFile{config_file, below_root(file->text)};
    auto loaded = server::load_config(sources);
    if (loaded) return std::move(*loaded);
    print_errors(loaded.error(), io_);
    return std::nullopt;
  }

  /// `text` with our own files where they are.
  [[nodiscard]] std::string below_root(std::string text) const {
    const std::string name = "\"" + directory + "/";
    const std::string root = fs::absolute(paths_.root).string();
    for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos;) {
      text.insert(at + 1, root);
      at += root.size() + name.size();
    }
    return text;
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

  /// The doctor on this host; below a root, only what concerns the files.
  void examine() const {
    if (options_.dry_run) return say("\nwould run turnpike doctor");
    if (!loaded_) return;
    const diagnosis::DoctorPlan plan{*loaded_, config_file, io_.now};
    diagnosis::Findings findings;
    if (paths_.root.empty()) {
      findings = diagnosis::run_doctor(plan);
    } else {
      findings = diagnosis::check_configuration(plan);
      const auto more = diagnosis::check_certificate(loaded_->config, io_.now);
      findings.insert(findings.end(), more.begin(), more.end());
    }
    std::erase_if(findings, [](const diagnosis::Finding& finding) {
      return finding.level == diagnosis::Level::ok;
    });
    say(fmt::format("\nThe doctor looked at {}:",
                    paths_.root.empty() ? "this server" : "the files"));
    io_.out << diagnosis::to_text(findings);
    say(paths_.root.empty() ? "Look again at any time with:  turnpike doctor"
                            : "Look at the rest on its host:  turnpike doctor");
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
          server::mint_ice_servers(servers, *secret, "quickstart", io_.now + demo_life);
      say(fmt::format("\nPaste this into a page (good for a day):\n\n{}",
                      server::to_javascript(ice)));
    }
    say(fmt::format(
        "\nCredentials for your users:  turnpike credential mint --config {} --user NAME\n"
        "Invite to a call:            turnpike room token --config {} --room demo --url {}",
        config_file, config_file, page()));
    print_pages();
  }

  /// Where the pages are, without the last "/".
  [[nodiscard]] std::string page() const {
    return with_certificate_ ? "https://" + options_.domain : "http://" + options_.domain + ":3478";
  }

  /// A room to meet in: who has the link is in. Without a key there is none.
  [[nodiscard]] std::string demo_link() const {
    const std::string start = page() + "/";
    if (!loaded_ || loaded_->config.auth.api_keys.empty()) return start;
    const auth::Secret& key = loaded_->config.auth.api_keys.front();
    signaling::Claims claims;
    claims.room = "demo";
    claims.expires = io_.now + demo_life;
    const HmacSha256Key signing{bytes_of(key.value)};
    return invitation(start, claims.room, signaling::mint_token(claims, key.id, signing));
  }

  void print_pages() const {
    if (loaded_ && !(loaded_->config.signaling.enabled && loaded_->config.signaling.pages)) return;
    say(
        fmt::format("\nTry a call, in two browsers (good for a day):\n  {}\n"
                    "See what a network lets through:\n  {}/nat",
                    demo_link(), page()));
    if (with_certificate_) return;
    say("Browsers give camera and microphone to https alone: for a call, get the certificate "
        "first.");
  }

  const Options& options_;
  const Io& io_;
  Paths paths_;
  bool with_certificate_ = false;
  std::optional<server::LoadedConfig> loaded_;
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
      R"(Writes /etc/turnpike/turnpike.toml, a secret and an API key, switches the systemd unit on, runs
the doctor, and prints what comes next: certificate, firewall, the snippet for a page, the links of a
demo call and of the network test. What is there already stays, so it can be run again. The exit code
is 0 also when the doctor finds something: `turnpike doctor` has codes of its own.

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
