// One bound UDP socket and the batch it receives into. Sending is send_queue.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <system_error>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/result.h"

namespace turnpike::net {

class SendQueue;

/// How to open a UdpPort.
struct UdpPortOptions {
  /// Address and port; port 0 lets the kernel choose.
  Endpoint bind;
  /// Several workers share the address (SO_REUSEPORT); the kernel spreads the senders among them.
  bool reuse_port = false;
  /// With `reuse_port`, how many ports share an address that balancers send to: the kernel then
  /// spreads the clients that PROXY headers name, so that a client keeps its port whichever way the
  /// balancer sends. 0 or 1: it spreads the senders.
  unsigned proxied_group = 0;
  /// For a wildcard `bind`: report the local address each datagram came to, and let a datagram
  /// leave from a given one (IP_PKTINFO, IPV6_PKTINFO).
  bool destination_address = false;
  /// Queue the ICMP errors our datagrams cause, for next_icmp() (IP_RECVERR, IPV6_RECVERR).
  bool report_icmp = false;
  /// Take trains: datagrams of one sender that network card or kernel have put together (UDP_GRO)
  /// cost one passage through the kernel. receive() takes them apart again.
  bool receive_trains = false;
  /// SO_RCVBUF and SO_SNDBUF; 0 keeps the system's. The system's maximum caps them silently.
  int receive_buffer_bytes = 0;
  int send_buffer_bytes = 0;
};

/// One datagram of a ReceiveBatch.
struct Received {
  Endpoint from;
  /// The address it came to; the port's own unless UdpPortOptions::destination_address is set.
  IpAddress to_address;
  /// Endpoint::scope of to_address.
  std::uint32_t to_scope = 0;
  /// Of the same train as the one before it: the same sender and the same address, with nothing
  /// received in between.
  bool follows = false;
  /// Points into the batch; valid until the next receive into it. May be empty.
  ByteView bytes;
};

/// Where datagrams are received: 64 slots that hold any UDP datagram or train, shared by the ports
/// of one worker. 4 MiB of address space, of which only pages that were written to become memory.
class ReceiveBatch {
 public:
  static constexpr std::size_t capacity = 64;
  static constexpr std::size_t slot_bytes = 65536;

  /// Throws std::bad_alloc when there is no address space left.
  ReceiveBatch();
  ~ReceiveBatch();
  ReceiveBatch(const ReceiveBatch&) = delete;
  ReceiveBatch& operator=(const ReceiveBatch&) = delete;

  /// What the latest UdpPort::receive got, in the order of arrival; valid until the next one.
  [[nodiscard]] std::span<const Received> datagrams() const;
  /// How many datagrams the latest receive skipped because they did not fit a slot.
  [[nodiscard]] std::size_t truncated() const;

 private:
  friend class UdpPort;
  struct Slots;
  std::unique_ptr<Slots> slots_;
};

/// An ICMP error about a datagram of ours (RFC 8656 §11.5).
struct IcmpError {
  /// Where our datagram was going. Its family tells whether type and code are ICMPv4's or ICMPv6's.
  Endpoint destination;
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  /// The next hop's MTU with "fragmentation needed" (ICMPv4 3/4) and "packet too big" (ICMPv6 2);
  /// otherwise 0.
  std::uint32_t mtu = 0;
};

/// One bound, non-blocking UDP socket; owns the descriptor. IPv6 ports take no IPv4 traffic.
///
/// Datagrams leave with DF=0 and are fragmented where needed, as RFC 8656 §14 wants of relayed
/// ones; Linux alone would set DF. SendQueue makes exceptions for single datagrams.
/// Movable only while nothing of it waits in a SendQueue.
class UdpPort {
 public:
  /// Opens and binds. Error: what the kernel says, such as EADDRINUSE, EADDRNOTAVAIL, EMFILE.
  [[nodiscard]] static Result<UdpPort, std::error_code> open(const UdpPortOptions& options);

  /// Drops what still waits in a SendQueue, then closes.
  ~UdpPort();
  UdpPort(UdpPort&& other) noexcept;
  UdpPort& operator=(UdpPort&& other) noexcept;

  /// The bound address, with the port the kernel chose if it did.
  [[nodiscard]] const Endpoint& local() const { return local_; }
  /// For a Poller; stays owned by this object.
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// Takes waiting datagrams or trains into `batch`, replacing what it held, and returns how many
  /// batch.datagrams() has. 0 when none wait (or all were truncated). Not always all that wait: as
  /// many as there lately were, and twice as many the next time, up to ReceiveBatch::capacity. To
  /// be told that nothing is left costs as much as half a datagram, and a Poller says it for
  /// nothing. Pending ICMP errors do not stop it.
  std::size_t receive(ReceiveBatch& batch);

  /// The oldest unread ICMP error, or nothing. Also reports datagrams that our own host found too
  /// big to send with DF=1, as ICMPv4 3/4 or ICMPv6 2/0. Only with UdpPortOptions::report_icmp; a
  /// Poller then says `error` until all have been read.
  [[nodiscard]] std::optional<IcmpError> next_icmp();

 private:
  friend class SendQueue;

  UdpPort(int descriptor, Family family);
  [[nodiscard]] std::error_code configure(const UdpPortOptions& options) const;
  [[nodiscard]] std::error_code bind_to(const Endpoint& endpoint);
  void close();
  void take(UdpPort& other);

  int descriptor_;
  Endpoint local_;
  bool destination_address_ = false;
  std::uint8_t appetite_ = 1;  // datagrams to ask for, up to ReceiveBatch::capacity
  // SendQueue's chain of this port's entries; the indices mean something while waits_in_ is set.
  std::uint16_t first_entry_ = 0;
  std::uint16_t last_entry_ = 0;
  SendQueue* waits_in_ = nullptr;
};

}  // namespace turnpike::net
