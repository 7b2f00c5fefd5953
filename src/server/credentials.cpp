#include "server/credentials.h"

#include <algorithm>

#include "net/clock.h"
#include "server/log.h"

namespace turnpike::server {

Credentials::Credentials(const Config::Auth& auth, std::string realm, store::Store* store,
                         Mailboxes& mailboxes)
    : realm_(std::move(realm)), store_(store), mailboxes_(mailboxes), auth_(auth) {
  const WallTime now = net::read_clock().wall;
  if (auto stored = read(now)) stored_ = std::move(*stored);
  rebuild(now);
}

std::shared_ptr<const auth::CredentialBook> Credentials::book() const {
  const std::lock_guard lock{mutex_};
  return book_;
}

RoomCredentials Credentials::for_rooms() const {
  const std::lock_guard lock{mutex_};
  return for_rooms_;
}

void Credentials::watch(std::function<void(const RoomCredentials&)> on_change) {
  const std::lock_guard lock{mutex_};
  on_change_ = std::move(on_change);
}

void Credentials::read_store(WallTime now) {
  const std::lock_guard lock{mutex_};
  auto stored = read(now);
  if (!stored) return;
  stored_ = std::move(*stored);
  rebuild(now);
  publish();
}

void Credentials::use(const Config::Auth& auth, WallTime now) {
  const std::lock_guard lock{mutex_};
  auth_ = auth;
  rebuild(now);
  publish();
}

void Credentials::on_time(WallTime now) {
  const std::lock_guard lock{mutex_};
  if (!boundary_ || now < *boundary_) return;
  rebuild(now);
  publish();
}

std::optional<Credentials::Stored> Credentials::read(WallTime now) {
  if (store_ == nullptr) return Stored{};
  auto secrets = store_->secrets();
  auto api_keys = store_->api_keys();
  auto revocations = store_->revocations(now);
  if (secrets && api_keys && revocations) {
    return Stored{std::move(*secrets), std::move(*api_keys), std::move(*revocations)};
  }
  const auto& error = !secrets    ? secrets.error()
                      : !api_keys ? api_keys.error()
                                  : revocations.error();
  log_event(LogLevel::error, "store_failed", {{"problem", error.sentence}});
  return std::nullopt;
}

/// With mutex_ held, or before there are threads.
void Credentials::rebuild(WallTime now) {
  auth::CredentialSettings settings;
  settings.realm = realm_;
  settings.users = auth_.users;
  settings.secrets = valid_secrets(now);
  settings.algorithms = auth_.algorithms;
  // The strongest first: a client takes the first it knows (RFC 8489 §9.2.5).
  std::sort(settings.algorithms.begin(), settings.algorithms.end(), std::greater<>{});
  for (const store::Revocation& each : stored_.revocations) {
    settings.revocations.push_back({each.name, each.kind == store::RevokedName::account,
                                    each.until.value_or(WallTime::max())});
  }
  book_ = std::make_shared<const auth::CredentialBook>(settings);

  for_rooms_ = {};
  const auto* const signing = store::signing_secret(stored_.secrets, now);
  const bool is_configured =
      !auth_.secrets.empty() && auth_.secrets.front().id != makeshift_secret_id;
  if (signing != nullptr && !is_configured) {
    for_rooms_.signing_secret = signing->value;
  } else if (!auth_.secrets.empty()) {
    for_rooms_.signing_secret = auth_.secrets.front().value;
  }
  for (const auth::Secret& key : auth_.api_keys) for_rooms_.api_keys.push_back({key.id, key.value});
  for (const store::StoredApiKey& key : stored_.api_keys) {
    for_rooms_.api_keys.push_back({key.id, key.signing});
  }
  boundary_ = next_boundary(now);
}

/// With mutex_ held.
void Credentials::publish() {
  for (const turn::WorkerId worker : mailboxes_.tell_all(BookLetter{book_})) {
    log_event(LogLevel::error, "credentials_not_delivered",
              {{"worker", static_cast<std::size_t>(worker)}});
  }
  if (on_change_) on_change_(for_rooms_);
}

/// Those of the configuration first: the first of them signs.
std::vector<auth::Secret> Credentials::valid_secrets(WallTime now) const {
  std::vector<auth::Secret> secrets = auth_.secrets;
  for (const store::StoredSecret& secret : stored_.secrets) {
    if (secret.is_valid_at(now)) secrets.push_back({secret.id, secret.value});
  }
  return secrets;
}

std::optional<WallTime> Credentials::next_boundary(WallTime now) const {
  std::optional<WallTime> next;
  const auto consider = [&](WallTime time) {
    if (time > now && (!next || time < *next)) next = time;
  };
  for (const store::StoredSecret& secret : stored_.secrets) {
    consider(secret.not_before);
    if (secret.not_after) consider(*secret.not_after);
  }
  return next;
}

}  // namespace turnpike::server
