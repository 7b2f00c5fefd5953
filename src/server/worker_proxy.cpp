// The part of the worker that stands behind balancers: whom to believe, and whom they speak for.
#include <algorithm>

#include "base/proxy_protocol.h"
#include "server/worker.h"

namespace turnpike::server {
namespace {

// Connections of balancers that have not said for whom. A header comes with the first segment, so
// that more of them are a balancer gone wrong.
constexpr std::size_t awaiting_proxy_max = 1024;

}  // namespace

bool Worker::is_trusted(const IpAddress& source) const {
  const auto& trusted = shared_.proxy_trusted;
  return std::any_of(trusted.begin(), trusted.end(),
                     [&](const IpPrefix& prefix) { return prefix.contains(source); });
}

/// `flow` is the balancer's, as the kernel told it.
void Worker::on_proxied_datagram(turn::ClientFlow flow, ByteView bytes) {
  const Endpoint balancer = flow.tuple.client;
  if (!is_trusted(balancer.address)) return count(turn::Reason::dropped_untrusted_proxy);
  ProxyHeader header;
  if (find_proxy_header(bytes, ProxyCarrier::datagram, header) != ProxyState::complete) {
    return count(turn::Reason::dropped_proxy_header);
  }
  if (header.ends) {
    flow.tuple.client = header.ends->source;
    flow.through = balancer;
  }
  on_datagram(flow, bytes.subspan(header.size));
}

/// Counts the connection of a client. That of a balancer is counted once its client is known.
bool Worker::has_room_for(const IpAddress& source, const StreamListener& listener) {
  if (listener.expects_proxy && !is_trusted(source)) {
    ++stream_counters_.refused_untrusted;
    return false;
  }
  if (!listener.expects_proxy && !has_handshake_for(source, listener.transport)) return false;
  const bool has_room = listener.expects_proxy ? awaiting_proxy_ < awaiting_proxy_max
                                               : shared_.connections.add(source);
  if (!has_room) ++stream_counters_.refused_limit;
  return has_room;
}

/// Of a balancer's connection asked when its client is known, which is after the handshake when the
/// header stands inside TLS.
bool Worker::has_handshake_for(const IpAddress& client, Transport transport) {
  if (transport != Transport::tls || handshakes_.spend(client, now_.instant)) return true;
  ++stream_counters_.refused_rate;
  return false;
}

/// The session's PROXY header has come. False when its client is not let in.
bool Worker::accept_client(std::uint32_t number) {
  SessionSlot& slot = sessions_[number];
  slot.awaits_proxy = false;
  --awaiting_proxy_;
  const FiveTuple& tuple = slot.session->tuple();
  if (!has_handshake_for(tuple.client.address, tuple.transport)) return false;
  slot.is_counted = shared_.connections.add(tuple.client.address);
  if (!slot.is_counted) {
    ++stream_counters_.refused_limit;
    return false;
  }
  claim(number);
  return slot.session->accept_client();
}

/// Makes the session the one that speaks for its five-tuple. A client has no second connection from
/// the same port: one that claims it already is over for the client, and its balancer has only not
/// said so yet.
void Worker::claim(std::uint32_t number) {
  const FiveTuple& tuple = sessions_[number].session->tuple();
  const auto [claimed, is_new] = claims_.try_emplace(tuple, number);
  if (is_new) return;
  sessions_[claimed->second].is_over = true;
  touch(claimed->second);
  claimed->second = number;
  lose_client(tuple);
}

/// Ends what the session holds as a balancer's, and its client's allocation with it.
void Worker::end_claim(std::uint32_t number) {
  SessionSlot& slot = sessions_[number];
  if (slot.awaits_proxy) --awaiting_proxy_;
  if (!slot.is_proxied) return;
  const FiveTuple tuple = slot.session->tuple();
  const auto claimed = claims_.find(tuple);
  if (claimed == claims_.end() || claimed->second != number) return;
  claims_.erase(claimed);
  lose_client(tuple);
}

}  // namespace turnpike::server
