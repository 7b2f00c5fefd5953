// A store in a directory of a test's own, and users to put into it.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "server/scratch_directory.h"
#include "store/sqlite.h"

namespace turnpike::test {

inline constexpr WallTime noon{seconds{1'795'219'200}};
inline const store::Author mina{"uid 1000 (mina)", noon};

/// The answer, or a failed test with the sentence.
template <class T>
T sure(store::Stored<T> stored) {
  if (!stored) throw std::runtime_error(stored.error().sentence);
  if constexpr (!std::is_void_v<T>) return std::move(*stored);
}

inline store::StoredUser user_named(const std::string& name, const std::string& password = "pw") {
  store::StoredUser user{.name = name, .realm = "example.com"};
  user.md5 = auth::long_term_key(stun::PasswordAlgorithm::md5, name, user.realm, password);
  user.sha256 = auth::long_term_key(stun::PasswordAlgorithm::sha256, name, user.realm, password);
  return user;
}

inline store::StoredSecret secret_called(const std::string& id, const std::string& value,
                                         WallTime not_before = noon) {
  return {.id = id, .value = value, .not_before = not_before};
}

/// Where a store is, or will be.
class StoreFiles {
 public:
  [[nodiscard]] store::Location location() const {
    return {path(), directory_.path() + "/turnpike.db.key"};
  }
  [[nodiscard]] std::string path() const { return directory_.path() + "/turnpike.db"; }
  [[nodiscard]] const ScratchDirectory& directory() const { return directory_; }

  [[nodiscard]] store::Stored<std::unique_ptr<store::Store>> try_open() const {
    return store::open_sqlite(location(), store::IfAbsent::create, store::Check::whole);
  }
  [[nodiscard]] std::unique_ptr<store::Store> open() const { return sure(try_open()); }

 private:
  ScratchDirectory directory_;
};

}  // namespace turnpike::test
