#include "turn/user_table.h"

namespace turnpike::turn {

UserId UserTable::acquire(std::string_view username, std::string_view account) {
  const auto known = ids_.find(username);
  if (known != ids_.end()) {
    ++users_[known->second].references;
    return UserId{known->second};
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

std::optional<UserId> UserTable::find(std::string_view username) const {
  const auto known = ids_.find(username);
  if (known == ids_.end()) return std::nullopt;
  return UserId{known->second};
}

void UserTable::release(UserId id) {
  const auto index = static_cast<std::uint32_t>(id);
  User& user = users_.at(index);
  if (--user.references > 0) return;
  ids_.erase(ids_.find(user.username));
  user = User{};
  free_.push_back(index);
}

}  // namespace turnpike::turn
