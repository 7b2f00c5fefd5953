// What one turn of a worker's loop sends, collected and handed to the kernel in few calls.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/relaxed_counter.h"
#include "net/udp_port.h"

namespace turnpike::net {

/// An address of this host, with its Endpoint::scope.
struct LocalAddress {
  IpAddress address;
  std::uint32_t scope;

  // NOLINTNEXTLINE(google-explicit-constructor): most addresses have no scope
  LocalAddress(const IpAddress& a, std::uint32_t s = 0) : address(a), scope(s) {}
};

/// One datagram to send: header, payload and padding one after another.
struct Outgoing {
  Endpoint to;
  /// With `set_from`: the local address to leave from, for ports bound to a wildcard address, and
  /// its Endpoint::scope.
  IpAddress from_address;
  std::uint32_t from_scope = 0;
  bool set_from = false;
  /// At most 48 bytes; copied.
  ByteView header;
  /// Not copied: must stay valid until SendQueue::flush.
  ByteView payload;
  /// 0..3 zero bytes after the payload.
  std::uint8_t padding_bytes = 0;
  /// Leave with DF=1, or not at all when too big for the link (DONT-FRAGMENT, RFC 8656 §18.9).
  bool dont_fragment = false;
};

/// What became of the datagrams of a SendQueue. Other threads may read it.
struct SendStats {
  RelaxedCounter sent;
  /// Not sent because the socket's or the link's buffer was full.
  RelaxedCounter dropped_full;
  /// Not sent because the kernel refused them: too big, no route, forbidden, …
  RelaxedCounter dropped_error;
  /// Trains that the kernel would not take; their datagrams were then sent one by one.
  RelaxedCounter refused_trains;
};

/// Collects datagrams of any ports and sends them with one system call per port (sendmmsg).
/// Datagrams of one size to one destination that follow each other leave as a train (UDP_SEGMENT):
/// one passage through the kernel, and as many datagrams on the wire.
///
/// Datagrams of one port leave in the order they were queued. Nothing is ever sent twice, waited
/// for, or thrown: what cannot be sent is counted and gone, as UDP allows.
/// A queue is used by one thread and must not move while ports have entries in it.
class SendQueue {
 public:
  /// Datagrams that fit before queueing flushes by itself.
  static constexpr std::size_t capacity = 256;
  /// Bytes that queue_copy() can hold; one datagram of any size fits.
  static constexpr std::size_t arena_bytes = 65536;

  SendQueue();
  /// Drops what was not flushed.
  ~SendQueue();
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;

  /// Queues one datagram; flushes first when full. False for a datagram whose addresses are not of
  /// the port's family: it counts as `dropped_error`.
  bool queue(UdpPort& port, const Outgoing& outgoing);

  /// Queues one more datagram like the one that was queued last, for the same `port`, but for its
  /// bytes, which are as in Outgoing.
  void queue_next(UdpPort& port, ByteView header, ByteView payload, std::uint8_t padding_bytes);

  /// Queues a copy of `bytes`, at most 65,536 of them; flushes first when full. `from` as
  /// Outgoing::from_address and from_scope.
  void queue_copy(UdpPort& port, const Endpoint& to, const std::optional<LocalAddress>& from,
                  ByteView bytes);

  /// Sends all that is queued; afterwards no payload is referred to any more.
  void flush();

  /// Drops what is queued for `port`, uncounted. UdpPort does it by itself when it closes.
  void forget(UdpPort& port);

  /// False when the kernel has no trains, or a network card that cannot make the checksums of one
  /// has refused it. Datagrams are then sent one by one, which costs more and is the same
  /// otherwise.
  [[nodiscard]] bool sends_trains() const { return sends_trains_; }

  /// Totals since construction.
  [[nodiscard]] const SendStats& stats() const { return stats_; }

 private:
  struct Entry;
  class Train;
  struct Messages;

  enum class RunEnd : std::uint8_t { all_gone, full, train_refused };

  [[nodiscard]] std::uint16_t take_entry();
  void append(UdpPort& port, std::uint16_t index);
  void drop_all();
  void describe_entries(const UdpPort& port, std::uint16_t first, bool as_trains);
  void send_port(const UdpPort& port);
  [[nodiscard]] RunEnd send_messages(const UdpPort& port);
  [[nodiscard]] RunEnd send_run(int descriptor, std::size_t& next, std::size_t end);

  std::unique_ptr<Entry[]> entries_;
  std::unique_ptr<Messages> messages_;      // scratch for flush()
  std::unique_ptr<std::uint8_t[]> arena_;   // the bytes of queue_copy()
  std::array<UdpPort*, capacity> ports_{};  // those with entries, in the order they came
  std::size_t ports_used_ = 0;
  std::size_t entries_used_ = 0;
  std::size_t arena_used_ = 0;
  bool sends_trains_;
  SendStats stats_;
};

}  // namespace turnpike::net
