#include "net/local_listener.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "net/last_error.h"

namespace turnpike::net {
namespace {

constexpr int backlog = 64;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

const sockaddr* pointer_to(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

int local_socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

/// What stands at `path`: nothing, or why it cannot be taken away.
std::error_code make_room(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) return {};
  if (!S_ISSOCK(found.st_mode)) return std::make_error_code(std::errc::file_exists);
  const TcpSocket probe{local_socket()};
  if (probe.descriptor() < 0) return last_error();
  // Whoever is alive accepts at once, or is so busy that the queue is full (EAGAIN).
  if (::connect(probe.descriptor(), pointer_to(address), sizeof address) == 0 || errno == EAGAIN) {
    return std::make_error_code(std::errc::address_in_use);
  }
  if (errno != ECONNREFUSED) return last_error();
  ::unlink(path.c_str());
  return {};
}

}  // namespace

std::size_t longest_local_path() { return sizeof(sockaddr_un::sun_path) - 1; }

LocalListener::LocalListener(int descriptor, std::string path)
    : descriptor_(descriptor), path_(std::move(path)) {}

LocalListener::~LocalListener() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  struct stat found {};
  if (inode_ == 0 || ::lstat(path_.c_str(), &found) != 0) return;
  if (found.st_dev == device_ && found.st_ino == inode_) ::unlink(path_.c_str());
}

LocalListener::LocalListener(LocalListener&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      path_(std::move(other.path_)),
      device_(other.device_),
      inode_(other.inode_) {}

LocalListener& LocalListener::operator=(LocalListener&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  std::swap(device_, other.device_);
  std::swap(inode_, other.inode_);
  return *this;
}

Result<LocalListener, std::error_code> LocalListener::open(const std::string& path) {
  if (path.empty() || path.size() > longest_local_path()) {
    return Failure{std::make_error_code(std::errc::filename_too_long)};
  }
  const sockaddr_un address = address_of(path);
  if (const auto error = make_room(path, address)) return Failure{error};
  const int descriptor = local_socket();
  if (descriptor < 0) return Failure{last_error()};
  LocalListener listener{descriptor, path};
  // Nobody can connect before listen(), so the mode is right from the first moment.
  if (::bind(descriptor, pointer_to(address), sizeof address) != 0) return Failure{last_error()};
  struct stat made {};
  if (::lstat(path.c_str(), &made) != 0) return Failure{last_error()};
  listener.device_ = made.st_dev;
  listener.inode_ = made.st_ino;
  if (::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0 || ::listen(descriptor, backlog) != 0) {
    return Failure{last_error()};
  }
  return listener;
}

Result<LocalAccepted, std::error_code> LocalListener::accept() {
  for (;;) {
    const int descriptor = ::accept4(descriptor_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      return Failure{last_error()};
    }
    TcpSocket socket{descriptor};
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) continue;
    return LocalAccepted{std::move(socket), {credentials.uid, credentials.pid}};
  }
}

}  // namespace turnpike::net
