// The part of the doctor that needs no running server: configuration, certificate, addresses.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "conformance/socket.h"
#include "diagnosis/doctor.h"
#include "net/interfaces.h"
#include "net/tls.h"
#include "net/tls_certificate.h"

namespace turnpike::diagnosis {
namespace {

using server::Config;

/// Addresses that do not work on the internet, whatever the router does (RFC 1918, RFC 6598, ULA).
bool is_private(const IpAddress& address) {
  static const std::vector<IpPrefix> ranges{
      *IpPrefix::parse("10.0.0.0/8"),     *IpPrefix::parse("172.16.0.0/12"),
      *IpPrefix::parse("192.168.0.0/16"), *IpPrefix::parse("100.64.0.0/10"),
      *IpPrefix::parse("169.254.0.0/16"), *IpPrefix::parse("fc00::/7"),
      *IpPrefix::parse("fe80::/10"),
  };
  return address.is_loopback() || std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
           return range.contains(address);
         });
}

bool contains(const std::vector<IpAddress>& addresses, const IpAddress& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

std::string joined(const std::vector<IpAddress>& addresses) {
  std::string text;
  for (const IpAddress& address : addresses) {
    text += (text.empty() ? "" : ", ") + address.to_string();
  }
  return text;
}

bool is_loopback_only(const Config& config) {
  const auto names = config.listener_names();
  return std::all_of(names.begin(), names.end(), [](const server::ListenerName& name) {
    return name.address.address && name.address.address->is_loopback();
  });
}

Finding judge_secret(const auth::Secret& secret, std::string_view kind) {
  constexpr std::size_t good_bytes = 32;
  constexpr std::size_t few_characters = 10;
  const std::string check = fmt::format("{} {}", kind, secret.id);
  const std::string remedy =
      "make a new one with `openssl rand -hex 32`, put it first in the list, and take the old one "
      "out when its credentials have expired";
  if (secret.value.size() < good_bytes) {
    return {Level::warning, check,
            fmt::format("it has {} bytes: whoever sees one credential can try them all",
                        secret.value.size()),
            remedy};
  }
  if (std::set<char>(secret.value.begin(), secret.value.end()).size() < few_characters) {
    return {Level::warning, check, "it has so few different characters that it can be guessed",
            remedy};
  }
  return {Level::ok, check, fmt::format("{} bytes", secret.value.size()), ""};
}

std::string days_of(seconds left) {
  return fmt::format("{} days", std::chrono::duration_cast<std::chrono::hours>(left).count() / 24);
}

Finding judge_dates(const net::CertificateFacts& facts, WallTime now) {
  constexpr seconds soon{14 * 86400};
  const std::string renew =
      "renew it (certbot renew); Turnpike takes the new files into use by itself";
  if (now >= facts.not_after) {
    return {Level::problem, "certificate dates",
            "it expired " + days_of(now - facts.not_after) + " ago: no browser connects", renew};
  }
  if (now < facts.not_before) {
    return {Level::problem, "certificate dates", "it is not valid yet",
            "look at this host's clock (timedatectl)"};
  }
  if (facts.not_after - now < soon) {
    return {Level::warning, "certificate dates", "it expires in " + days_of(facts.not_after - now),
            renew};
  }
  return {Level::ok, "certificate dates", "valid for " + days_of(facts.not_after - now), ""};
}

Finding judge_name(const net::CertificateFacts& facts, const std::string& domain) {
  if (domain.empty()) {
    return {Level::warning, "certificate name",
            "`domain` is not set, so that nobody can say whether the certificate is for it",
            "set domain to the name in the certificate"};
  }
  if (facts.is_for_name) return {Level::ok, "certificate name", "it is for " + domain, ""};
  std::string names;
  for (const std::string& name : facts.names) names += (names.empty() ? "" : ", ") + name;
  return {Level::problem, "certificate name",
          fmt::format("it is not for {} but for {}: browsers refuse it", domain,
                      names.empty() ? "no name at all" : names),
          "get a certificate for " + domain + ", or set domain to one of its names"};
}

Finding judge_chain(const net::CertificateFacts& facts) {
  if (facts.chain_problem.empty()) {
    return {Level::ok, "certificate chain", "what this system trusts vouches for it", ""};
  }
  return {Level::problem, "certificate chain",
          fmt::format("browsers will most likely not trust it ({})", facts.chain_problem),
          "name the file with the whole chain (certbot calls it fullchain.pem); a certificate of "
          "your own making works only where it has been installed"};
}

Findings judge_dns(const Config& config, const std::vector<IpAddress>& interfaces) {
  if (config.domain.empty()) {
    return {{Level::note, "dns", "`domain` is not set: clients are given addresses", ""}};
  }
  const auto resolved = net::resolve(config.domain);
  if (!resolved) {
    return {{Level::problem, "dns", resolved.error(),
             fmt::format("make an A (and, with IPv6, an AAAA) record for {}", config.domain)}};
  }
  Findings findings;
  for (const IpAddress& address : *resolved) {
    const bool is_stranger = !config.public_ip.empty();
    if (contains(config.public_ip, address)) continue;
    if (contains(interfaces, address) && !(is_stranger && is_private(address))) continue;
    findings.push_back(
        {is_stranger ? Level::problem : Level::warning, "dns",
         fmt::format("{} leads to {}, which is neither public_ip nor a public address of this host",
                     config.domain, address.to_string()),
         is_stranger ? "correct the DNS record or public_ip: clients that take this address find "
                       "no server, or another one"
                     : fmt::format("correct the DNS record; if this host is behind a 1:1 NAT, set "
                                   "public_ip = [\"{}\"]",
                                   address.to_string())});
  }
  if (findings.empty()) {
    findings.push_back({Level::ok, "dns", config.domain + " leads here: " + joined(*resolved), ""});
  }
  return findings;
}

Findings judge_public_ip(const Config& config, const std::vector<IpAddress>& interfaces) {
  if (!config.public_ip.empty()) {
    Findings findings;
    for (const IpAddress& address : config.public_ip) {
      if (is_private(address)) {
        findings.push_back(
            {Level::warning, "public_ip",
             address.to_string() + " is a private address: nobody outside reaches it",
             "right on a private network; else set it to the address that the internet sees: "
             "`turnpike stun HOST` tells it, asked of a server elsewhere"});
      } else if (contains(interfaces, address)) {
        findings.push_back(
            {Level::ok, "public_ip", address.to_string() + " is an address of this host", ""});
      } else {
        findings.push_back({Level::note, "public_ip",
                            address.to_string() +
                                " is not an address of this host: a 1:1 NAT has to lead it here, "
                                "which only a test from outside can show",
                            ""});
      }
    }
    return findings;
  }
  if (is_loopback_only(config)) {
    return {{Level::note, "public_ip", "the server listens on loopback only", ""}};
  }
  const bool has_public = std::any_of(interfaces.begin(), interfaces.end(),
                                      [](const IpAddress& one) { return !is_private(one); });
  if (has_public) return {{Level::ok, "public_ip", "auto: this host has a public address", ""}};
  return {{Level::warning, "public_ip",
           "this host has private addresses only (" + joined(interfaces) +
               "), and relays will tell peers those",
           "set public_ip to the address that the internet sees; on a private network this is "
           "right as it is"}};
}

}  // namespace

Findings check_configuration(const DoctorPlan& plan) {
  Findings findings{{Level::ok, "configuration", "read from " + plan.origin, ""}};
  for (const std::string& warning : plan.loaded.warnings) {
    findings.push_back({Level::warning, "configuration", warning, ""});
  }
  const Config::Auth& auth = plan.loaded.config.auth;
  for (const auth::Secret& secret : auth.secrets)
    findings.push_back(judge_secret(secret, "secret"));
  for (const auth::Secret& key : auth.api_keys) findings.push_back(judge_secret(key, "api-key"));
  return findings;
}

Findings check_certificate(const Config& config, WallTime now) {
  if (!config.tls.is_configured()) {
    return {{Level::note, "certificate",
             "there is none: no TLS, and browsers' pages on https cannot join rooms here", ""}};
  }
  const auto facts = net::inspect_certificate(config.tls.certificate, config.domain);
  if (!facts) {
    return {{Level::problem, "certificate", facts.error(),
             "check tls.certificate, and that the user of the server may read the file"}};
  }
  Findings findings{judge_dates(*facts, now), judge_name(*facts, config.domain),
                    judge_chain(*facts)};
  const auto loaded = net::TlsContext::load(config.tls.certificate, config.tls.key, {now, true});
  if (loaded) {
    findings.push_back({Level::ok, "certificate key", "it belongs to the certificate", ""});
  } else {
    findings.push_back({Level::problem, "certificate key", loaded.error(), ""});
  }
  return findings;
}

Findings check_addresses(const Config& config, const std::vector<IpAddress>& interfaces) {
  Findings findings = judge_public_ip(config, interfaces);
  for (Finding& finding : judge_dns(config, interfaces)) findings.push_back(std::move(finding));
  return findings;
}

Findings check_relay_addresses(const Config& config) {
  Findings findings;
  for (const IpAddress& address : config.relay.addresses) {
    const auto socket = conformance::Socket::udp({address, 0});
    if (socket) {
      findings.push_back({Level::ok, "relay.addresses", address.to_string() + " can be bound", ""});
    } else {
      findings.push_back(
          {Level::problem, "relay.addresses",
           fmt::format("no socket can be bound to {}: {}", address.to_string(), socket.error()),
           "name addresses that `ip address` shows; the one of a 1:1 NAT belongs "
           "into public_ip"});
    }
  }
  return findings;
}

}  // namespace turnpike::diagnosis
