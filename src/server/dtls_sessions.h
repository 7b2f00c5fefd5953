// The DTLS associations of one worker's clients: who may begin one, which datagram is whose, and
// when each ends. No sockets, no TURN.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/deadline_queue.h"
#include "base/relaxed_counter.h"
#include "net/dtls_endpoint.h"
#include "server/connection_limits.h"
#include "server/handshake_budget.h"
#include "server/tls_credentials.h"
#include "turn/effects.h"
#include "turn/flow_table.h"
#include "turn/live_relays.h"

namespace turnpike::server {

/// What became of DTLS clients and their datagrams.
struct DtlsCounters {
  RelaxedCounter open{};               ///< sessions, now
  RelaxedCounter challenged{};         ///< HelloVerifyRequests sent
  RelaxedCounter accepted{};           ///< handshakes begun
  RelaxedCounter established{};        ///< handshakes done
  RelaxedCounter replaced{};           ///< sessions whose client began anew and got through
  RelaxedCounter refused_rate{};       ///< too many handshakes of one network, or in all
  RelaxedCounter refused_limit{};      ///< too many sessions of one address
  RelaxedCounter dropped_half_open{};  ///< handshakes given up for younger ones
  RelaxedCounter handshake_timed_out{};
  RelaxedCounter timed_out{};      ///< no allocation in time
  RelaxedCounter failed{};         ///< broke a rule
  RelaxedCounter dropped_stray{};  ///< of no session, no whole ClientHello, or not to be answered
  RelaxedCounter dropped_too_large{};  ///< messages for clients that no record holds
};

/// A table of sessions by five-tuple.
///
/// A client that begins anew on the five-tuple of a session, with a cookie, gets a second one
/// beside it; it takes the first one's place once its handshake is done, and not before (RFC 6347
/// §4.2.8).
///
/// What is to be sent after a call is in output(), all of it to the client of that call's session.
class DtlsSessions {
 public:
  using Slot = std::uint32_t;

  struct Settings {
    seconds handshake_timeout{5};  ///< HOSTILE.md L04
    seconds idle_timeout{10};      ///< how long one may go unused; see on_deadline()
    std::size_t half_open_max = 1024;
  };

  /// The references must outlive the table. `relays`: those of this server, where no client is.
  DtlsSessions(const Settings& settings, const TlsCredentials& credentials,
               const turn::LiveRelays& relays, ConnectionLimits& connections,
               HandshakeBudget& handshakes, Random& random);

  /// What a datagram has led to. The messages are to be handled before the end, and the end of the
  /// replaced session before either.
  struct Outcome {
    std::optional<Slot> session;  ///< whose messages() were appended to
    bool has_replaced = false;    ///< the five-tuple's earlier session is over
    bool is_over = false;         ///< `session` is over: forget() it
  };

  /// Takes one datagram that stun::classify says is DTLS. `tuple.transport` is dtls; `listener` is
  /// kept for whoever answers. Appends to messages().
  [[nodiscard]] Outcome receive(const FiveTuple& tuple, turn::ListenerId listener,
                                ByteView datagram, Instant now);

  /// One message to the client. One that no record holds is counted and dropped.
  void send(Slot slot, ByteView message);

  /// When on_deadline() is needed next.
  [[nodiscard]] std::optional<Instant> next_deadline() const;

  /// Something whose time has come. output() is for the client of `tuple`.
  struct Due {
    Slot session;
    FiveTuple tuple;
    turn::ListenerId listener;
    bool is_idle = false;  ///< its idle_timeout has passed: keep() it, or close() and forget() it
    bool is_over = false;  ///< could not be sent to: forget() it
  };
  /// Does the next thing that is due; nothing when all is done.
  [[nodiscard]] std::optional<Due> on_deadline(Instant now);
  /// Lets it live another idle_timeout.
  void keep(Slot slot, Instant now) { ends_.set(slot, now + settings_.idle_timeout); }
  /// Says goodbye to a client that made no use of its session. Then forget() it.
  void close(Slot slot);
  /// Frees the slot.
  void forget(Slot slot);

  [[nodiscard]] const FiveTuple& tuple(Slot slot) const { return slots_.at(slot).tuple; }
  [[nodiscard]] turn::ListenerId listener(Slot slot) const { return slots_.at(slot).listener; }

  /// Messages of clients since clear_messages(). They stay where they are while receive() has
  /// room_for() its datagram.
  [[nodiscard]] const net::DatagramList& messages() const { return messages_; }
  [[nodiscard]] bool room_for(ByteView datagram) const {
    return messages_.bytes_left() >= datagram.size() + net::DtlsSession::message_bytes_max;
  }
  void clear_messages() { messages_.clear(); }

  [[nodiscard]] const net::DatagramList& output() const { return output_; }
  void clear_output() { output_.clear(); }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const DtlsCounters& counters() const { return counters_; }

 private:
  struct Entry {
    std::optional<net::DtlsSession> session;
    FiveTuple tuple;
    turn::ListenerId listener{};
    std::optional<Slot> successor;    // of the session in the table: its client has begun anew
    std::optional<Slot> predecessor;  // of a successor: not in the table yet
    bool is_broken = false;           // could not be sent to
  };

  [[nodiscard]] std::optional<Slot> find(const FiveTuple& tuple) const;
  void on_hello(const FiveTuple& tuple, turn::ListenerId listener, ByteView datagram, Instant now);
  [[nodiscard]] bool may_begin(const FiveTuple& tuple, Instant now);
  void begin(const FiveTuple& tuple, turn::ListenerId listener, Instant now);
  [[nodiscard]] Slot addressee(Slot slot, ByteView datagram) const;
  [[nodiscard]] bool on_established(Slot slot, Instant now);
  void set_timer(Slot slot, Instant now);

  Settings settings_;
  const TlsCredentials& credentials_;
  const turn::LiveRelays& relays_;
  ConnectionLimits& connections_;
  HandshakeBudget& handshakes_;
  net::DtlsListener listener_;
  std::deque<Entry> slots_;
  std::vector<Slot> free_;
  turn::FlowTable table_;
  std::size_t size_ = 0;
  DeadlineQueue timers_;     // retransmissions
  DeadlineQueue half_open_;  // ends of handshakes, the oldest first
  DeadlineQueue ends_;       // of established sessions that are not used
  net::DatagramList messages_;
  net::DatagramList output_;
  DtlsCounters counters_;
};

}  // namespace turnpike::server
