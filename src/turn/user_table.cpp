#include "turn/user_table.h"

#include <algorithm>

namespace turnpike::turn {

UserId UserTable::acquire(std::string_view username, std::string_view account) {
  if (const auto known = find(username, account)) {
    ++users_[static_cast<std::uint32_t>(*known)].references;
    return *known;
  }
  std::uint32_t index = static_cast<std::uint32_t>(users_.size());
  if (free_.empty()) {
    users_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  users_[index] = User{std::string{username}, std::string{account}, 1, {}};
  ids_.emplace(username, index);
  return UserId{index};
}

std::optional<UserId> UserTable::find(std::string_view username, std::string_view account) const {
  const auto [first, last] = ids_.equal_range(username);
  const auto known = std::find_if(
      first, last, [&](const auto& entry) { return users_[entry.second].account == account; });
  if (known == last) return std::nullopt;
  return UserId{known->second};
}

void UserTable::release(UserId id) {
  const auto index = static_cast<std::uint32_t>(id);
  User& user = users_.at(index);
  if (--user.references > 0) return;
  const auto [first, last] = ids_.equal_range(user.username);
  ids_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second == index; }));
  user = User{};
  free_.push_back(index);
}

}  // namespace turnpike::turn
