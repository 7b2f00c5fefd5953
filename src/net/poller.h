// Waits until descriptors can be read. A thin level-triggered epoll; knows nothing about sockets.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <system_error>

#include "base/time.h"

namespace turnpike::net {

/// Something happened to the descriptor added with `token`.
struct Event {
  std::uint64_t token = 0;
  bool readable = false;
  /// Only for descriptors with watch_writable().
  bool writable = false;
  /// An error waits (a UdpPort's next_icmp()), or the other side hung up.
  bool error = false;
};

/// What a descriptor is watched for.
struct Interest {
  bool read = true;
  bool write = false;

  friend bool operator==(const Interest&, const Interest&) = default;
};

/// A set of descriptors to wait for. Level-triggered: what is not read is reported again.
/// All but wake() belongs to one thread.
///
/// Deadlines lie far ahead of most waits and hardly change, so a timer of its own stands for the
/// earliest: a timeout for each wait would have the kernel, and a virtual machine's host, set a
/// timer anew for each datagram.
class Poller {
 public:
  /// The token of the event that wake() causes; not for add().
  static constexpr std::uint64_t wake_token = std::numeric_limits<std::uint64_t>::max();

  /// Throws std::system_error when the kernel gives no descriptors.
  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// Watches `descriptor` for reading and errors. Error: what the kernel says (ENOSPC, ENOMEM, …).
  [[nodiscard]] std::error_code add(int descriptor, std::uint64_t token);

  /// Also reports, or reports no more, when `descriptor`, added with `token`, takes more bytes.
  void watch_writable(int descriptor, std::uint64_t token, bool wanted);

  /// Changes what `descriptor` is watched for. With neither, it leaves the set: the other side's
  /// hanging up is not reported then. `before`: what it is watched for now. Error: as add().
  [[nodiscard]] std::error_code change(int descriptor, std::uint64_t token, Interest before,
                                       Interest wanted);

  /// Stops watching, as closing the socket's only descriptor does. Events that the latest call has
  /// already returned still carry the token.
  void remove(int descriptor);

  /// Waits for the first event, at most until `deadline` (net::read_clock(); nothing: for ever).
  /// May return earlier without events: by a signal, and at the deadline of an earlier call. The
  /// events are valid until the next call.
  [[nodiscard]] std::span<const Event> wait_until(std::optional<Instant> deadline);

  /// What has happened by now, without waiting. The events are valid until the next call.
  [[nodiscard]] std::span<const Event> poll();

  /// Readable when poll() would return events: for another set. Stays owned by this object.
  [[nodiscard]] int descriptor() const { return epoll_; }

  /// Makes the running or the next wait return an event with `wake_token`; several calls may
  /// make one event. From any thread.
  void wake();

 private:
  static constexpr std::size_t events_max = 256;

  [[nodiscard]] std::span<const Event> take_events(int timeout_ms);
  void arm_timer(Instant deadline);
  void drain_wake() const;

  int epoll_;
  int wake_;
  int timer_;
  std::optional<Instant> armed_for_;  // when timer_ goes off
  std::array<epoll_event, events_max> native_{};
  std::array<Event, events_max> events_{};
};

}  // namespace turnpike::net
