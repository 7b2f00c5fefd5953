// A client's end of a TCP connection, made of system calls alone. Nothing waits longer than five
// seconds.
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>
#include <vector>

#include "net/loopback.h"
#include "net/socket_address.h"

namespace turnpike::net {

/// How a client ends its connection in the middle.
enum class Ending {
  close,   ///< close()
  reset,   ///< RST
  finish,  ///< FIN, and then it waits for the server's end
};

/// What TcpClient::send() throws when the connection has been ended as asked.
struct CutOff {};

struct TcpClientOptions {
  /// Where the connection comes from; 0.0.0.0:0 lets the kernel choose.
  Endpoint from{};
  /// SO_RCVBUF, for readers that are to be slow; 0 keeps the system's.
  int receive_buffer_bytes = 0;
  /// The connection ends with the first byte that is beyond so many, and send() throws CutOff.
  std::optional<std::size_t> cut_after = std::nullopt;
  Ending ending = Ending::close;
};

class TcpClient {
 public:
  explicit TcpClient(const Endpoint& server, const TcpClientOptions& options = {})
      : descriptor_(socket(native_family(server.family()), SOCK_STREAM | SOCK_CLOEXEC, 0)),
        left_(options.cut_after),
        ending_(options.ending) {
    REQUIRE(descriptor_ >= 0);
    if (options.receive_buffer_bytes != 0) {
      setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &options.receive_buffer_bytes, sizeof(int));
    }
    if (options.from != Endpoint{}) {
      SocketAddress from = to_socket_address(options.from);
      REQUIRE(bind(descriptor_, from.pointer(), from.size) == 0);
    }
    SocketAddress to = to_socket_address(server);
    REQUIRE(connect(descriptor_, to.pointer(), to.size) == 0);
    SocketAddress local;
    REQUIRE(getsockname(descriptor_, local.pointer(), &local.size) == 0);
    local_ = to_endpoint(local);
    REQUIRE(fcntl(descriptor_, F_SETFL, O_NONBLOCK) == 0);
  }
  /// The end of a connection that somebody accepted; owns the descriptor.
  explicit TcpClient(int descriptor) : descriptor_(descriptor) { REQUIRE(descriptor >= 0); }
  ~TcpClient() { close(); }
  TcpClient(TcpClient&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)),
        local_(other.local_),
        left_(other.left_),
        ending_(other.ending_) {}
  TcpClient& operator=(TcpClient&&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] const Endpoint& local() const { return local_; }

  /// Sends all of it.
  void send(ByteView bytes) {
    const bool is_cut = left_ && bytes.size() > *left_;
    if (is_cut) bytes = bytes.first(*left_);
    if (left_) *left_ -= bytes.size();
    REQUIRE(try_send(bytes));
    if (!is_cut) return;
    if (ending_ == Ending::finish) {
      finish();
      static_cast<void>(receive_rest());
    } else if (ending_ == Ending::reset) {
      reset();
    }
    close();
    throw CutOff{};
  }
  void send(ByteView bytes) const {
    REQUIRE_FALSE(left_);
    REQUIRE(try_send(bytes));
  }
  /// Sends all of it; false when the connection is broken. Without Catch, which is not for threads.
  [[nodiscard]] bool try_send(ByteView bytes) const {
    while (!bytes.empty()) {
      if (!wait_for(descriptor_, POLLOUT)) return false;
      const std::size_t sent = send_some(bytes);
      if (sent == 0) return false;
      bytes = bytes.subspan(sent);
    }
    return true;
  }
  /// Sends what the kernel takes now; 0 also when the connection is broken.
  [[nodiscard]] std::size_t send_some(ByteView bytes) const {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  /// What has come, at least one byte; nothing at the end of the connection, by FIN or RST.
  [[nodiscard]] std::vector<std::uint8_t> receive_some() const {
    REQUIRE(wait_for(descriptor_, POLLIN));
    std::vector<std::uint8_t> bytes(65536);
    const ssize_t count = recv(descriptor_, bytes.data(), bytes.size(), 0);
    bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return bytes;
  }
  /// Everything up to the end of the connection.
  [[nodiscard]] std::vector<std::uint8_t> receive_rest() const {
    std::vector<std::uint8_t> all;
    for (auto some = receive_some(); !some.empty(); some = receive_some()) {
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }
  [[nodiscard]] bool has_something() const {
    pollfd waiting{descriptor_, POLLIN, 0};
    return poll(&waiting, 1, 0) == 1;
  }

  /// Sends FIN.
  void finish() const { shutdown(descriptor_, SHUT_WR); }
  /// Sends RST.
  void reset() {
    const linger at_once{1, 0};
    setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }
  void close() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

 private:
  int descriptor_;
  Endpoint local_;
  std::optional<std::size_t> left_;  // of cut_after
  Ending ending_;
};

/// While it lives, this process gets no new descriptor.
class NoDescriptors {
 public:
  NoDescriptors() {
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const int lowest_free = dup(0);
    REQUIRE(lowest_free >= 0);
    ::close(lowest_free);
    const rlimit none{static_cast<rlim_t>(lowest_free), before_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

}  // namespace turnpike::net
