#include "auth/authenticator.h"

namespace turnpike::auth {
namespace {

using stun::AttributeType;
using stun::PasswordAlgorithm;

constexpr std::size_t max_text_bytes = 763;  // RFC 8489 §14.3, §14.9, §14.10

bool integrity_matches(const stun::MessageView& request, const stun::IntegrityKey& key) {
  // If the SHA-256 attribute is present, it alone decides (§9.2.4).
  if (request.message_integrity_sha256()) {
    return stun::verify_message_integrity_sha256(request, key.sha256);
  }
  return stun::verify_message_integrity(request, key.sha1);
}

SecurityFeatures features_of(const CredentialBook& book, bool asks_for_users) {
  // A client that sees the anonymity bit sends USERHASH, from which a time-limited username cannot
  // be recovered: so it is offered only where all users are known by name.
  const bool knows_all = book.has_static_users() && !book.has_secrets() && !asks_for_users;
  return {.password_algorithms = true, .username_anonymity = knows_all};
}

}  // namespace

/// What a request says about its sender, not yet believed.
struct Authenticator::Claim {
  std::string_view username;  // empty: a USERHASH that nobody has
  ByteView name;              // USERNAME or USERHASH as it came
  std::string_view account;
  std::string_view nonce;
  PasswordAlgorithm algorithm = PasswordAlgorithm::md5;
  bool algorithm_was_explicit = false;
  bool is_time_limited = false;
  const UserAnswer* answer = nullptr;  // of a user who is not in the book
  bool is_wanted = false;              // nothing is known of the user yet
  FailureLimit::Suspects suspects{};   // whom a failure counts against
};

void Principal::sign(stun::MessageBuilder& response) const {
  if (integrity == ResponseIntegrity::sha256) {
    response.put_message_integrity_sha256(key->sha256);
  } else {
    response.put_message_integrity(key->sha1);
  }
}

stun::ErrorCode error_code_of(Denial denial) {
  switch (denial) {
    case Denial::incomplete:
    case Denial::oversized:
    case Denial::bad_algorithms:
      return stun::ErrorCode::bad_request;
    case Denial::stale_nonce:
      return stun::ErrorCode::stale_nonce;
    case Denial::no_credentials:
    case Denial::unknown_user:
    case Denial::expired_user:
    case Denial::revoked_user:
    case Denial::wrong_password:
    case Denial::throttled:
      break;
  }
  return stun::ErrorCode::unauthenticated;
}

bool is_challenge(Denial denial) { return error_code_of(denial) != stun::ErrorCode::bad_request; }

Authenticator::Authenticator(const CredentialBook& book, const Settings& settings)
    : book_(&book),
      nonce_key_(settings.nonce_key),
      nonce_lifetime_(settings.nonce_lifetime),
      nonces_(nonce_key_, nonce_lifetime_, features_of(book, settings.asks_for_users)),
      derived_(settings.cached_keys, settings.hash_seed),
      answers_(settings.asks_for_users ? settings.cached_keys : 0, settings.hash_seed),
      failures_(settings.max_failures_per_minute, settings.hash_seed),
      asks_for_users_(settings.asks_for_users),
      decoy_(settings.nonce_key),
      clock_skew_(settings.clock_skew),
      max_credential_age_(settings.max_credential_age) {}

void Authenticator::use(const CredentialBook& book) {
  book_ = &book;
  nonces_ = NonceIssuer{nonce_key_, nonce_lifetime_, features_of(book, asks_for_users_)};
  derived_.clear();
}

void Authenticator::remember(std::string_view username, UserAnswer answer) {
  answers_.insert(username, std::move(answer));
}

std::variant<Principal, Denial, UserWanted> Authenticator::check(const stun::MessageView& request,
                                                                 const Endpoint& client, Now now,
                                                                 ExpiryRule expiry,
                                                                 std::string_view owner) {
  if (!request.message_integrity() && !request.message_integrity_sha256()) {
    return Denial::no_credentials;
  }
  Claim claim;
  if (const auto denial = read_claim(request, claim)) return *denial;
  if (const auto denial = read_algorithm(request, claim)) return *denial;
  claim.suspects = failures_.suspects(client.address, claim.name);
  const bool is_owner = !owner.empty() && claim.username == owner;
  if (!is_owner) {
    if (const auto denial = check_failures(claim, client, now.instant)) return *denial;
  }

  // Who does not exist or is over is told so only after a MAC has been computed all the same.
  const auto account_denial = check_account(claim, now, expiry);
  if (claim.is_wanted) {
    const bool is_fresh = nonces_.is_valid(claim.nonce, client, now.instant);
    if (!is_fresh) return Denial::stale_nonce;
    return UserWanted{claim.username};
  }
  const stun::IntegrityKey* key = matching_key(request, claim);
  if (key == nullptr && !is_owner) count_failure(claim, client, now.instant);
  if (account_denial) return *account_denial;
  if (key == nullptr) return Denial::wrong_password;
  if (!nonces_.is_valid(claim.nonce, client, now.instant)) return Denial::stale_nonce;
  failures_.forget(claim.suspects.with_own_nonce);

  const auto integrity =
      claim.algorithm_was_explicit ? ResponseIntegrity::sha256 : ResponseIntegrity::sha1;
  return Principal{claim.username,
                   claim.account,
                   key,
                   integrity,
                   claim.answer != nullptr ? claim.answer->limits : UserLimits{},
                   claim.is_time_limited && is_room_member(claim.account)};
}

void Authenticator::put_challenge(stun::MessageBuilder& response, const Endpoint& client,
                                  Instant now) const {
  response.put_text(AttributeType::realm, book_->realm())
      .put_text(AttributeType::nonce, nonces_.issue(client, now).text())
      .put_password_algorithms(book_->algorithms());
}

/// USERNAME or USERHASH, REALM and NONCE: all there, and of a size that can be (§9.2.4).
std::optional<Denial> Authenticator::read_claim(const stun::MessageView& request,
                                                Claim& claim) const {
  const auto username = request.find(AttributeType::username);
  const auto hash = request.find(AttributeType::userhash);
  const auto realm = request.find(AttributeType::realm);
  const auto nonce = request.find(AttributeType::nonce);
  const bool exactly_one_name = username.has_value() != hash.has_value();
  if (!exactly_one_name || !realm || !nonce) return Denial::incomplete;
  if (realm->size() > max_text_bytes || nonce->size() > max_text_bytes) return Denial::oversized;
  if (username && username->size() > max_text_bytes) return Denial::oversized;
  claim.nonce = text_of(*nonce);
  claim.name = username ? *username : *hash;
  claim.username = username ? text_of(*username) : book_->username_of(*hash).value_or("");
  claim.account = claim.username;
  return std::nullopt;
}

/// PASSWORD-ALGORITHM and PASSWORD-ALGORITHMS against what was offered: the bid-down check
/// (§9.2.4). What counts is what this server offers, never the feature bits that a client echoes.
std::optional<Denial> Authenticator::read_algorithm(const stun::MessageView& request,
                                                    Claim& claim) const {
  const auto chosen = request.find(AttributeType::password_algorithm);
  const auto list = request.find(AttributeType::password_algorithms);
  if (!chosen && !list) {
    claim.algorithm = PasswordAlgorithm::md5;
    if (offers(static_cast<std::uint16_t>(claim.algorithm))) return std::nullopt;
    return Denial::no_credentials;  // a client too old for this server: the challenge says why
  }
  constexpr std::uint16_t reserved = 0;  // never offered (§18.5)
  const std::uint16_t algorithm =
      chosen ? stun::decode_password_algorithm(*chosen).value_or(reserved) : reserved;
  const bool is_possible = list && offers(algorithm);
  // A nonce without our cookie came with no offer to compare with, and will be found stale.
  if (nonces_.has_own_cookie(claim.nonce) && !(is_possible && is_offered_list(*list))) {
    return Denial::bad_algorithms;
  }
  if (!is_possible) return std::nullopt;
  claim.algorithm = static_cast<PasswordAlgorithm>(algorithm);
  claim.algorithm_was_explicit = true;
  return std::nullopt;
}

/// A source that has failed too often to be that user gets no answer for a while, not even to the
/// right password. Failures without a valid nonce may have come from anybody, so they silence
/// nobody: their only consequence is that the nonce is looked at first, and 438 tells nothing.
std::optional<Denial> Authenticator::check_failures(const Claim& claim, const Endpoint& client,
                                                    Instant now) const {
  const auto& [with_own_nonce, without] = claim.suspects;
  if (failures_.is_reached(with_own_nonce, now)) return Denial::throttled;
  const bool is_doubtful = failures_.is_reached(without, now);
  if (is_doubtful && !nonces_.is_valid(claim.nonce, client, now)) return Denial::stale_nonce;
  return std::nullopt;
}

void Authenticator::count_failure(const Claim& claim, const Endpoint& client, Instant now) {
  const bool has_own_nonce = nonces_.is_valid(claim.nonce, client, now);
  failures_.count(has_own_nonce ? claim.suspects.with_own_nonce : claim.suspects.without, now);
}

/// Whose the name is: a user's in the book, a time-limited one, or one to ask for, in this order.
std::optional<Denial> Authenticator::check_account(Claim& claim, Now now, ExpiryRule expiry) {
  if (claim.username.empty()) return Denial::unknown_user;
  if (book_->is_revoked(claim.username, claim.username, now.wall)) return Denial::revoked_user;
  // Read before it is needed: who has a name that nobody has is not to wait longer for it.
  const auto user = parse_time_limited_username(claim.username);
  if (book_->static_key(claim.username, claim.algorithm) != nullptr) return std::nullopt;
  if (user && book_->has_secrets()) return check_time_limited(claim, *user, now, expiry);
  return asks_for_users_ ? check_answer(claim, now.instant) : Denial::unknown_user;
}

std::optional<Denial> Authenticator::check_time_limited(Claim& claim, const TimeLimitedUser& user,
                                                        Now now, ExpiryRule expiry) const {
  claim.is_time_limited = true;
  claim.account = user.account;
  if (book_->is_revoked(claim.username, claim.account, now.wall)) return Denial::revoked_user;
  const bool is_too_early = user.expires > now.wall + max_credential_age_ + clock_skew_;
  if (is_too_early && expiry == ExpiryRule::enforce) return Denial::expired_user;
  const bool is_over = user.expires + clock_skew_ < now.wall;
  if (is_over && expiry != ExpiryRule::tolerate) return Denial::expired_user;
  return std::nullopt;
}

std::optional<Denial> Authenticator::check_answer(Claim& claim, Instant now) {
  const UserAnswer* const answer = answers_.find(claim.username);
  if (answer == nullptr || answer->valid_until <= now) {
    claim.is_wanted = true;
    return std::nullopt;
  }
  if (!answer->keys) return Denial::unknown_user;
  claim.answer = answer;
  return std::nullopt;
}

/// The key under which the integrity attribute is right; null when there is none.
const stun::IntegrityKey* Authenticator::matching_key(const stun::MessageView& request,
                                                      const Claim& claim) {
  if (claim.is_time_limited) return matching_derived_key(request, claim);
  const auto* key = claim.answer != nullptr ? claim.answer->keys->of(claim.algorithm)
                                            : book_->static_key(claim.username, claim.algorithm);
  const bool matches = integrity_matches(request, key != nullptr ? *key : decoy_);
  return matches ? key : nullptr;
}

const stun::IntegrityKey* Authenticator::matching_derived_key(const stun::MessageView& request,
                                                              const Claim& claim) {
  UserKeys* const cached = derived_.find(claim.username);
  const auto* const known = cached != nullptr ? cached->of(claim.algorithm) : nullptr;
  if (known != nullptr && integrity_matches(request, *known)) return known;
  // Not the last word: two issuers with different secrets may mint the same username.
  for (std::size_t i = 0; i < book_->secret_count(); ++i) {
    const auto key = book_->time_limited_key(i, claim.username, claim.algorithm);
    if (!integrity_matches(request, key)) continue;
    UserKeys& keys = cached != nullptr ? *cached : derived_.insert(claim.username, {});
    return &keys.set(claim.algorithm, key);
  }
  return nullptr;
}

/// Is `list` byte for byte the PASSWORD-ALGORITHMS that this server sends?
bool Authenticator::is_offered_list(ByteView list) const {
  std::array<std::uint8_t, 128> buffer{};
  stun::MessageBuilder offer{buffer, stun::Class::indication, stun::Method::binding, {}};
  offer.put_password_algorithms(book_->algorithms());
  const ByteView offered = offer.bytes().subspan(stun::header_bytes + 4);
  return std::equal(list.begin(), list.end(), offered.begin(), offered.end());
}

bool Authenticator::offers(std::uint16_t algorithm) const {
  const auto& offered = book_->algorithms();
  return std::any_of(offered.begin(), offered.end(), [algorithm](PasswordAlgorithm a) {
    return static_cast<std::uint16_t>(a) == algorithm;
  });
}

}  // namespace turnpike::auth
