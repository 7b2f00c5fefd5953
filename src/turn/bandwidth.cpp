// How much payload may pass: of one allocation, of one user on all workers, of all (RFC 8656 §5).
#include "turn/server.h"

namespace turnpike::turn {

void Server::use_bandwidth_limits() {
  allocation_bandwidth_ = BandwidthLimit{settings_.limits.bandwidth_per_allocation};
  user_bandwidth_ = BandwidthLimit{settings_.limits.bandwidth_per_user};
  total_bandwidth_ = BandwidthLimit{settings_.limits.bandwidth_total};
  // A user with a limit of his own may be there: once on for him, it stays on.
  is_shaping_ = is_shaping_ || !allocation_bandwidth_.is_none() || !user_bandwidth_.is_none() ||
                !total_bandwidth_.is_none();
}

void Server::grant_bandwidth(const auth::UserLimits& limits, const Allocation& allocation) {
  UserBandwidth& user = users_.bandwidth(allocation.user);
  user.meter = &ledger_.bandwidth_of(users_.account(allocation.user));
  use_bandwidth(limits, user);
}

void Server::use_bandwidth(const auth::UserLimits& limits, UserBandwidth& user) {
  user.own.reset();
  if (!limits.bandwidth) return;
  user.own = BandwidthLimit{*limits.bandwidth};
  is_shaping_ = is_shaping_ || !user.own->is_none();
}

void Server::on_user_limits(std::string_view username, const auth::UserLimits& limits) {
  if (authenticator_.has_in_book(username)) return;
  // Who is asked for is an account of his own.
  if (const auto user = users_.find(username, username))
    use_bandwidth(limits, users_.bandwidth(*user));
}

bool Server::spend_bandwidth(Allocation& allocation, std::size_t bytes, Instant now) {
  if (!allocation.bandwidth.has_room(allocation_bandwidth_, bytes, now)) return false;
  const UserBandwidth& user = users_.bandwidth(allocation.user);
  if (!user.meter->spend(limit_of(user), bytes, now)) return false;
  if (!ledger_.bandwidth().spend(total_bandwidth_, bytes, now)) {
    user.meter->take_back(limit_of(user), bytes);
    return false;
  }
  allocation.bandwidth.add(allocation_bandwidth_, bytes, now);
  return true;
}

/// Counts what has passed, whether or not there was room; until when there is none now.
std::optional<Instant> Server::overdraw_bandwidth(Allocation& allocation, std::size_t bytes,
                                                  Instant now) {
  if (!is_shaping_) return std::nullopt;
  const UserBandwidth& user = users_.bandwidth(allocation.user);
  allocation.bandwidth.add(allocation_bandwidth_, bytes, now);
  user.meter->add(limit_of(user), bytes, now);
  ledger_.bandwidth().add(total_bandwidth_, bytes, now);
  return std::max({allocation.bandwidth.room_at(allocation_bandwidth_, now),
                   user.meter->room_at(limit_of(user), now),
                   ledger_.bandwidth().room_at(total_bandwidth_, now)});
}

}  // namespace turnpike::turn
