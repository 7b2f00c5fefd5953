#include "auth/hook_cache.h"

namespace turnpike::auth {

HookCache::Decision HookCache::on_question(std::string_view username, Instant now) {
  const Known* const known = known_.find(username);
  if (known != nullptr && known->answer.valid_until > now) return {Step::answer, known->answer};
  if (is_asking(now)) {
    // One question at a time tries whether the pause is over.
    if (paused_until_) paused_until_ = now + settings_.pause;
    return {Step::ask};
  }
  if (const auto old = stand_in(username, now)) return {Step::answer, *old};
  return {Step::fail};
}

UserAnswer HookCache::on_answer(std::string_view username, std::optional<UserKeys> keys,
                                const UserLimits& limits, std::optional<seconds> ttl, Instant now) {
  failures_ = 0;
  paused_until_.reset();
  const seconds most = keys ? settings_.ttl : settings_.negative_ttl;
  const seconds lifetime = std::clamp(ttl.value_or(most), seconds{0}, most);
  UserAnswer answer{std::move(keys), limits, now + lifetime};
  const seconds stale = answer.keys ? settings_.stale_ttl : seconds{0};
  known_.insert(username, {answer, answer.valid_until + stale});
  if (answer.keys) {
    stands_in_until_ = std::max(stands_in_until_, answer.valid_until + stale);
  }
  // Whoever waits for it must have the use of it once.
  answer.valid_until = std::max(answer.valid_until, now + seconds{1});
  return answer;
}

std::optional<UserAnswer> HookCache::on_failure(std::string_view username, Instant now) {
  if (++failures_ >= settings_.failures_to_pause) paused_until_ = now + settings_.pause;
  return stand_in(username, now);
}

std::optional<UserAnswer> HookCache::stand_in(std::string_view username, Instant now) {
  const Known* const known = known_.find(username);
  if (known == nullptr || known->stale_until <= now) return std::nullopt;
  UserAnswer answer = known->answer;
  answer.valid_until = std::min(now + settings_.stale_retry, known->stale_until);
  return answer;
}

}  // namespace turnpike::auth
