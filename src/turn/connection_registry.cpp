#include "turn/connection_registry.h"

namespace turnpike::turn {

std::uint32_t ConnectionRegistry::add(const ConnectionOwner& owner, std::string_view username,
                                      const Endpoint& server, Random& random) {
  const std::lock_guard lock{mutex_};
  for (;;) {
    const auto number = static_cast<std::uint32_t>(random.next_u64());
    const auto [at, is_new] =
        pending_.try_emplace(number, Pending{owner, std::string{username}, server});
    if (is_new) return number;
  }
}

bool ConnectionRegistry::add_again(std::uint32_t number, const ConnectionOwner& owner,
                                   std::string_view username, const Endpoint& server) {
  const std::lock_guard lock{mutex_};
  return pending_.try_emplace(number, Pending{owner, std::string{username}, server}).second;
}

bool ConnectionRegistry::holds(std::uint32_t number, const ConnectionOwner& owner) const {
  const std::lock_guard lock{mutex_};
  const auto found = pending_.find(number);
  return found != pending_.end() && found->second.owner == owner;
}

Result<ConnectionOwner, stun::ErrorCode> ConnectionRegistry::claim(std::uint32_t number,
                                                                   std::string_view username,
                                                                   const Endpoint& server) {
  const std::lock_guard lock{mutex_};
  const auto found = pending_.find(number);
  if (found == pending_.end()) return Failure{stun::ErrorCode::bad_request};
  if (found->second.username != username) return Failure{stun::ErrorCode::wrong_credentials};
  if (found->second.server != server) return Failure{stun::ErrorCode::bad_request};
  const ConnectionOwner owner = found->second.owner;
  pending_.erase(found);
  return owner;
}

void ConnectionRegistry::remove(std::uint32_t number, const ConnectionOwner& owner) {
  const std::lock_guard lock{mutex_};
  const auto found = pending_.find(number);
  if (found != pending_.end() && found->second.owner == owner) pending_.erase(found);
}

std::size_t ConnectionRegistry::size() const {
  const std::lock_guard lock{mutex_};
  return pending_.size();
}

}  // namespace turnpike::turn
