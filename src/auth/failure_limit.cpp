#include "auth/failure_limit.h"

#include <algorithm>
#include <span>

namespace turnpike::auth {

FailureLimit::FailureLimit(std::uint32_t max_failures, HashSeed seed)
    : max_failures_(max_failures), seed_(seed), entries_(max_failures == 0 ? 0 : sets * ways) {}

FailureLimit::Suspects FailureLimit::suspects(const IpAddress& source, ByteView name) const {
  const std::uint64_t from = hash_of(subscriber_of(source), seed_);
  const std::uint64_t who = hash_bytes(name, seed_);
  return {.with_own_nonce = {hash_and(hash_and(from, 1), who)},
          .without = {hash_and(hash_and(from, 0), who)}};
}

bool FailureLimit::is_reached(Suspect suspect, Instant now) const {
  const auto at = find(suspect);
  return at && !is_over(entries_[*at], now) && entries_[*at].failures >= max_failures_;
}

void FailureLimit::count(Suspect suspect, Instant now) {
  if (max_failures_ == 0) return;
  const auto at = find(suspect);
  Entry& entry = at ? entries_[*at] : cheapest(suspect, now);
  if (!at || is_over(entry, now)) entry = Entry{suspect.hash, now, 0};
  if (entry.failures < max_failures_) ++entry.failures;
  if (entry.failures == max_failures_) entry.since = now;
}

void FailureLimit::forget(Suspect suspect) {
  if (const auto at = find(suspect)) entries_[*at] = Entry{};
}

std::optional<std::size_t> FailureLimit::find(Suspect suspect) const {
  if (max_failures_ == 0) return std::nullopt;
  const std::size_t first = set_of(suspect);
  for (std::size_t at = first; at < first + ways; ++at) {
    if (entries_[at].failures != 0 && entries_[at].hash == suspect.hash) return at;
  }
  return std::nullopt;
}

FailureLimit::Entry& FailureLimit::cheapest(Suspect suspect, Instant now) {
  const auto worth = [now](const Entry& entry) { return is_over(entry, now) ? 0 : entry.failures; };
  const auto set = std::span{entries_}.subspan(set_of(suspect), ways);
  return *std::min_element(set.begin(), set.end(),
                           [&](const Entry& a, const Entry& b) { return worth(a) < worth(b); });
}

}  // namespace turnpike::auth
