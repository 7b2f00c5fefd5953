#include "server/worker.h"

#include <system_error>

#include "net/clock.h"
#include "server/log.h"

namespace turnpike::server {

namespace {

constexpr int icmp_errors_per_turn = 64;  // of one relay; anybody may forge them, at any rate

}  // namespace

std::optional<net::LocalAddress> Worker::source_on(const net::UdpPort& port,
                                                   const FiveTuple& tuple) {
  if (!port.local().address.is_any()) return std::nullopt;
  return net::LocalAddress{tuple.server.address, tuple.server.scope};
}

Worker::Worker(const turn::Server::Settings& settings, const WorkerShared& shared,
               WorkerListeners listeners)
    : id_(settings.worker),
      server_(settings, *shared.book, shared.policy, shared.ledger, random_),
      shared_(shared),
      listeners_(std::move(listeners)),
      handshakes_(shared.handshakes, HashSeed{random_.next_u64()}),
      dtls_({.idle_timeout = shared.unauthenticated_timeout}, shared_.tls,
            shared_.ledger.live_relays(), shared_.connections, handshakes_, random_),
      outboxes_(shared.mailboxes.size()),
      claims_(0, TupleHash{HashSeed{random_.next_u64()}}),
      coalescer_(shared.longest_nap) {
  notice_trains();
  shared_.mailboxes.of(id_).attach(poller_);
  for (std::uint32_t i = 0; i < listeners_.udp.size(); ++i) {
    const auto token = PollToken{PollKind::udp_listener, 0, i}.value();
    if (const auto error = poller_.add(listeners_.udp[i].port.descriptor(), token)) {
      throw std::system_error{error, "epoll"};
    }
  }
  if (const auto error = resume_accepting()) throw std::system_error{error, "epoll"};
}

void Worker::run() {
  net::sleep_precisely();
  while (!stopping_) {
    take_turn();
    net::sleep(coalescer_.nap(now_.instant));
  }
}

// One `now` for all that is ready at once. What a batch produces is sent before the next batch
// overwrites the payloads it refers to.
void Worker::take_turn() {
  const auto deadline = next_deadline();
  // Not at all when input is left over.
  const auto events = backlog_.empty() ? poller_.wait_until(deadline) : poller_.poll();
  now_ = net::read_clock();
  const bool is_due = deadline && *deadline <= now_.instant;
  if (is_due) end_overdue_allocations();
  for (const net::Event& event : events) on_event(event);
  take_backlog();
  if (is_due) on_other_deadlines();
  flush_sessions();
  queue_.flush();
  deliver_mail();
  notice_trains();
  ++turns_;
}

/// Before the events: what has run out must not be found.
void Worker::end_overdue_allocations() {
  server_.on_deadline(now_, effects_);
  apply_effects();
  queue_.flush();
}

/// After the events: who was just heard in time is not overdue.
void Worker::on_other_deadlines() {
  end_overdue_sessions();
  resume_bridges();
  end_overdue_bridges();
  on_dtls_deadlines();
  give_up_parked();
}

/// Says so, once, when kernel or network card do not take trains.
void Worker::notice_trains() {
  if (queue_.sends_trains() == sends_trains_) return;
  sends_trains_ = queue_.sends_trains();
  log_event(LogLevel::info, "trains_off", {{"worker", static_cast<int>(id_)}});
}

void Worker::finish() {
  now_ = net::read_clock();
  server_.end_all(turn::CloseReason::shutdown, now_, effects_);
  apply_effects();
}

/// Of any kind.
std::optional<Instant> Worker::next_deadline() {
  return earliest_of(accepting_again_at_, server_.next_deadline(), session_deadlines_.next(),
                     bridge_deadlines_.next(), bridge_pauses_.next(), tls_handshakes_.next(),
                     dtls_.next_deadline(), parked_.next_deadline());
}

void Worker::stop() {
  stopping_ = true;
  poller_.wake();
}

void Worker::on_event(const net::Event& event) {
  if (event.token == net::Poller::wake_token) return read_mail();
  const PollToken token = PollToken::of(event.token);
  switch (token.kind) {
    case PollKind::udp_listener:
      on_listener_readable(turn::ListenerId{token.slot});
      return;
    case PollKind::stream_listener:
      on_connections_waiting(listeners_.streams.at(token.slot));
      return;
    case PollKind::relay:
      on_relay_event(token, event);
      return;
    case PollKind::tcp_relay:
      on_tcp_relay_event(token);
      return;
    case PollKind::bridge_peer:
    case PollKind::bridge_client:
      on_bridge_event(token, event);
      return;
    case PollKind::session:
      break;
  }
  // The session may have been closed by an earlier event of the same wait.
  const SessionSlot& slot = sessions_[token.slot];
  if (slot.session && PollToken{PollKind::session, slot.generation, token.slot} == token) {
    on_session_event(token.slot, event);
  }
}

void Worker::on_relay_event(const PollToken& token, const net::Event& event) {
  RelaySocket& relay = relays_[token.slot];
  if (!relay.port || PollToken{PollKind::relay, relay.id.generation, relay.id.slot} != token)
    return;
  if (event.error) on_relay_error(relay);
  if (event.readable) on_relay_readable(relay);
}

void Worker::on_listener_readable(turn::ListenerId id) {
  UdpListener& listener = listeners_.udp.at(static_cast<std::uint32_t>(id));
  coalescer_.note(listener.port.receive(batch_));
  for (auto rest = batch_.datagrams(); !rest.empty();) {
    const net::Received& datagram = rest.front();
    rest = rest.subspan(1);
    const Endpoint server{datagram.to_address, listener.port.local().port, datagram.to_scope};
    const turn::ClientFlow flow{{datagram.from, server, Transport::udp}, id, id_};
    if (listener.expects_proxy) {
      on_proxied_datagram(flow, datagram.bytes);
    } else if (listener.service == UdpService::plain ||
               !is_for_dtls(flow, listener.service, datagram.bytes)) {
      turn::Handled handled = server_.on_client_datagram(flow, datagram.bytes, now_, effects_);
      rest = handle_train(handled, rest);
      apply_effects();
    }
  }
  queue_.flush();
  dtls_.clear_messages();
}

/// `bytes` are the client's own, whoever brought them.
void Worker::on_datagram(const turn::ClientFlow& flow, ByteView bytes) {
  handle(server_.on_client_datagram(flow, bytes, now_, effects_));
  apply_effects();
}

/// Its connection or its association is gone.
void Worker::lose_client(const FiveTuple& tuple) {
  parked_.drop(tuple);
  server_.on_client_gone(tuple, now_, effects_);
  apply_effects();
}

void Worker::on_relay_readable(RelaySocket& relay) {
  coalescer_.note(relay.port->receive(batch_));
  for (auto rest = batch_.datagrams(); !rest.empty();) {
    const net::Received& datagram = rest.front();
    turn::Handled handled =
        server_.on_peer_datagram(relay.id, datagram.from, datagram.bytes, now_.instant);
    rest = handle_train(handled, rest.subspan(1));
  }
  queue_.flush();
}

void Worker::on_relay_error(RelaySocket& relay) {
  for (int left = icmp_errors_per_turn; left > 0; --left) {
    const auto error = relay.port->next_icmp();
    if (!error) break;
    const stun::Icmp icmp{error->type, error->code, error->mtu};
    count(server_.on_peer_icmp(relay.id, error->destination, icmp, now_, effects_));
    apply_effects();
  }
  queue_.flush();
}

/// The port that a forwarded datagram leaves by, as `forward` says it.
net::UdpPort* Worker::handle(const turn::Handled& handled) {
  count(handled.reason);
  return handled.forward ? forward(*handled.forward) : nullptr;
}

/// And what follows in the same train, as far as it goes the same way. What is left of `rest`.
std::span<const net::Received> Worker::handle_train(turn::Handled& handled,
                                                    std::span<const net::Received> rest) {
  net::UdpPort* const port = handle(handled);
  if (port == nullptr) return rest;
  while (!rest.empty() && rest.front().follows &&
         server_.relays_next(handled, rest.front().bytes, now_.instant)) {
    count(handled.reason);
    const turn::Forward& next = *handled.forward;
    queue_.queue_next(*port, next.header().view(), next.payload(), next.padding_bytes());
    rest = rest.subspan(1);
  }
  return rest;
}

/// The port that it leaves by at the next flush; null when it goes any other way, or none.
net::UdpPort* Worker::forward(const turn::Forward& forward) {
  net::Outgoing outgoing;
  outgoing.header = forward.header().view();
  outgoing.payload = forward.payload();
  outgoing.padding_bytes = forward.padding_bytes();
  if (const auto* peer = forward.peer_route()) {
    RelaySocket* const relay = find_relay(peer->via);
    if (relay == nullptr) return nullptr;
    outgoing.to = peer->to;
    outgoing.dont_fragment = peer->dont_fragment;
    return queue_.queue(*relay->port, outgoing) ? &*relay->port : nullptr;
  }
  if (const auto* neighbour = forward.neighbour_route()) {
    outbox(neighbour->to.worker)
        .add_datagram(neighbour->to.relay, neighbour->from, forward.payload());
    return nullptr;
  }
  if (const auto* home = forward.home_route()) {
    outbox(home->home).add_from_guest(home->from, forward.payload());
    return nullptr;
  }
  const turn::ClientFlow& flow = *forward.client_route();
  if (flow.worker != id_) {
    send_abroad(flow, forward.header().view(), forward.payload(), forward.padding_bytes());
    return nullptr;
  }
  if (const auto session = session_of(flow.listener)) {
    send_to_session(*session, forward);
    return nullptr;
  }
  if (const auto session = dtls_session_of(flow.listener)) {
    send_to_dtls(*session, forward);
    return nullptr;
  }
  net::UdpPort& port = listener(flow.listener);
  outgoing.to = flow.reply_to();
  if (const auto source = source_on(port, flow.tuple)) {
    outgoing.from_address = source->address;
    outgoing.from_scope = source->scope;
    outgoing.set_from = true;
  }
  return queue_.queue(port, outgoing) ? &port : nullptr;
}

// Opening a relay appends the answer to the same list, so the list is walked by index and each
// effect is copied out of it first.
void Worker::apply_effects() {
  for (std::size_t i = 0; i < effects_.list().size(); ++i) {
    const turn::Effect effect = effects_.list()[i];
    std::visit([this](const auto& e) { apply(e); }, effect);
  }
  effects_.clear();
}

void Worker::apply(const turn::SendToClient& effect) {
  if (effect.flow.worker != id_) {
    return send_abroad(effect.flow, {}, effects_.bytes_of(effect), 0);
  }
  if (const auto session = session_of(effect.flow.listener)) {
    return reply_to_session(*session, effects_.bytes_of(effect));
  }
  if (const auto session = dtls_session_of(effect.flow.listener)) {
    return reply_to_dtls(*session, effects_.bytes_of(effect));
  }
  net::UdpPort& port = listener(effect.flow.listener);
  queue_.queue_copy(port, effect.flow.reply_to(), source_on(port, effect.flow.tuple),
                    effects_.bytes_of(effect));
}

void Worker::apply(const turn::OpenRelay& effect) {
  server_.on_relay_opened(effect.relay, open_relay(effect), now_, effects_);
}

void Worker::apply(const turn::CloseRelay& effect) {
  RelaySocket* const relay = find_relay(effect.relay);
  if (relay == nullptr) return close_tcp_relay(effect.relay);
  relay->port.reset();  // and with its only descriptor what the poller knows of it
}

/// The session is still in use for the message that said so.
void Worker::apply(const turn::BindStreams& effect) {
  const auto session = session_of(effect.client.listener);
  TURNPIKE_ASSERT(session);
  sessions_.at(*session).bound = effect;
  touch(*session);
}

std::optional<turn::RelayOpenError> Worker::open_relay(const turn::OpenRelay& effect) {
  const std::error_code error = effect.transport == turn::PeerTransport::udp
                                    ? open_udp_relay(effect)
                                    : open_tcp_relay(effect);
  if (!error) return std::nullopt;
  if (error == std::errc::address_in_use) return turn::RelayOpenError::port_in_use;
  if (now_.instant >= relay_warning_after_) {
    log_event(LogLevel::warn, "relay_not_opened",
              {{"address", effect.bind.to_string()}, {"error", error.message()}});
    relay_warning_after_ = now_.instant + seconds{1};
  }
  return turn::RelayOpenError::no_resources;
}

std::error_code Worker::open_udp_relay(const turn::OpenRelay& effect) {
  auto port =
      net::UdpPort::open({.bind = effect.bind, .report_icmp = true, .receive_trains = true});
  if (!port) return port.error();
  const PollToken token{PollKind::relay, effect.relay.generation, effect.relay.slot};
  if (const auto error = poller_.add(port->descriptor(), token.value())) return error;
  if (effect.relay.slot >= relays_.size()) relays_.resize(effect.relay.slot + std::size_t{1});
  RelaySocket& relay = relays_[effect.relay.slot];
  relay.id = effect.relay;
  relay.port.emplace(std::move(*port));
  return {};
}

Worker::RelaySocket* Worker::find_relay(turn::RelayId id) {
  if (id.slot >= relays_.size()) return nullptr;
  RelaySocket& relay = relays_[id.slot];
  return relay.port && relay.id == id ? &relay : nullptr;
}

net::UdpPort& Worker::listener(turn::ListenerId id) {
  return listeners_.udp.at(static_cast<std::uint32_t>(id)).port;
}

}  // namespace turnpike::server
