// A listening socket in the file system, for programs of this host (unix(7)).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <system_error>

#include "base/result.h"
#include "net/tcp.h"

namespace turnpike::net {

/// Who is at the other end of a local connection, as the kernel says (SO_PEERCRED).
struct LocalPeer {
  uid_t user = 0;
  pid_t process = 0;
};

/// A new local connection.
struct LocalAccepted {
  TcpSocket socket;  ///< a stream like any other
  LocalPeer peer;
};

/// Listens at a path, which is there and can be opened by its owner alone as long as this is.
class LocalListener {
 public:
  /// A socket that a dead server has left there is replaced. Error: `address_in_use` when a live
  /// one has it, `file_exists` when it is no socket, or what the kernel says.
  [[nodiscard]] static Result<LocalListener, std::error_code> open(const std::string& path);
  ~LocalListener();
  LocalListener(LocalListener&& other) noexcept;
  LocalListener& operator=(LocalListener&& other) noexcept;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// The next waiting connection; errors as TcpListener::accept().
  [[nodiscard]] Result<LocalAccepted, std::error_code> accept();

 private:
  LocalListener(int descriptor, std::string path);

  int descriptor_;
  std::string path_;
  // Of the file that was made, so that only that is removed.
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

/// The longest path that a local socket can have, in bytes.
[[nodiscard]] std::size_t longest_local_path();

}  // namespace turnpike::net
