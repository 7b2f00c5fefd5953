#include "server/dtls_sessions.h"

#include <algorithm>

#include "turn/peer_policy.h"

namespace turnpike::server {
namespace {

constexpr milliseconds timer_step{20};  // OpenSSL's timers are that inexact
constexpr std::size_t message_memory_bytes = 128 * 1024;
constexpr std::uint8_t content_handshake = 22;

/// Of a session whose client begins anew: does the datagram belong to the new handshake?
bool is_of_handshake(ByteView datagram) {
  if (datagram.size() < 5) return false;
  return datagram[0] == content_handshake || load_be16(datagram.subspan(3)) == 0;  // epoch
}

}  // namespace

DtlsSessions::DtlsSessions(const Settings& settings, const TlsCredentials& credentials,
                           const turn::LiveRelays& relays, ConnectionLimits& connections,
                           HandshakeBudget& handshakes, Random& random)
    : settings_(settings),
      credentials_(credentials),
      relays_(relays),
      connections_(connections),
      handshakes_(handshakes),
      listener_(random),
      table_(HashSeed{random.next_u64()}) {}

std::optional<DtlsSessions::Slot> DtlsSessions::find(const FiveTuple& tuple) const {
  return table_.find(tuple, [this](Slot slot) { return slots_[slot].tuple; });
}

DtlsSessions::Outcome DtlsSessions::receive(const FiveTuple& tuple, turn::ListenerId listener,
                                            ByteView datagram, Instant now) {
  if (net::is_client_hello(datagram)) {
    on_hello(tuple, listener, datagram, now);
    return {};
  }
  const auto found = find(tuple);
  if (!found) {
    ++counters_.dropped_stray;
    return {};
  }
  const Slot slot = addressee(*found, datagram);
  net::DtlsSession& session = *slots_[slot].session;
  const bool was_established = session.is_established();
  messages_.reserve(message_memory_bytes);
  const auto status = session.receive(datagram, now, messages_, output_);
  const bool is_over = status != net::DtlsSession::Status::open;
  if (status == net::DtlsSession::Status::failed) ++counters_.failed;
  if (is_over && !session.is_established()) {
    forget(slot);
    return {};
  }
  if (!session.is_established()) {
    set_timer(slot, now);
    return {};
  }
  const bool has_replaced = !was_established && on_established(slot, now);
  return {slot, has_replaced, is_over};
}

DtlsSessions::Slot DtlsSessions::addressee(Slot slot, ByteView datagram) const {
  const auto& successor = slots_[slot].successor;
  return successor && is_of_handshake(datagram) ? *successor : slot;
}

// --- Beginnings ----------------------------------------------------------------------------------

void DtlsSessions::on_hello(const FiveTuple& tuple, turn::ListenerId listener, ByteView datagram,
                            Instant now) {
  // A HelloVerifyRequest goes to whoever the source address names, as any answer over UDP does.
  if (turn::is_unanswerable(tuple.client, Transport::udp, relays_)) {
    ++counters_.dropped_stray;
    return;
  }
  const auto existing = find(tuple);
  if (existing) {  // the network, or the client, has said it twice: timers answer that
    const Entry& entry = slots_[*existing];
    if (entry.session->began_with(datagram)) return;
    if (entry.successor && slots_[*entry.successor].session->began_with(datagram)) return;
  }
  switch (listener_.receive(credentials_.get(), tuple, datagram, now, output_)) {
    case net::DtlsListener::Hello::dropped:
      ++counters_.dropped_stray;
      return;
    case net::DtlsListener::Hello::challenged:
      ++counters_.challenged;
      return;
    case net::DtlsListener::Hello::verified:
      break;
  }
  if (may_begin(tuple, now)) begin(tuple, listener, now);
}

/// Counts the client among the connections of its address when it may.
bool DtlsSessions::may_begin(const FiveTuple& tuple, Instant now) {
  if (!handshakes_.spend(tuple.client.address, now)) {
    ++counters_.refused_rate;
    return false;
  }
  if (!connections_.add(tuple.client.address)) {
    ++counters_.refused_limit;
    return false;
  }
  // Whoever has had the most time is the least likely to be honest.
  if (half_open_.size() >= settings_.half_open_max) {
    if (const auto oldest = half_open_.pop_due(Instant::max())) forget(*oldest);
    ++counters_.dropped_half_open;
  }
  return true;
}

void DtlsSessions::begin(const FiveTuple& tuple, turn::ListenerId listener, Instant now) {
  auto existing = find(tuple);
  if (existing && slots_[*existing].successor) forget(*slots_[*existing].successor);
  if (existing && !slots_[*existing].session->is_established()) {  // begun anew before it was done
    forget(*existing);
    existing.reset();
  }
  if (free_.empty()) {
    free_.push_back(static_cast<Slot>(slots_.size()));
    slots_.emplace_back();
  }
  const Slot slot = free_.back();
  free_.pop_back();
  Entry& entry = slots_[slot];
  entry.session.emplace(listener_.accept(output_));
  entry.tuple = tuple;
  entry.listener = listener;
  entry.predecessor = existing;
  if (existing) {
    slots_[*existing].successor = slot;
  } else {
    table_.insert(tuple, slot);
  }
  ++size_;
  ++counters_.accepted;
  ++counters_.open;
  if (entry.session->status() != net::DtlsSession::Status::open) {  // no version or cipher shared
    ++counters_.failed;
    forget(slot);
    return;
  }
  half_open_.set(slot, now + settings_.handshake_timeout);
  set_timer(slot, now);
}

/// True when an earlier session of the five-tuple had to go.
bool DtlsSessions::on_established(Slot slot, Instant now) {
  ++counters_.established;
  half_open_.clear(slot);
  timers_.clear(slot);
  keep(slot, now);
  const auto predecessor = slots_[slot].predecessor;
  if (!predecessor) return false;
  ++counters_.replaced;
  forget(*predecessor);
  return true;
}

// --- Sending -------------------------------------------------------------------------------------

void DtlsSessions::send(Slot slot, ByteView message) {
  if (message.size() > net::DtlsSession::message_bytes_max) {
    ++counters_.dropped_too_large;
    return;
  }
  Entry& entry = slots_.at(slot);
  if (entry.session->send(message, output_) == net::DtlsSession::Status::open) return;
  entry.is_broken = true;
  ends_.set(slot, Instant::min());
}

// --- Time ----------------------------------------------------------------------------------------

void DtlsSessions::set_timer(Slot slot, Instant now) {
  timers_.clear(slot);
  if (const auto wait = slots_[slot].session->time_to_timer()) {
    timers_.set(slot, now + std::max<nanoseconds>(*wait, timer_step));
  }
}

std::optional<Instant> DtlsSessions::next_deadline() const {
  return earliest_of(timers_.next(), half_open_.next(), ends_.next());
}

std::optional<DtlsSessions::Due> DtlsSessions::on_deadline(Instant now) {
  while (const auto slot = half_open_.pop_due(now)) {
    ++counters_.handshake_timed_out;
    forget(*slot);
  }
  if (const auto slot = timers_.pop_due(now)) {
    const Due due{*slot, tuple(*slot), listener(*slot)};
    if (slots_[*slot].session->on_timer(output_) == net::DtlsSession::Status::open) {
      set_timer(*slot, now);
    } else {
      ++counters_.failed;
      forget(*slot);
    }
    return due;
  }
  if (const auto slot = ends_.pop_due(now)) {
    const bool is_over = slots_[*slot].is_broken;
    return Due{*slot, tuple(*slot), listener(*slot), !is_over, is_over};
  }
  return std::nullopt;
}

// --- Ends ----------------------------------------------------------------------------------------

void DtlsSessions::close(Slot slot) {
  ++counters_.timed_out;
  slots_.at(slot).session->close(output_);
}

void DtlsSessions::forget(Slot slot) {
  Entry& entry = slots_.at(slot);
  if (entry.predecessor) {
    slots_[*entry.predecessor].successor.reset();
  } else {
    table_.erase(entry.tuple, slot);
  }
  if (entry.successor) {
    slots_[*entry.successor].predecessor.reset();
    table_.insert(entry.tuple, *entry.successor);
  }
  for (DeadlineQueue* const queue : {&timers_, &half_open_, &ends_}) queue->clear(slot);
  connections_.remove(entry.tuple.client.address);
  entry = Entry{};
  free_.push_back(slot);
  --counters_.open;
  --size_;
}

}  // namespace turnpike::server
