// One UDP socket that sends and receives in batches, whole trains at once (UDP_SEGMENT, UDP_GRO),
// from as many addresses of this host as are wanted. For load: the server's are in src/net.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/result.h"
#include "net/socket_address.h"

namespace turnpike::bench {

/// One datagram, or a train of them from one sender, all of one size but the last.
struct IncomingTrain {
  ByteView bytes;                 ///< valid until the next receive()
  std::size_t segment_bytes = 0;  ///< of each datagram; bytes.size() when there is only one
  net::SocketAddress from;
  IpAddress to;  ///< the address it came to; the socket's own unless `tells_destination`

  /// Calls `take` with each datagram.
  template <class Take>
  void each(Take take) const {
    for (std::size_t at = 0; at < bytes.size(); at += segment_bytes) {
      take(bytes.subspan(at, std::min(segment_bytes, bytes.size() - at)));
    }
  }
};

/// Where trains wait to be sent and where they are received, shared by the sockets of one thread.
class UdpBuffers {
 public:
  UdpBuffers();
  ~UdpBuffers();
  UdpBuffers(const UdpBuffers&) = delete;
  UdpBuffers& operator=(const UdpBuffers&) = delete;

 private:
  friend class UdpSocket;
  struct Slots;
  void flush();

  std::unique_ptr<Slots> out_;
  std::unique_ptr<Slots> in_;
  std::size_t added_ = 0;  // trains in out_…
  int descriptor_ = -1;    // …of this socket
};

struct UdpSocketOptions {
  Endpoint bind;  ///< port 0: any
  /// Report where each train came to, for sockets bound to the wildcard.
  bool tells_destination = false;
};

/// Owns the descriptor. Non-blocking.
class UdpSocket {
 public:
  /// The largest payload of one send, a train as a whole.
  static constexpr std::size_t train_bytes_max = 65507;
  /// Datagrams of one train at most (the kernel's limit until Linux 6.9).
  static constexpr std::size_t segments_max = 64;

  /// `buffers` outlives the socket. Error: what the kernel says.
  [[nodiscard]] static Result<UdpSocket, std::string> open(const UdpSocketOptions& options,
                                                           UdpBuffers& buffers);
  ~UdpSocket();
  UdpSocket(UdpSocket&& other) noexcept;
  UdpSocket& operator=(UdpSocket&& other) noexcept;

  [[nodiscard]] const Endpoint& local() const { return local_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// Room for a train to `to`, to be filled in before anything else is called; it goes out with the
  /// next flush(), of any socket of these buffers. What was there before is left as it is. `from`:
  /// the source address, for sockets bound to the wildcard. Precondition: bytes ≤ train_bytes_max.
  [[nodiscard]] MutableByteView add(const net::SocketAddress& to, std::size_t bytes,
                                    std::size_t segment_bytes, std::optional<IpAddress> from = {});
  /// Sends what was added, waiting for the kernel where it must. What it refuses is lost.
  void flush() { buffers_->flush(); }
  /// What has come, as much as one system call takes; empty: nothing. Valid until the next
  /// receive() of any socket of these buffers.
  [[nodiscard]] std::span<const IncomingTrain> receive();

 private:
  UdpSocket(int descriptor, const UdpSocketOptions& options, UdpBuffers& buffers)
      : descriptor_(descriptor), local_(options.bind), buffers_(&buffers) {}

  int descriptor_;
  Endpoint local_;
  UdpBuffers* buffers_;
};

}  // namespace turnpike::bench
