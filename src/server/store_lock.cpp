#include "server/store_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "server/start_error.h"

namespace turnpike::server {

StoreLock::StoreLock(const std::string& database)
    : descriptor_(::open(database.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
  const int error = errno;
  if (descriptor_ >= 0) ::close(descriptor_);
  if (error == EWOULDBLOCK) {
    throw StartError{
        fmt::format("another server runs with the store {}; stop it, or give this one a store of "
                    "its own with store.url",
                    database)};
  }
  throw StartError{fmt::format("the store {} cannot be locked: {}", database,
                               std::generic_category().message(error))};
}

StoreLock::~StoreLock() { ::close(descriptor_); }

}  // namespace turnpike::server
