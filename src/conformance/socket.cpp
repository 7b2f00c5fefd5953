#include "conformance/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <utility>

#include "net/clock.h"
#include "net/socket_address.h"

namespace turnpike::conformance {
namespace {

constexpr std::size_t datagram_bytes_max = 65536;

Failure<std::string> system_error(int error) {
  return Failure<std::string>{std::generic_category().message(error)};
}

int open_socket(Family family, int type) {
  return ::socket(net::native_family(family), type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

bool wait_for(int descriptor, short events, Instant until) {
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - clock_now());
    pollfd waiting{descriptor, events, 0};
    const int ready =
        ::poll(&waiting, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (clock_now() >= until) return false;
  }
}

bool bind_to(int descriptor, const Endpoint& local) {
  net::SocketAddress native = net::to_socket_address(local);
  return ::bind(descriptor, native.pointer(), native.size) == 0;
}

/// IPv4 gives it as a byte, IPv6 as an int.
std::optional<std::uint8_t> traffic_class_of(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_TOS) return *CMSG_DATA(part);
    if (part->cmsg_level != IPPROTO_IPV6 || part->cmsg_type != IPV6_TCLASS) continue;
    int value = 0;
    std::memcpy(&value, CMSG_DATA(part), sizeof value);
    return static_cast<std::uint8_t>(value);
  }
  return std::nullopt;
}

}  // namespace

Instant clock_now() { return net::read_clock().instant; }

Result<Socket, std::string> Socket::udp(const Endpoint& local) {
  Socket socket{open_socket(local.family(), SOCK_DGRAM)};
  if (socket.descriptor_ < 0 || !bind_to(socket.descriptor_, local)) return system_error(errno);
  const int on = 1;  // without it the traffic class stays unknown, no more
  ::setsockopt(socket.descriptor_, IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
  ::setsockopt(socket.descriptor_, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
  return socket;
}

Result<Socket, std::string> Socket::tcp(const Endpoint& server, Instant until,
                                        std::optional<Endpoint> local) {
  Socket socket{open_socket(server.family(), SOCK_STREAM)};
  if (socket.descriptor_ < 0) return system_error(errno);
  if (local && !bind_to(socket.descriptor_, *local)) return system_error(errno);
  const int on = 1;  // what a check splits must leave split
  ::setsockopt(socket.descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  net::SocketAddress native = net::to_socket_address(server);
  if (::connect(socket.descriptor_, native.pointer(), native.size) == 0) return socket;
  if (errno != EINPROGRESS) return system_error(errno);
  if (!wait_for(socket.descriptor_, POLLOUT, until)) return system_error(ETIMEDOUT);
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return system_error(error);
  return socket;
}

Result<Socket, std::string> Socket::listen(const Endpoint& local) {
  Socket socket{open_socket(local.family(), SOCK_STREAM)};
  if (socket.descriptor_ < 0 || !bind_to(socket.descriptor_, local) ||
      ::listen(socket.descriptor_, 16) != 0) {
    return system_error(errno);
  }
  return socket;
}

Result<Socket, std::string> Socket::raw_udp(const IpAddress& local) {
  Socket socket{::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP)};
  if (socket.descriptor_ < 0 || !bind_to(socket.descriptor_, {local, 0})) {
    return system_error(errno);
  }
  return socket;
}

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}
Socket::Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
Socket& Socket::operator=(Socket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

Endpoint Socket::local() const {
  net::SocketAddress native;
  if (::getsockname(descriptor_, native.pointer(), &native.size) != 0) return {};
  return net::to_endpoint(native);
}

Endpoint Socket::remote() const {
  net::SocketAddress native;
  if (::getpeername(descriptor_, native.pointer(), &native.size) != 0) return {};
  return net::to_endpoint(native);
}

bool Socket::connect(const Endpoint& remote) {
  net::SocketAddress native = net::to_socket_address(remote);
  return ::connect(descriptor_, native.pointer(), native.size) == 0;
}

bool Socket::mark(std::uint8_t traffic_class) {
  const int value = traffic_class;
  const bool is_ipv4 = local().family() == Family::ipv4;
  return ::setsockopt(descriptor_, is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6,
                      is_ipv4 ? IP_TOS : IPV6_TCLASS, &value, sizeof value) == 0;
}

bool Socket::allow_fragments() {
  const int never = IP_PMTUDISC_DONT;
  return ::setsockopt(descriptor_, IPPROTO_IP, IP_MTU_DISCOVER, &never, sizeof never) == 0;
}

bool Socket::send_to(ByteView datagram, const Endpoint& to) {
  net::SocketAddress native = net::to_socket_address(to);
  return ::sendto(descriptor_, datagram.data(), datagram.size(), MSG_NOSIGNAL, native.pointer(),
                  native.size) >= 0;
}

bool Socket::send(ByteView bytes, Instant until) {
  do {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      if (!wait_for(descriptor_, POLLOUT, until)) return false;
    } else if (errno != EINTR) {
      return false;
    }
  } while (!bytes.empty());
  return true;
}

Result<Received, Stop> Socket::receive(Instant until) {
  for (;;) {
    Received received{{}, Bytes(datagram_bytes_max)};
    net::SocketAddress from;
    iovec buffer{received.bytes.data(), received.bytes.size()};
    alignas(cmsghdr) std::array<std::uint8_t, 64> control{};
    msghdr message{};
    message.msg_name = from.pointer();
    message.msg_namelen = from.size;
    message.msg_iov = &buffer;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(descriptor_, &message, 0);
    if (size >= 0) {
      from.size = message.msg_namelen;
      received.traffic_class = traffic_class_of(message);
      int type = 0;
      socklen_t type_size = sizeof type;
      ::getsockopt(descriptor_, SOL_SOCKET, SO_TYPE, &type, &type_size);
      if (size == 0 && type == SOCK_STREAM) return Failure{Stop::closed};
      received.bytes.resize(static_cast<std::size_t>(size));
      if (type == SOCK_DGRAM) received.from = net::to_endpoint(from);
      return received;
    }
    if (errno != EAGAIN && errno != EINTR) return Failure{Stop::closed};
    if (!wait_for(descriptor_, POLLIN, until)) return Failure{Stop::deadline};
  }
}

void Socket::reset_on_close() {
  const linger at_once{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

std::optional<Socket> Socket::accept(Instant until) {
  for (;;) {
    const int descriptor = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor >= 0) return Socket{descriptor};
    if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) return std::nullopt;
    if (!wait_for(descriptor_, POLLIN, until)) return std::nullopt;
  }
}

std::optional<IpAddress> route_to(const IpAddress& remote) {
  auto socket = Socket::udp({IpAddress::any(remote.family()), 0});
  constexpr std::uint16_t any_port = 9;  // nothing is sent
  if (!socket || !socket->connect({remote, any_port})) return std::nullopt;
  return socket->local().address;
}

}  // namespace turnpike::conformance
