// The part of the worker that serves TCP allocations (RFC 6062): relays that listen, connections to
// and from peers, and clients' data connections, which may have come to another worker.
#include "server/log.h"
#include "server/worker.h"

namespace turnpike::server {
namespace {

constexpr int connections_per_turn = 64;  // of one relay, then the others have their turn
constexpr seconds ending_time{60};        // for the other side to follow, with nothing moving

constexpr net::Interest nothing{.read = false, .write = false};

}  // namespace

// --- Relays --------------------------------------------------------------------------------------

std::error_code Worker::open_tcp_relay(const turn::OpenRelay& effect) {
  auto listener = net::TcpListener::open({.bind = effect.bind, .shares_with_connects = true});
  if (!listener) return listener.error();
  const PollToken token{PollKind::tcp_relay, effect.relay.generation, effect.relay.slot};
  if (const auto error = poller_.add(listener->descriptor(), token.value())) return error;
  if (effect.relay.slot >= tcp_relays_.size()) {
    tcp_relays_.resize(effect.relay.slot + std::size_t{1});
  }
  TcpRelay& relay = tcp_relays_[effect.relay.slot];
  relay.id = effect.relay;
  relay.is_paused = false;
  relay.listener.emplace(std::move(*listener));
  return {};
}

void Worker::close_tcp_relay(turn::RelayId id) {
  TcpRelay* const relay = find_tcp_relay(id);
  if (relay == nullptr) return;
  if (!relay->is_paused) poller_.remove(relay->listener->descriptor());
  relay->listener.reset();
}

Worker::TcpRelay* Worker::find_tcp_relay(turn::RelayId id) {
  if (id.slot >= tcp_relays_.size()) return nullptr;
  TcpRelay& relay = tcp_relays_[id.slot];
  return relay.listener && relay.id == id ? &relay : nullptr;
}

void Worker::on_tcp_relay_event(const PollToken& token) {
  TcpRelay& relay = tcp_relays_[token.slot];
  if (!relay.listener || PollToken{PollKind::tcp_relay, relay.id.generation, token.slot} != token) {
    return;
  }
  for (int i = 0; i < connections_per_turn; ++i) {
    auto accepted = relay.listener->accept();
    if (!accepted) {
      if (accepted.error() != std::errc::operation_would_block) pause_tcp_relay(relay);
      return;
    }
    const Endpoint peer = shared_.ledger.known_as(accepted->client);
    const auto verdict = server_.on_peer_accepted(relay.id, peer, now_, effects_);
    count(verdict.reason);
    if (verdict.connection) keep_peer(*verdict.connection, std::move(accepted->socket));
    apply_effects();
  }
}

/// There are no descriptors: accepting would fail again at once, and again, here and everywhere.
void Worker::pause_tcp_relay(TcpRelay& relay) {
  pause_accepting();
  poller_.remove(relay.listener->descriptor());
  relay.is_paused = true;
  paused_tcp_relays_.push_back(relay.id);
}

void Worker::resume_tcp_relays() {
  std::vector<turn::RelayId> ids;
  ids.swap(paused_tcp_relays_);
  for (const turn::RelayId id : ids) {
    TcpRelay* const relay = find_tcp_relay(id);
    if (relay == nullptr) continue;
    const PollToken token{PollKind::tcp_relay, id.generation, id.slot};
    relay->is_paused = static_cast<bool>(poller_.add(relay->listener->descriptor(), token.value()));
    if (relay->is_paused) paused_tcp_relays_.push_back(id);
  }
}

// --- Connections to and from peers ---------------------------------------------------------------

void Worker::apply(const turn::ConnectToPeer& effect) {
  const TcpRelay* const relay = find_tcp_relay(effect.relay);
  TURNPIKE_ASSERT(relay != nullptr);
  const Endpoint to = shared_.ledger.reached_at(effect.peer.endpoint());
  auto socket = net::TcpSocket::connect(relay->listener->local(), to);
  if (socket) {
    BridgeSlot& slot = keep_peer(effect.connection, std::move(*socket));
    slot.is_connecting = true;
    if (watch(slot)) return;
    close_bridge(slot);
  }
  count(server_.on_peer_connected(effect.connection, turn::ConnectOutcome::failed, now_, effects_));
}

void Worker::apply(const turn::ClosePeerConnection& effect) {
  if (BridgeSlot* const slot = find_bridge(effect.connection)) close_bridge(*slot);
}

Worker::BridgeSlot& Worker::keep_peer(turn::PeerConnectionId id, net::TcpSocket peer) {
  if (id.slot >= bridges_.size()) bridges_.resize(id.slot + std::size_t{1});
  BridgeSlot& slot = bridges_[id.slot];
  slot.id = id;
  slot.bridge.emplace(std::move(peer));
  return slot;
}

Worker::BridgeSlot* Worker::find_bridge(turn::PeerConnectionId id) {
  if (id.slot >= bridges_.size()) return nullptr;
  BridgeSlot& slot = bridges_[id.slot];
  return slot.bridge && slot.id == id ? &slot : nullptr;
}

void Worker::on_bridge_event(const PollToken& token, const net::Event& event) {
  BridgeSlot& slot = bridges_[token.slot];
  // The bridge may have been closed by an earlier event of the same wait.
  if (!slot.bridge || PollToken{token.kind, slot.id.generation, token.slot} != token) return;
  if (slot.is_connecting) return on_peer_connected(slot);
  const TcpBridge::Ready ready{event.readable, event.error};
  if (token.kind == PollKind::bridge_client) {
    move_bytes(slot, ready, {});
  } else {
    move_bytes(slot, {}, ready);
  }
}

void Worker::on_peer_connected(BridgeSlot& slot) {
  slot.is_connecting = false;
  const turn::PeerConnectionId id = slot.id;
  const bool has_failed = slot.bridge->peer().take_error() || !watch(slot);
  if (has_failed) close_bridge(slot);
  const auto outcome = has_failed ? turn::ConnectOutcome::failed : turn::ConnectOutcome::connected;
  count(server_.on_peer_connected(id, outcome, now_, effects_));
  apply_effects();
}

// --- Data ----------------------------------------------------------------------------------------

/// The connection that a ConnectionBind came on leaves the sessions, at the end of its turn.
void Worker::hand_over(std::uint32_t number) {
  SessionSlot& slot = sessions_[number];
  const turn::BindStreams streams = *slot.bound;
  end_claim(number);
  poller_.remove(slot.session->descriptor());
  StreamLetter letter{std::move(*slot.session), streams.connection};
  free_session(number);
  if (streams.owner == id_) return read(letter);
  Mail mail;  // of its own: a letter without bytes always finds room
  mail.add_stream(std::move(letter));
  const bool is_delivered = shared_.mailboxes.of(streams.owner).deliver(mail);
  TURNPIKE_ASSERT(is_delivered);
}

void Worker::read(StreamLetter& letter) {
  if (!server_.on_streams_bound(letter.connection)) {
    shared_.connections.remove(letter.client.tuple().client.address);
    return;  // closes it
  }
  BridgeSlot* const slot = find_bridge(letter.connection);
  TURNPIKE_ASSERT(slot != nullptr);
  slot->bridge->bind(std::move(letter.client));
  move_bytes(*slot, {.readable = true}, {.readable = true});
}

void Worker::move_bytes(BridgeSlot& slot, TcpBridge::Ready client, TcpBridge::Ready peer) {
  scratch_.resize(read_bytes);
  TcpBridge& bridge = *slot.bridge;
  const std::uint64_t to_peer_before = bridge.to_peer_bytes();
  const std::uint64_t to_client_before = bridge.to_client_bytes();
  const bool was_ending = bridge.is_ending();
  bridge.move(client, peer, scratch_);
  const std::uint64_t to_peer = bridge.to_peer_bytes() - to_peer_before;
  const std::uint64_t to_client = bridge.to_client_bytes() - to_client_before;
  server_.on_streams_moved(slot.id, to_peer, to_client);
  if (bridge.is_over() || !watch(slot)) return end_bridge(slot);
  const bool gets_on = to_peer + to_client > 0 || !was_ending;
  if (bridge.is_ending() && gets_on) {
    bridge_deadlines_.set(slot.id.slot, now_.instant + ending_time);
  }
}

/// Brings the poller up to what the bridge waits for. False when it does not take it.
bool Worker::watch(BridgeSlot& slot) {
  const TcpBridge& bridge = *slot.bridge;
  const auto change = [&](PollKind kind, int descriptor, net::Interest& watched,
                          net::Interest wanted) {
    const PollToken token{kind, slot.id.generation, slot.id.slot};
    if (poller_.change(descriptor, token.value(), watched, wanted)) return false;
    watched = wanted;
    return true;
  };
  const net::Interest wanted =
      slot.is_connecting ? net::Interest{.read = false, .write = true} : bridge.peer_interest();
  if (!change(PollKind::bridge_peer, bridge.peer().descriptor(), slot.watched_peer, wanted)) {
    return false;
  }
  return !bridge.is_bound() || change(PollKind::bridge_client, bridge.client().descriptor(),
                                      slot.watched_client, bridge.client_interest());
}

void Worker::end_overdue_bridges() {
  while (const auto slot = bridge_deadlines_.pop_due(now_.instant)) end_bridge(bridges_[*slot]);
}

/// Closes a bridge that has come to its end by itself.
void Worker::end_bridge(BridgeSlot& slot) {
  const turn::PeerConnectionId id = slot.id;
  close_bridge(slot);
  server_.on_peer_closed(id);
}

void Worker::close_bridge(BridgeSlot& slot) {
  const TcpBridge& bridge = *slot.bridge;
  if (slot.watched_peer != nothing) poller_.remove(bridge.peer().descriptor());
  if (slot.watched_client != nothing) poller_.remove(bridge.client().descriptor());
  if (bridge.is_bound()) shared_.connections.remove(bridge.client().tuple().client.address);
  bridge_deadlines_.clear(slot.id.slot);
  slot = BridgeSlot{};
}

}  // namespace turnpike::server
