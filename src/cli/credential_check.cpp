#include "cli/credential_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/credentials.h"
#include "auth/opaque_string.h"
#include "server/config_value.h"
#include "server/ice_servers.h"

namespace turnpike::cli {
namespace {

constexpr seconds clock_skew{30};  // as the server allows
constexpr seconds longest_life{86'400};

std::string normalised(const std::string& text) { return auth::opaque_string(text).value_or(text); }

Verdict accepted(std::string by) { return {true, std::move(by), {}}; }
Verdict refused(std::string by, std::string reason) {
  return {false, std::move(by), std::move(reason)};
}

// --- Users ---------------------------------------------------------------------------------------

Verdict check_configured(const auth::StaticUser& user, const std::string& password) {
  const std::string by = "user of the configuration";
  if (normalised(user.password) == normalised(password)) return accepted(by);
  return refused(by, "the password is not the one under auth.users");
}

Verdict check_stored(const store::StoredUser& user, const std::string& password,
                     const std::string& realm) {
  const std::string by = "user of the store";
  if (user.disabled) {
    return refused(by, fmt::format("the user is disabled; `turnpike user change {} --enable` lets "
                                   "it in again",
                                   user.name));
  }
  if (user.realm != realm) {
    return refused(by,
                   fmt::format("its password was set for the realm {}, and the server's is {}; "
                               "run `turnpike user passwd {}`",
                               server::in_quotes(user.realm), server::in_quotes(realm), user.name));
  }
  const bool has_sha256 = !user.sha256.empty();
  const auto algorithm =
      has_sha256 ? stun::PasswordAlgorithm::sha256 : stun::PasswordAlgorithm::md5;
  const auto key = auth::long_term_key(algorithm, user.name, realm, normalised(password));
  if (key == (has_sha256 ? user.sha256 : user.md5)) return accepted(by);
  return refused(by, "the password is another one; `turnpike user passwd` sets a new one");
}

// --- Time-limited usernames ----------------------------------------------------------------------

/// A secret, wherever it is from.
struct KnownSecret {
  std::string name;  ///< "secret main of the store"
  std::string value;
  std::string complaint;  ///< why it verifies nothing now; empty: it does
};

std::vector<KnownSecret> known_secrets(const CredentialSources& sources, WallTime now) {
  std::vector<KnownSecret> known;
  for (const auth::Secret& secret : sources.config.auth.secrets) {
    known.push_back({fmt::format("secret {} of the configuration", secret.id), secret.value, {}});
  }
  for (const store::StoredSecret& secret : sources.secrets) {
    KnownSecret entry{fmt::format("secret {} of the store", secret.id), secret.value, {}};
    if (now < secret.not_before) {
      entry.complaint = fmt::format("that secret begins at {}", server::rfc3339(secret.not_before));
    } else if (!secret.is_valid_at(now)) {
      entry.complaint = fmt::format("that secret ended at {}; make new credentials",
                                    server::rfc3339(*secret.not_after));
    }
    known.push_back(std::move(entry));
  }
  return known;
}

Verdict check_time_limited(const std::string& username, const std::string& password,
                           const auth::TimeLimitedUser& user, const CredentialSources& sources,
                           WallTime now) {
  const auto secrets = known_secrets(sources, now);
  if (secrets.empty()) return refused({}, "there are no secrets, here or in the store");
  const auto found = std::find_if(secrets.begin(), secrets.end(), [&](const KnownSecret& secret) {
    return auth::time_limited_password(secret.value, username) == password;
  });
  if (found == secrets.end()) {
    return refused({}, fmt::format("the password was made with none of the {} secrets that there "
                                   "are, or for another username",
                                   secrets.size()));
  }
  if (!found->complaint.empty()) return refused(found->name, found->complaint);
  if (now >= user.expires + clock_skew) {
    return refused(found->name, fmt::format("it ran out at {}", server::rfc3339(user.expires)));
  }
  if (user.expires > now + longest_life + clock_skew) {
    return refused(found->name, fmt::format("it would live until {}, and more than a day is "
                                            "refused; make it with a shorter time",
                                            server::rfc3339(user.expires)));
  }
  return accepted(found->name);
}

// --- Revocations ---------------------------------------------------------------------------------

/// Why a credential that verifies is refused all the same; empty: it is not.
std::string revocation_of(const std::string& username, std::string_view account,
                          const CredentialSources& sources) {
  for (const store::Revocation& revocation : sources.revocations) {
    const bool is_account = revocation.kind == store::RevokedName::account;
    if (revocation.name != (is_account ? account : std::string_view{username})) continue;
    return fmt::format(
        "the {} {} is revoked {}{}; `turnpike credential restore {}` lifts that",
        to_string(revocation.kind), server::in_quotes(revocation.name),
        revocation.until ? "until " + server::rfc3339(*revocation.until) : "for ever",
        revocation.reason.empty() ? "" : fmt::format(" ({})", revocation.reason), revocation.name);
  }
  return {};
}

Verdict check_unrevoked(const std::string& username, const std::string& password,
                        const std::optional<auth::TimeLimitedUser>& time_limited,
                        const CredentialSources& sources, WallTime now) {
  const auto& users = sources.config.auth.users;
  const auto configured = std::find_if(users.begin(), users.end(), [&](const auto& user) {
    return normalised(user.name) == username;
  });
  if (configured != users.end()) return check_configured(*configured, password);
  if (sources.stored_user) {
    return check_stored(*sources.stored_user, password,
                        normalised(sources.config.effective_realm()));
  }
  if (time_limited) return check_time_limited(username, password, *time_limited, sources, now);
  return refused({},
                 "there is no such user, here or in the store, and the name is not a "
                 "time-limited one such as 1795219200:alice");
}

}  // namespace

Verdict check_credential(const std::string& username, const std::string& password,
                         const CredentialSources& sources, WallTime now) {
  const auto time_limited = auth::parse_time_limited_username(username);
  Verdict verdict = check_unrevoked(username, password, time_limited, sources, now);
  if (!verdict.is_accepted) return verdict;
  const std::string_view account =
      time_limited ? time_limited->account : std::string_view{username};
  std::string revoked = revocation_of(username, account, sources);
  return revoked.empty() ? verdict : refused(verdict.by, std::move(revoked));
}

}  // namespace turnpike::cli
