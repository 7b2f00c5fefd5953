#include "net/ticket_keys.h"

#include <algorithm>

namespace turnpike::net {
namespace {

bool has_name(const std::optional<TicketKeys::Key>& key, ByteView name) {
  return key && std::equal(name.begin(), name.end(), key->name.begin(), key->name.end());
}

}  // namespace

TicketKeys::Key TicketKeys::current(Instant now) {
  const std::lock_guard lock{mutex_};
  rotate(now);
  if (!current_) make_current(now);
  return *current_;
}

std::optional<TicketKeys::Found> TicketKeys::find(ByteView name, Instant now) {
  const std::lock_guard lock{mutex_};
  rotate(now);
  if (has_name(current_, name)) return Found{*current_, true};
  if (has_name(previous_, name)) return Found{*previous_, false};
  return std::nullopt;
}

/// After a quiet time longer than a period nothing that was made before is of use.
void TicketKeys::rotate(Instant now) {
  if (!current_ || now < made_at_ + period) return;
  const bool is_still_good = now < made_at_ + 2 * period;
  previous_ = is_still_good ? current_ : std::nullopt;
  current_.reset();
  if (is_still_good) make_current(made_at_ + period);
}

void TicketKeys::make_current(Instant now) {
  Key& key = current_.emplace();
  random_.fill(key.name);
  random_.fill(key.encryption);
  random_.fill(key.authentication);
  made_at_ = now;
}

}  // namespace turnpike::net
