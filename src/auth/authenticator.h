// The long-term credential mechanism: decides who sent a request (RFC 8489 §9.2.4).
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "auth/credential_book.h"
#include "auth/failure_limit.h"
#include "auth/name_cache.h"
#include "auth/nonce.h"
#include "auth/user_answer.h"
#include "base/endpoint.h"
#include "stun/builder.h"
#include "stun/message.h"

namespace turnpike::auth {

/// Which attribute signs the response (RFC 8489 §9.2.4, last paragraph).
enum class ResponseIntegrity : std::uint8_t { sha1, sha256 };

/// An authenticated sender. Views and pointer are valid until the next call of the authenticator
/// and while the message's bytes are.
struct Principal {
  std::string_view username;  ///< what RFC 8656 §5 compares for 441
  std::string_view account;   ///< what quotas count: the user part of a time-limited name
  const stun::IntegrityKey* key;
  ResponseIntegrity integrity;
  UserLimits limits{};
  bool is_room_member = false;  ///< of a room of this server's, with a connection to each other

  /// Signs a response to this principal.
  void sign(stun::MessageBuilder& response) const;
};

/// Why a request was not let through.
enum class Denial : std::uint8_t {
  no_credentials,  ///< 401, the ordinary first answer
  incomplete,      ///< 400: integrity without USERNAME/USERHASH, REALM or NONCE
  oversized,       ///< 400: USERNAME, REALM or NONCE beyond 763 bytes
  bad_algorithms,  ///< 400: PASSWORD-ALGORITHM(S) do not add up: somebody bids us down
  unknown_user,    ///< 401
  expired_user,    ///< 401: the time-limited username is over, or too far ahead
  revoked_user,    ///< 401: the operator does not want to see that name any more
  wrong_password,  ///< 401
  stale_nonce,     ///< 438
  throttled,       ///< no answer: the source has failed too often to be that user
};

/// The error code that answers a denial; of one that is not answered: 401.
[[nodiscard]] stun::ErrorCode error_code_of(Denial denial);
/// True for 401 and 438, which carry REALM, NONCE and PASSWORD-ALGORITHMS.
[[nodiscard]] bool is_challenge(Denial denial);

/// Nothing is known of the user of this request yet. Ask for the name, remember() the answer, and
/// check the request again. Asked only for requests with a nonce of ours: whoever forges his
/// address causes no questions.
struct UserWanted {
  std::string_view username;  ///< points into the message
};

/// Which time-limited usernames are refused for their time. What lives must not end because
/// somebody has set the wall clock back: too far ahead is only what comes with a new allocation.
enum class ExpiryRule : std::uint8_t {
  enforce,   ///< what has run out, or is too far ahead: for new allocations
  only_end,  ///< what has run out: for the upkeep of existing ones with `strict_expiry`
  tolerate,  ///< none: for their upkeep without
};

/// Checks requests. One per worker; the book is shared.
class Authenticator {
 public:
  struct Settings {
    NonceIssuer::Key nonce_key;  ///< the same for all workers
    seconds nonce_lifetime{600};
    HashSeed hash_seed;
    std::size_t cached_keys = 4096;
    bool asks_for_users = false;                 ///< there are users that are not in the book
    seconds clock_skew{30};                      ///< grace for expiry times
    seconds max_credential_age{86400};           ///< a time-limited username may not outlive this
    std::uint32_t max_failures_per_minute = 10;  ///< of a source as one user; 0: no limit
  };

  /// `book` must outlive the authenticator, or be exchanged before its end.
  Authenticator(const CredentialBook& book, const Settings& settings);

  /// Runs the checks of RFC 8489 §9.2.4 in their order. Nothing is remembered of a sender whose
  /// integrity is not proved but how often it failed to be (FailureLimit). `owner`: the user who
  /// has an allocation on this five-tuple, if any; nobody's failures make him be silenced there.
  [[nodiscard]] std::variant<Principal, Denial, UserWanted> check(const stun::MessageView& request,
                                                                  const Endpoint& client, Now now,
                                                                  ExpiryRule expiry,
                                                                  std::string_view owner = {});

  /// Exchanges the book. What was derived from the old one is forgotten.
  void use(const CredentialBook& book);
  /// Keeps the answer to UserWanted until it runs out, or until many others have come.
  void remember(std::string_view username, UserAnswer answer);
  /// The answers are not true any more.
  void forget_answers() { answers_.clear(); }
  /// True for users that are not asked for, whatever anybody says of that name.
  [[nodiscard]] bool has_in_book(std::string_view username) const {
    return book_->has_static_user(username);
  }

  /// Puts REALM, NONCE and PASSWORD-ALGORITHMS into a 401 or 438.
  void put_challenge(stun::MessageBuilder& response, const Endpoint& client, Instant now) const;

 private:
  struct Claim;

  [[nodiscard]] std::optional<Denial> read_claim(const stun::MessageView& request,
                                                 Claim& claim) const;
  [[nodiscard]] std::optional<Denial> read_algorithm(const stun::MessageView& request,
                                                     Claim& claim) const;
  [[nodiscard]] std::optional<Denial> check_failures(const Claim& claim, const Endpoint& client,
                                                     Instant now) const;
  void count_failure(const Claim& claim, const Endpoint& client, Instant now);
  [[nodiscard]] std::optional<Denial> check_account(Claim& claim, Now now, ExpiryRule expiry);
  [[nodiscard]] std::optional<Denial> check_time_limited(Claim& claim, const TimeLimitedUser& user,
                                                         Now now, ExpiryRule expiry) const;
  [[nodiscard]] std::optional<Denial> check_answer(Claim& claim, Instant now);
  [[nodiscard]] const stun::IntegrityKey* matching_key(const stun::MessageView& request,
                                                       const Claim& claim);
  [[nodiscard]] const stun::IntegrityKey* matching_derived_key(const stun::MessageView& request,
                                                               const Claim& claim);
  [[nodiscard]] bool is_offered_list(ByteView list) const;
  [[nodiscard]] bool offers(std::uint16_t algorithm) const;

  const CredentialBook* book_;
  NonceIssuer::Key nonce_key_;
  seconds nonce_lifetime_;
  NonceIssuer nonces_;
  NameCache<UserKeys> derived_;    // of time-limited users who have proved that they hold them
  NameCache<UserAnswer> answers_;  // about users that are not in the book
  FailureLimit failures_;
  bool asks_for_users_;
  stun::IntegrityKey decoy_;  // verified against for unknown users, so that they cost the same time
  seconds clock_skew_;
  seconds max_credential_age_;
};

}  // namespace turnpike::auth
