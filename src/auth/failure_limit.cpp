#include "auth/failure_limit.h"

#include <algorithm>
#include <span>

namespace turnpike::auth {

FailureLimit::FailureLimit(std::uint32_t max_failures, HashSeed seed)
    : max_failures_(max_failures), seed_(seed), entries_(max_failures == 0 ? 0 : sets * ways) {}

FailureLimit::Suspect FailureLimit::suspect(const IpAddress& source, ByteView name,
                                            bool has_own_nonce) const {
  const ByteView bytes = source.bytes();
  const ByteView prefix = source.family() == Family::ipv4 ? bytes : bytes.first(8);
  const std::uint64_t from = hash_and(hash_bytes(prefix, seed_), has_own_nonce ? 1 : 0);
  return {hash_and(from, hash_bytes(name, seed_))};
}

bool FailureLimit::is_reached(Suspect suspect, Instant now) const {
  const Entry* const entry = find(suspect);
  return entry != nullptr && !is_over(*entry, now) && entry->failures >= max_failures_;
}

void FailureLimit::count(Suspect suspect, Instant now) {
  if (max_failures_ == 0) return;
  const auto set = std::span{entries_}.subspan(suspect.hash % sets * ways, ways);
  auto entry = std::find_if(set.begin(), set.end(), [&](const Entry& candidate) {
    return candidate.failures != 0 && candidate.hash == suspect.hash;
  });
  if (entry == set.end()) {
    const auto worth = [now](const Entry& e) { return is_over(e, now) ? 0 : e.failures; };
    entry = std::min_element(set.begin(), set.end(),
                             [&](const Entry& a, const Entry& b) { return worth(a) < worth(b); });
    *entry = Entry{suspect.hash};
  }
  if (is_over(*entry, now)) *entry = Entry{suspect.hash, now, 0};
  if (entry->failures < max_failures_) ++entry->failures;
  if (entry->failures == max_failures_) entry->since = now;
}

void FailureLimit::forget(Suspect suspect) {
  const Entry* const entry = find(suspect);
  if (entry != nullptr) entries_[static_cast<std::size_t>(entry - entries_.data())] = Entry{};
}

const FailureLimit::Entry* FailureLimit::find(Suspect suspect) const {
  if (max_failures_ == 0) return nullptr;
  const auto set = std::span{entries_}.subspan(suspect.hash % sets * ways, ways);
  const auto found = std::find_if(set.begin(), set.end(), [&](const Entry& entry) {
    return entry.failures != 0 && entry.hash == suspect.hash;
  });
  return found == set.end() ? nullptr : &*found;
}

}  // namespace turnpike::auth
