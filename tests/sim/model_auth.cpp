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
constexpr seconds minute{60};

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

/// A host, or a customer's network where hosts are many: a /32, or a /64.
std::string source_of(const IpAddress& address) {
  const ByteView bytes = address.bytes();
  return std::string{text_of(bytes.first(std::min<std::size_t>(bytes.size(), 8)))};
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

/// What is missing or too long, before anything is looked up (§9.2.4).
int Model::find_flaw(const wire::Message& message) {
  if (!message.integrity && !message.integrity_sha256) return 401;
  const Bytes* const name = message.find(attribute_username);
  const Bytes* const hash = message.find(attribute_userhash);
  const Bytes* const its_realm = message.find(attribute_realm);
  const Bytes* const its_nonce = message.find(attribute_nonce);
  if ((name == nullptr) == (hash == nullptr) || its_realm == nullptr || its_nonce == nullptr) {
    return 400;
  }
  for (const Bytes* const text : {name, its_realm, its_nonce}) {
    if (text != nullptr && text->size() > longest_text) return 400;
  }
  return 0;
}

/// Empty: a hash that is nobody's.
std::string Model::name_in(const wire::Message& message) const {
  const Bytes* const hash = message.find(attribute_userhash);
  if (hash == nullptr) return message.text(attribute_username);
  for (const auth::StaticUser& user : book_.users) {
    const auto digest = auth::userhash(user.name, realm);
    if (Bytes(digest.begin(), digest.end()) == *hash) return user.name;
  }
  return {};
}

Model::Identity Model::identify(const Request& request, bool is_upkeep, const std::string& owner) {
  const wire::Message& message = request.message;
  Identity identity;
  const auto denied = [&](int code) {
    identity.kind = Identity::Kind::denied;
    identity.code = code;
    return identity;
  };
  if (const int code = find_flaw(message)) return denied(code);

  // Bid-down: what the client says it was offered must be what was offered.
  const std::string nonce = message.text(attribute_nonce);
  unsigned algorithm = md5_number;
  const Bytes* const chosen = message.find(attribute_password_algorithm);
  const Bytes* const list = message.find(attribute_password_algorithms);
  if (chosen != nullptr || list != nullptr) {
    const unsigned wanted = algorithm_in(chosen);
    const bool is_possible = list != nullptr && (wanted == md5_number || wanted == sha256_number);
    const bool has_our_cookie = nonce.substr(0, cookie_size) == cookie();
    if (has_our_cookie && !(is_possible && *list == offered())) return denied(400);
    if (is_possible) {
      algorithm = wanted;
      identity.signer.is_sha256 = true;
    }
  }

  // Who guesses is not answered, unless he is at home here; who guesses without a nonce of ours
  // learns nothing (docs/adr/0045).
  const Instant now = request.now.instant;
  const Endpoint& client = request.flow.tuple.client;
  const bool has_own_nonce = is_fresh(nonce, client, now);
  const Bytes* const name = message.find(attribute_username);
  const Bytes& claimed = name != nullptr ? *name : *message.find(attribute_userhash);
  const auto suspect = [&](bool with_nonce) {
    return Suspect{request.worker, source_of(client.address), claimed, with_nonce};
  };
  identity.username = name_in(message);
  identity.account = identity.username;
  const bool is_owner = !owner.empty() && identity.username == owner;
  if (!is_owner && has_failed_too_often(suspect(true), now)) {
    identity.kind = Identity::Kind::silenced;
    return identity;
  }
  if (!is_owner && !has_own_nonce && has_failed_too_often(suspect(false), now)) return denied(438);

  judge_login(request, is_upkeep, identity, algorithm);
  const bool is_asked = identity.kind == Identity::Kind::asked;
  if (!identity.is_proven && !is_asked && !is_owner) count_failure(suspect(has_own_nonce), now);
  if (!is_asked && identity.kind != Identity::Kind::known) return identity;
  if (!has_own_nonce) return denied(438);
  if (!is_asked) failures_.erase(suspect(true));
  return identity;
}

/// Whose name it is, and whether the message is signed with its password.
void Model::judge_login(const Request& request, bool is_upkeep, Identity& identity,
                        unsigned algorithm) {
  const std::string& username = identity.username;
  identity.code = 401;
  identity.kind = Identity::Kind::no_such_login;
  if (username.empty()) return;
  const WallTime wall = request.now.wall;
  const auto is_revoked = [&](const std::string& account) {
    return std::any_of(book_.revocations.begin(), book_.revocations.end(), [&](const auto& entry) {
      return entry.name == account && entry.until > wall;
    });
  };
  bool is_refused = is_revoked(username);
  std::vector<Bytes> candidates;
  const auto user = std::find_if(book_.users.begin(), book_.users.end(),
                                 [&](const auto& each) { return each.name == username; });
  const auto limited = auth::parse_time_limited_username(username);
  if (user != book_.users.end()) {
    candidates.push_back(key_of(algorithm, username, user->password));
  } else if (limited && !book_.secrets.empty()) {
    identity.account = std::string{limited->account};
    // What lives lives on when the clock is set back, and usually past the end of the credential.
    const bool is_too_far = limited->expires > wall + oldest_credential + clock_skew && !is_upkeep;
    const bool is_over = limited->expires + clock_skew < wall;
    const bool ends = is_over && !(is_upkeep && !settings_.strict_expiry);
    is_refused = is_revoked(identity.account) || is_too_far || ends;
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
    if (identity.is_proven || !proves(request.message, key)) continue;
    identity.is_proven = true;
    identity.signer.key = key;
  }
  if (is_refused) {
    identity.kind = Identity::Kind::denied;
  } else if (identity.is_proven) {
    identity.kind = Identity::Kind::known;
    identity.code = 0;
  }
}

// --- limits for strangers ------------------------------------------------------------------------

bool Model::has_failed_too_often(const Suspect& suspect, Instant now) const {
  const auto found = failures_.find(suspect);
  return settings_.max_failures > 0 && found != failures_.end() &&
         found->second.count >= settings_.max_failures && now < found->second.since + minute;
}

/// So many within a minute from the first one; the last one begins the minute of silence.
void Model::count_failure(const Suspect& suspect, Instant now) {
  if (settings_.max_failures == 0) return;
  Failures& failures = failures_[suspect];
  if (failures.count == 0 || failures.since + minute <= now) failures = {0, now};
  ++failures.count;
  if (failures.count >= settings_.max_failures) failures = {settings_.max_failures, now};
}

void Model::Budget::fill(std::uint32_t rate, Instant now) {
  const std::chrono::duration<double> elapsed = now - filled;
  tokens = std::min<double>(rate, tokens + elapsed.count() * rate);
  filled = now;
}

bool Model::note_expense(Expense expense, turn::WorkerId worker, const IpAddress& source,
                         bool is_answered, Instant now) {
  const std::uint32_t rate = limits_.challenge_rate;
  if (rate == 0) return is_answered;
  const Budget full{static_cast<double>(rate), now};
  Budget& budget = budgets_.try_emplace({expense, worker, network_of(source)}, full).first->second;
  Budget& least = least_budgets_.try_emplace({expense, worker}, full).first->second;
  budget.fill(rate, now);
  least.fill(rate, now);
  if (!is_answered) return least.tokens < 1;
  budget.tokens -= 1;
  least.tokens -= 1;
  return budget.tokens >= 0;
}

void Model::set_limits(const turn::Limits& limits) {
  limits_ = limits;
  for (auto& [whose, least] : least_budgets_) least.tokens = std::min<double>(least.tokens, 0);
}

// --- users who are asked for ---------------------------------------------------------------------

void Model::on_user_known(turn::WorkerId worker, const std::string& username, bool exists,
                          Instant until) {
  answers_[{worker, username}] = {exists, until};
}

Verdict Model::on_user_unanswered(turn::WorkerId worker, const turn::ClientFlow& flow) {
  Verdict verdict;
  if (find(worker, flow.tuple) == nullptr) release(flow, worker, verdict);
  return verdict;
}

}  // namespace turnpike::sim
