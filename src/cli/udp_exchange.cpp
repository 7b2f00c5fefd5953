#include "cli/udp_exchange.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "cli/exit_code.h"
#include "client/transaction.h"
#include "net/clock.h"
#include "net/interfaces.h"
#include "net/socket_address.h"

namespace turnpike::cli {
namespace {

Instant clock_now() { return net::read_clock().instant; }

CommandFailure unavailable(const Endpoint& server, int error) {
  if (error == ECONNREFUSED) {
    return {ExitCode::unavailable,
            fmt::format("nothing listens on {} (the host says so by ICMP)", server.to_string())};
  }
  return {ExitCode::unavailable, fmt::format("{} cannot be reached: {}", server.to_string(),
                                             std::generic_category().message(error))};
}

/// What poll() takes: whole milliseconds, rounded up so that it does not wake before the deadline.
int poll_timeout(nanoseconds left) {
  const auto whole = std::chrono::ceil<milliseconds>(std::max(left, nanoseconds{0}));
  return static_cast<int>(std::min<std::int64_t>(whole.count(), 60'000));
}

}  // namespace

std::vector<IpAddress> resolve(const std::string& host, std::optional<Family> family) {
  auto addresses = net::resolve(host);
  if (!addresses) throw CommandFailure{ExitCode::unavailable, addresses.error()};
  std::erase_if(*addresses, [family](const IpAddress& address) {
    return family && address.family() != *family;
  });
  if (addresses->empty()) {
    throw CommandFailure{ExitCode::unavailable,
                         fmt::format("the name {} has no address of that family", host)};
  }
  return *addresses;
}

StunSocket::StunSocket(const Endpoint& server)
    : server_(server),
      socket_(::socket(net::native_family(server.family()),
                       SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  if (socket_ < 0) throw unavailable(server, errno);
  net::SocketAddress native = net::to_socket_address(server);
  if (::connect(socket_, native.pointer(), native.size) != 0) {
    const int error = errno;
    ::close(socket_);
    throw unavailable(server, error);
  }
}

StunSocket::~StunSocket() { ::close(socket_); }

void StunSocket::send(ByteView request) {
  if (::send(socket_, request.data(), request.size(), 0) >= 0) return;
  if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
    return;  // as if lost: it will be sent again
  throw unavailable(server_, errno);
}

std::optional<std::vector<std::uint8_t>> StunSocket::receive(Instant until) {
  for (;;) {
    pollfd readable{socket_, POLLIN, 0};
    const int ready = ::poll(&readable, 1, poll_timeout(until - clock_now()));
    if (ready < 0 && errno != EINTR) throw unavailable(server_, errno);
    if (ready <= 0 && clock_now() >= until) return std::nullopt;
    if (ready <= 0) continue;
    std::vector<std::uint8_t> datagram(2048);
    const ssize_t size = ::recv(socket_, datagram.data(), datagram.size(), 0);
    if (size >= 0) {
      datagram.resize(static_cast<std::size_t>(size));
      return datagram;
    }
    if (errno != EAGAIN && errno != EINTR) throw unavailable(server_, errno);
  }
}

std::variant<Answered, Unanswered> StunSocket::ask(Random& random, nanoseconds timeout) {
  stun::TransactionId id{};
  random.fill(id);
  const client::BindingRequest request = client::binding_request(id);
  client::Transaction transaction{id};

  const Instant started = clock_now();
  send(request);
  transaction.on_start(started);
  for (;;) {
    const Instant until = std::min(*transaction.next_deadline(), started + timeout);
    if (const auto datagram = receive(until)) {
      const auto answer = client::parse_binding_answer(*datagram, id);
      if (answer) return Answered{*answer, clock_now() - started, transaction.transmissions()};
    }  // anything else is not for us (RFC 8489 §6.3): wait on
    const Instant now = clock_now();
    if (now >= started + timeout) return Unanswered{transaction.transmissions()};
    const auto step = transaction.on_deadline(now);
    if (step == client::Transaction::Step::timed_out)
      return Unanswered{transaction.transmissions()};
    if (step == client::Transaction::Step::send_again) send(request);
  }
}

}  // namespace turnpike::cli
