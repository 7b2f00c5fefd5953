// Keeps a second server away from the store of one that runs.
#pragma once

#include <string>

namespace turnpike::server {

/// While it lives, no other server opens the store: a second one would take the allocations that
/// live here for those of a server that died. Commands do not care, and neither does SQLite, whose
/// own locks are of another kind. Ends with the process, however that ends.
///
/// It must outlive all that have the database open: closing its descriptor drops SQLite's locks.
class StoreLock {
 public:
  /// `database`: the file, which is there. Throws StartError when another server has it.
  explicit StoreLock(const std::string& database);
  ~StoreLock();
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace turnpike::server
