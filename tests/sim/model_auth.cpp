// Who sent a request (RFC 8489 §9.2.4), in the model's words.
#include <algorithm>

#include "auth/credentials.h"
#include "sim/model.h"

namespace turnpike::sim {
namespace {

constexpr unsigned attribute_username = 0x0006;
constexpr unsigned attribute_realm = 0x0014;
constexpr unsigned attribute_nonce = 0x0015;
constexpr unsigned attribute_password_algorithm = 0x001D;
constexpr unsigned attribute_userhash = 0x001E;
constexpr unsigned attribute_password_algorithms = 0x8002;
constexpr unsigned md5_number = 1;
constexpr unsigned sha256_number = 2;
constexpr std::size_t longest_text = 763;
constexpr std::size_t cookie_size = 13;
constexpr seconds clock_skew{30};
constexpr seconds oldest_credential{86400};

/// SHA-256, then MD5, as the server offers them (§14.11).
const Bytes& offered() {
  static const Bytes list{0, sha256_number, 0, 0, 0, md5_number, 0, 0};
  return list;
}

/// PASSWORD-ALGORITHM's number; 0, which nobody offers, when it is malformed (§14.12).
unsigned algorithm_in(const Bytes* value) {
  if (value == nullptr || value->size() < 4) return 0;
  const auto size = static_cast<std::size_t>(wire::number(ByteView{*value}.subspan(2, 2)));
  const std::size_t padded = (size + 3) / 4 * 4;
  if (value->size() != 4 + size && value->size() != 4 + padded) return 0;
  return static_cast<unsigned>(wire::number(ByteView{*value}.first(2)));
}

}  // namespace

/// §9.2, in both readings of the order of its bits (docs/adr/0005). Names are hidden by hashes only
/// where all of them are known.
std::string Model::cookie() const {
  const bool knows_all = !book_.users.empty() && book_.secrets.empty() && !settings_.asks_for_users;
  return std::string{"obMatJos2"} + (knows_all ? "wAAD" : "gAAB");
}

void Model::learn_nonce(const std::string& nonce, const Endpoint& client, Instant now) {
  const auto second = std::chrono::duration_cast<seconds>(now.time_since_epoch()).count();
  nonces_[nonce] = {client, second};
}

bool Model::is_fresh(const std::string& nonce, const Endpoint& client, Instant now) const {
  const auto found = nonces_.find(nonce);
  if (found == nonces_.end() || nonce.substr(0, cookie_size) != cookie()) return false;
  const auto second = std::chrono::duration_cast<seconds>(now.time_since_epoch()).count();
  return found->second.first == client &&
         second - found->second.second <= settings_.nonce_lifetime.count();
}

const Bytes& Model::key_of(unsigned algorithm, const std::string& username,
                           const std::string& password) {
  Bytes& key = keys_[std::to_string(algorithm) + username + ' ' + password];
  if (key.empty()) {
    key = auth::long_term_key(
        algorithm == md5_number ? stun::PasswordAlgorithm::md5 : stun::PasswordAlgorithm::sha256,
        username, realm, password);
  }
  return key;
}

/// "If the MESSAGE-INTEGRITY-SHA256 attribute is present", it alone decides. No truncation.
bool Model::proves(const wire::Message& message, const Bytes& key) const {
  if (message.integrity_sha256) {
    const auto mac = HmacSha256Key{key}.mac({message.covered_sha256});
    return std::equal(mac.begin(), mac.end(), message.integrity_sha256->begin(),
                      message.integrity_sha256->end());
  }
  const auto mac = HmacSha1Key{key}.mac({message.covered});
  return std::equal(mac.begin(), mac.end(), message.integrity->begin(), message.integrity->end());
}

Model::Identity Model::identify(const Request& request, bool tolerates_expiry) {
  const wire::Message& message = request.message;
  Identity identity;
  const auto denied = [&](int code) {
    identity.kind = Identity::Kind::denied;
    identity.code = code;
    return identity;
  };
  if (!message.integrity && !message.integrity_sha256) return denied(401);
  const Bytes* const name = message.find(attribute_username);
  const Bytes* const hash = message.find(attribute_userhash);
  const Bytes* const its_realm = message.find(attribute_realm);
  const Bytes* const its_nonce = message.find(attribute_nonce);
  if ((name == nullptr) == (hash == nullptr) || its_realm == nullptr || its_nonce == nullptr) {
    return denied(400);
  }
  for (const Bytes* const text : {name, its_realm, its_nonce}) {
    if (text != nullptr && text->size() > longest_text) return denied(400);
  }
  const std::string nonce = message.text(attribute_nonce);

  // Bid-down: what the client says it was offered must be what was offered.
  unsigned algorithm = md5_number;
  bool is_explicit = false;
  const Bytes* const chosen = message.find(attribute_password_algorithm);
  const Bytes* const list = message.find(attribute_password_algorithms);
  if (chosen != nullptr || list != nullptr) {
    const unsigned wanted = algorithm_in(chosen);
    const bool is_possible = list != nullptr && (wanted == md5_number || wanted == sha256_number);
    const bool has_our_cookie = nonce.substr(0, cookie_size) == cookie();
    if (has_our_cookie && !(is_possible && *list == offered())) return denied(400);
    if (is_possible) {
      algorithm = wanted;
      is_explicit = true;
    }
  }

  if (name != nullptr) {
    identity.username = message.text(attribute_username);
  } else {
    for (const auth::StaticUser& user : book_.users) {
      const auto digest = auth::userhash(user.name, realm);
      if (Bytes(digest.begin(), digest.end()) == *hash) identity.username = user.name;
    }
  }
  identity.account = identity.username;
  judge_login(request, tolerates_expiry, identity, algorithm, is_explicit);
  if (identity.kind == Identity::Kind::denied || identity.kind == Identity::Kind::no_such_login) {
    return identity;
  }
  if (is_fresh(nonce, request.flow.tuple.client, request.now.instant)) return identity;
  identity.kind = Identity::Kind::denied;
  identity.code = 438;
  return identity;
}

/// Whose name it is, and whether the message is signed with its password.
void Model::judge_login(const Request& request, bool tolerates_expiry, Identity& identity,
                        unsigned algorithm, bool is_explicit) {
  const std::string& username = identity.username;
  std::vector<Bytes> candidates;
  identity.code = 401;
  identity.kind = Identity::Kind::no_such_login;
  if (username.empty()) return;
  const auto is_revoked = [&](const std::string& account) {
    return std::any_of(book_.revocations.begin(), book_.revocations.end(), [&](const auto& entry) {
      return entry.name == account && entry.until > request.now.wall;
    });
  };
  if (is_revoked(username)) {
    identity.kind = Identity::Kind::denied;
    return;
  }
  const auto user = std::find_if(book_.users.begin(), book_.users.end(),
                                 [&](const auto& each) { return each.name == username; });
  const auto limited = auth::parse_time_limited_username(username);
  if (user != book_.users.end()) {
    candidates.push_back(key_of(algorithm, username, user->password));
  } else if (limited && !book_.secrets.empty()) {
    identity.account = std::string{limited->account};
    const bool is_too_far = limited->expires > request.now.wall + oldest_credential + clock_skew;
    const bool is_over = limited->expires + clock_skew < request.now.wall && !tolerates_expiry;
    if (is_revoked(identity.account) || is_too_far || is_over) {
      identity.kind = Identity::Kind::denied;
      return;
    }
    if (auth::is_room_member(identity.account)) {
      identity.max_allocations = limits_.max_allocations_per_member;
    }
    for (const auth::Secret& each : book_.secrets) {
      candidates.push_back(
          key_of(algorithm, username, auth::time_limited_password(each.value, username)));
    }
  } else if (settings_.asks_for_users) {
    const auto answer = answers_.find({request.worker, username});
    if (answer == answers_.end() || answer->second.until <= request.now.instant) {
      identity.kind = Identity::Kind::asked;
      return;
    }
    if (!answer->second.exists) return;
    candidates.push_back(key_of(algorithm, username, asked_password(username).value()));
    identity.max_allocations = asked_limits(username).max_allocations;
  }
  for (const Bytes& key : candidates) {
    if (!proves(request.message, key)) continue;
    identity.kind = Identity::Kind::known;
    identity.code = 0;
    identity.signer = {key, is_explicit};
    return;
  }
}

void Model::on_user_known(turn::WorkerId worker, const std::string& username, bool exists,
                          Instant until) {
  answers_[{worker, username}] = {exists, until};
}

bool Model::spend_challenge(const IpAddress& source, Instant now) {
  const std::uint32_t rate = limits_.challenge_rate;
  if (rate == 0) return true;
  const auto [at, is_new] =
      challenges_.try_emplace(network_of(source), Budget{static_cast<double>(rate), now});
  Budget& budget = at->second;
  const std::chrono::duration<double> elapsed = now - budget.filled;
  budget.tokens = std::min<double>(rate, budget.tokens + elapsed.count() * rate);
  budget.filled = now;
  if (budget.tokens < 1) return false;
  budget.tokens -= 1;
  return true;
}

}  // namespace turnpike::sim
