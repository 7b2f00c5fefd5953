// The half of the worker that serves TCP and TLS clients: accepting, reading messages, writing
// back, and closing whoever overstays.
#include <algorithm>

#include "server/log.h"
#include "server/worker.h"

namespace turnpike::server {
namespace {

constexpr int messages_per_turn = 64;        // of one session, then the others have their turn
constexpr int connections_per_turn = 64;     // of one listener
constexpr milliseconds accept_pause{200};    // when the host has no descriptors left
constexpr seconds closing_time{2};           // to take the last answer and go
constexpr seconds tls_handshake_timeout{5};  // HOSTILE.md L04
constexpr std::size_t tls_half_open_max = 1024;

}  // namespace

void Worker::on_connections_waiting(StreamListener& listener) {
  for (int i = 0; i < connections_per_turn; ++i) {
    auto accepted = listener.socket.accept();
    if (accepted) {
      admit(std::move(*accepted), listener);
      continue;
    }
    if (accepted.error() == std::errc::operation_would_block) return;
    log_event(LogLevel::warn, "accept_failed", {{"error", accepted.error().message()}});
    pause_accepting();  // it would fail again at once, and again
    return;
  }
}

void Worker::admit(net::Accepted accepted, const StreamListener& listener) {
  const IpAddress& client = accepted.client.address;
  if (!has_room_for(client, listener)) return;  // closes the socket
  if (free_sessions_.empty()) {
    free_sessions_.push_back(static_cast<std::uint32_t>(sessions_.size()));
    sessions_.emplace_back();
  }
  const std::uint32_t number = free_sessions_.back();
  SessionSlot& slot = sessions_[number];
  const PollToken token{PollKind::session, slot.generation, number};
  if (poller_.add(accepted.socket.descriptor(), token.value())) {
    if (!listener.expects_proxy) shared_.connections.remove(client);
    return;
  }
  free_sessions_.pop_back();
  const FiveTuple tuple{accepted.client, accepted.local, listener.transport};
  slot.session.emplace(std::move(accepted.socket), tuple,
                       listener.transport == Transport::tls ? shared_.tls.get() : nullptr,
                       listener.expects_proxy);
  slot.is_counted = !listener.expects_proxy;
  slot.is_proxied = slot.awaits_proxy = listener.expects_proxy;
  if (slot.awaits_proxy) ++awaiting_proxy_;
  session_deadlines_.set(number, now_.instant + shared_.unauthenticated_timeout);
  if (listener.transport == Transport::tls) begin_tls_handshake(number);
  ++stream_counters_.accepted;
  ++stream_counters_.open;
}

/// Of too many at once the oldest is given up: it has had the most time and is the least likely to
/// be honest.
void Worker::begin_tls_handshake(std::uint32_t number) {
  if (tls_handshakes_.size() >= tls_half_open_max) {
    if (const auto oldest = tls_handshakes_.pop_due(Instant::max())) {
      ++stream_counters_.dropped_half_open;
      sessions_[*oldest].is_over = true;
      touch(*oldest);
    }
  }
  tls_handshakes_.set(number, now_.instant + tls_handshake_timeout);
}

void Worker::pause_accepting() {
  if (accepting_again_at_) return;  // another listener has met the same trouble in this turn
  for (const StreamListener& listener : listeners_.streams)
    poller_.remove(listener.socket.descriptor());
  accepting_again_at_ = now_.instant + accept_pause;
}

std::error_code Worker::resume_accepting() {
  accepting_again_at_.reset();
  for (std::uint32_t i = 0; i < listeners_.streams.size(); ++i) {
    const PollToken token{PollKind::stream_listener, 0, i};
    const auto error = poller_.add(listeners_.streams[i].socket.descriptor(), token.value());
    if (!error) continue;
    for (; i > 0; --i) poller_.remove(listeners_.streams[i - 1].socket.descriptor());
    accepting_again_at_ = now_.instant + accept_pause;
    return error;
  }
  resume_tcp_relays();
  return {};
}

void Worker::on_session_event(std::uint32_t number, const net::Event& event) {
  SessionSlot& slot = sessions_[number];
  if (event.writable) touch(number);
  if (!event.readable && !event.error) return;
  if (slot.is_in_backlog) return;  // what is left over comes first, or the input grows without end
  scratch_.resize(read_bytes);
  const bool was_established = slot.session->is_established();
  const bool goes_on = slot.session->receive(scratch_);
  if (slot.session->is_established()) {
    tls_handshakes_.clear(number);
    if (!was_established) ++stream_counters_.tls_established;
  }
  take_messages(number);
  if (!goes_on) slot.is_over = true;
  if (!slot.bound && slot.session->floods_with_records(now_.instant)) {
    ++stream_counters_.flooded;
    slot.is_over = true;
  }
  touch(number);  // TLS may have something to say of its own
}

/// Handles whole messages, up to a turn's worth. What they forward points into the session's input,
/// so it is sent before the input is let go.
void Worker::take_messages(std::uint32_t number) {
  SessionSlot& slot = sessions_[number];
  StreamSession& session = *slot.session;
  turn::ClientFlow flow{session.tuple(), listener_of_session(number), id_};
  int left = messages_per_turn;
  ByteView message;
  for (; left > 0 && !slot.is_over && !slot.bound && !slot.speaks_http && !session.is_closing();
       --left) {
    const StreamInput input = session.next(message);
    if (input == StreamInput::incomplete) break;
    if (input == StreamInput::message) {
      handle(server_.on_client_datagram(flow, message, now_, effects_));
      apply_effects();
    } else if (input == StreamInput::proxy_header) {
      if (!accept_client(number)) slot.is_over = true;
      flow.tuple = session.tuple();
    } else if (input == StreamInput::http && shared_.http != nullptr) {
      slot.speaks_http = true;
    } else if (input == StreamInput::http) {
      session.answer_http();
      session_deadlines_.set(number, now_.instant + closing_time);
    } else {
      ++(slot.awaits_proxy ? stream_counters_.no_proxy_header : stream_counters_.broken);
      slot.is_over = true;
    }
  }
  queue_.flush();
  session.compact();
  if (left > 0 || slot.bound || slot.speaks_http || !session.has_input()) return;
  slot.is_in_backlog = true;
  backlog_.push_back(number);
}

void Worker::take_backlog() {
  std::vector<std::uint32_t> numbers;
  numbers.swap(backlog_);
  for (const std::uint32_t number : numbers) {
    if (!sessions_[number].session) continue;
    sessions_[number].is_in_backlog = false;
    take_messages(number);
    touch(number);
  }
}

void Worker::send_to_session(std::uint32_t number, const turn::Forward& forward) {
  SessionSlot& slot = sessions_.at(number);
  if (!slot.session->queue(forward.header().view(), forward.payload(), forward.padding_bytes())) {
    ++stream_counters_.dropped_full;  // as a router would: the newest datagram is lost
    return;
  }
  touch(number);
}

void Worker::reply_to_session(std::uint32_t number, ByteView bytes) {
  SessionSlot& slot = sessions_.at(number);
  // Whoever does not even read the answers to his requests is beyond help.
  if (!slot.session->queue(bytes, {}, 0)) slot.is_over = true;
  touch(number);
}

void Worker::touch(std::uint32_t number) {
  SessionSlot& slot = sessions_[number];
  if (slot.is_touched) return;
  slot.is_touched = true;
  touched_.push_back(number);
}

/// What one turn has queued leaves in one write, and one TLS record.
void Worker::flush_sessions() {
  // Closing a session ends its allocation, which touches no other session.
  for (const std::uint32_t number : touched_) {
    SessionSlot& slot = sessions_[number];
    slot.is_touched = false;
    if (!slot.session->flush()) slot.is_over = true;
    if (slot.is_over) {
      close_session(number);
      continue;
    }
    if (slot.bound) {
      hand_over(number);
      continue;
    }
    if (slot.speaks_http) {
      hand_over_to_http(number);
      continue;
    }
    const bool wants = slot.session->wants_to_write();
    if (wants == slot.watches_writable) continue;
    const PollToken token{PollKind::session, slot.generation, number};
    poller_.watch_writable(slot.session->descriptor(), token.value(), wants);
    slot.watches_writable = wants;
  }
  touched_.clear();
}

/// A browser has come: the connection leaves this thread with all that has been read of it. It
/// stays counted in ConnectionLimits.
void Worker::hand_over_to_http(std::uint32_t number) {
  SessionSlot& slot = sessions_[number];
  end_claim(number);
  poller_.remove(slot.session->descriptor());
  StreamSession session = std::move(*slot.session);
  free_session(number);
  shared_.http->deliver(std::move(session));
}

/// A connection without an allocation has its time; with one, it is asked again later.
void Worker::end_overdue_sessions() {
  while (const auto number = tls_handshakes_.pop_due(now_.instant)) {
    ++stream_counters_.handshake_timed_out;
    sessions_[*number].is_over = true;
    touch(*number);
  }
  while (const auto number = session_deadlines_.pop_due(now_.instant)) {
    SessionSlot& slot = sessions_[*number];
    if (!slot.session->is_closing() && server_.has_allocation(slot.session->tuple())) {
      session_deadlines_.set(*number, now_.instant + shared_.unauthenticated_timeout);
      continue;
    }
    if (!slot.session->is_closing()) ++stream_counters_.timed_out;
    slot.is_over = true;
    touch(*number);
  }
  if (!accepting_again_at_ || *accepting_again_at_ > now_.instant) return;
  if (const auto error = resume_accepting()) {
    log_event(LogLevel::warn, "accept_failed", {{"error", error.message()}});
  }
}

void Worker::close_session(std::uint32_t number) {
  SessionSlot& slot = sessions_[number];
  end_claim(number);
  const FiveTuple tuple = slot.session->tuple();
  const bool is_proxied = slot.is_proxied;
  if (slot.is_counted) shared_.connections.remove(tuple.client.address);
  poller_.remove(slot.session->descriptor());
  free_session(number);
  if (is_proxied) return;  // end_claim() has told the server
  lose_client(tuple);
}

void Worker::free_session(std::uint32_t number) {
  SessionSlot& slot = sessions_[number];
  session_deadlines_.clear(number);
  tls_handshakes_.clear(number);
  slot.session.reset();
  const std::uint32_t next_generation = slot.generation + 1;
  slot = SessionSlot{};
  slot.generation = next_generation;
  free_sessions_.push_back(number);
  --stream_counters_.open;
}

}  // namespace turnpike::server
