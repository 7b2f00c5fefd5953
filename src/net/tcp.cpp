#include "net/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "net/last_error.h"
#include "net/socket_address.h"

namespace turnpike::net {
namespace {

constexpr int backlog = 1024;

void set_flag(int descriptor, int level, int name) {
  const int on = 1;
  // None of them can fail on a fresh TCP socket; without one the connection would still work.
  setsockopt(descriptor, level, name, &on, sizeof on);
}

Failure<StreamStop> stop_of(int error) {
  return Failure{error == EAGAIN ? StreamStop::would_block : StreamStop::ended};
}

/// What accept() reports of a connection that is already gone (accept(2)).
bool is_lost_connection(int error) {
  return error == ECONNABORTED || error == EINTR || error == EPROTO || error == ENETDOWN ||
         error == EHOSTDOWN || error == EHOSTUNREACH || error == ENETUNREACH;
}

}  // namespace

TcpSocket::~TcpSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

TcpSocket::TcpSocket(TcpSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

TcpSocket& TcpSocket::operator=(TcpSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Result<TcpSocket, std::error_code> TcpSocket::connect(const Endpoint& from, const Endpoint& to) {
  const Family family = from.family();
  const int descriptor =
      socket(native_family(family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return Failure<std::error_code>{last_error()};
  TcpSocket connecting{descriptor};
  set_flag(descriptor, SOL_SOCKET, SO_REUSEADDR);
  set_flag(descriptor, SOL_SOCKET, SO_REUSEPORT);  // beside a listener nothing less will do
  set_flag(descriptor, IPPROTO_TCP, TCP_NODELAY);
  if (family == Family::ipv6) set_flag(descriptor, IPPROTO_IPV6, IPV6_V6ONLY);
  SocketAddress local = to_socket_address(from);
  SocketAddress remote = to_socket_address(to);
  if (::bind(descriptor, local.pointer(), local.size) != 0 ||
      (::connect(descriptor, remote.pointer(), remote.size) != 0 && errno != EINPROGRESS)) {
    return Failure<std::error_code>{last_error()};
  }
  return connecting;
}

std::error_code TcpSocket::take_error() {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return last_error();
  return {error, std::system_category()};
}

Result<std::size_t, StreamStop> TcpSocket::read(MutableByteView out) {
  for (;;) {
    const ssize_t count = ::recv(descriptor_, out.data(), out.size(), 0);
    if (count > 0) return static_cast<std::size_t>(count);
    if (count == 0) return Failure{StreamStop::ended};
    if (errno != EINTR) return stop_of(errno);
  }
}

Result<std::size_t, StreamStop> TcpSocket::write(ByteView bytes) {
  for (;;) {
    const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return stop_of(errno);
  }
}

void TcpSocket::keep_alive() {
  const auto set = [this](int level, int option, int value) {
    ::setsockopt(descriptor_, level, option, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
}

void TcpSocket::finish_writing() { ::shutdown(descriptor_, SHUT_WR); }

Result<TcpListener, std::error_code> TcpListener::open(const TcpListenerOptions& options) {
  const Family family = options.bind.family();
  const int descriptor =
      socket(native_family(family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return Failure<std::error_code>{last_error()};
  TcpListener listener{descriptor};
  // Connections of a predecessor that linger in TIME_WAIT must not keep the port from us.
  set_flag(descriptor, SOL_SOCKET, SO_REUSEADDR);
  if (options.reuse_port) set_flag(descriptor, SOL_SOCKET, SO_REUSEPORT);
  if (family == Family::ipv6) set_flag(descriptor, IPPROTO_IPV6, IPV6_V6ONLY);
  SocketAddress address = to_socket_address(options.bind);
  if (::bind(descriptor, address.pointer(), address.size) != 0 ||
      ::listen(descriptor, backlog) != 0 ||
      getsockname(descriptor, address.pointer(), &address.size) != 0) {
    return Failure<std::error_code>{last_error()};
  }
  // Only now: with it the bind would have joined another server's listener in silence.
  if (options.shares_with_connects) set_flag(descriptor, SOL_SOCKET, SO_REUSEPORT);
  listener.local_ = to_endpoint(address);
  return listener;
}

TcpListener::~TcpListener() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

TcpListener::TcpListener(TcpListener&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), local_(other.local_) {}

TcpListener& TcpListener::operator=(TcpListener&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(local_, other.local_);
  return *this;
}

Result<Accepted, std::error_code> TcpListener::accept() {
  for (;;) {
    SocketAddress client;
    const int descriptor =
        ::accept4(descriptor_, client.pointer(), &client.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      if (is_lost_connection(errno)) continue;
      return Failure<std::error_code>{last_error()};
    }
    TcpSocket socket{descriptor};
    SocketAddress local;
    if (getsockname(descriptor, local.pointer(), &local.size) != 0) continue;
    set_flag(descriptor, IPPROTO_TCP, TCP_NODELAY);  // media does not wait for fuller segments
    return Accepted{std::move(socket), to_endpoint(client), to_endpoint(local)};
  }
}

}  // namespace turnpike::net
