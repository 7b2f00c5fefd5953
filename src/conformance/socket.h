// Small sockets of the suite's own, blocking with deadlines.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/result.h"
#include "base/time.h"

namespace turnpike::conformance {

using Bytes = std::vector<std::uint8_t>;

[[nodiscard]] Instant clock_now();

/// Why nothing came.
enum class Stop : std::uint8_t { deadline, closed };

/// A datagram, or a piece of a stream, and who sent it.
struct Received {
  Endpoint from;
  Bytes bytes;
  /// DSCP and ECN of a datagram's IP header; nothing where it cannot be known.
  std::optional<std::uint8_t> traffic_class{};
};

/// A file descriptor that is a socket.
class Socket {
 public:
  /// A UDP socket bound to `local` (port 0: any). Error: what the kernel says.
  [[nodiscard]] static Result<Socket, std::string> udp(const Endpoint& local);
  /// A TCP connection to `server`, from `local` if given.
  [[nodiscard]] static Result<Socket, std::string> tcp(const Endpoint& server, Instant until,
                                                       std::optional<Endpoint> local = {});
  /// A listening TCP socket; accept() gives its connections.
  [[nodiscard]] static Result<Socket, std::string> listen(const Endpoint& local);
  /// All UDP datagrams that come to this IPv4 address, with their IP headers. Needs CAP_NET_RAW.
  [[nodiscard]] static Result<Socket, std::string> raw_udp(const IpAddress& local);
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;

  [[nodiscard]] Endpoint local() const;
  /// The other side of a connection.
  [[nodiscard]] Endpoint remote() const;
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// Names the other side of a UDP socket: nobody else is heard then, and its ICMP errors are.
  [[nodiscard]] bool connect(const Endpoint& remote);
  /// Everything leaves with this DSCP and ECN. False when the kernel refuses them.
  bool mark(std::uint8_t traffic_class);
  /// IPv4 datagrams leave without the DF bit. False when the kernel refuses that.
  bool allow_fragments();
  /// A datagram. False when the kernel refuses it.
  bool send_to(ByteView datagram, const Endpoint& to);
  /// All of a stream's bytes, or one datagram of a connected socket. False when it broke.
  bool send(ByteView bytes, Instant until);
  /// The next datagram or piece. An ICMP error of a connected UDP socket counts as `closed`.
  [[nodiscard]] Result<Received, Stop> receive(Instant until);
  /// The end of a stream will be a reset, and its port free at once.
  void reset_on_close();
  /// The next connection of a listening socket.
  [[nodiscard]] std::optional<Socket> accept(Instant until);

 private:
  explicit Socket(int descriptor) : descriptor_(descriptor) {}

  int descriptor_ = -1;
};

/// The address from which this host would send to `remote`; nothing without a route.
[[nodiscard]] std::optional<IpAddress> route_to(const IpAddress& remote);

}  // namespace turnpike::conformance
