// The half of the worker that serves DTLS clients: which datagrams are theirs, their messages, and
// what goes back to them.
#include <algorithm>

#include "server/worker.h"
#include "stun/demux.h"

namespace turnpike::server {

/// Takes what is not for the plain service of a port with DTLS on it.
bool Worker::is_for_dtls(const turn::ClientFlow& flow, UdpService service, ByteView datagram) {
  if (stun::classify(datagram) == stun::Protocol::dtls) {
    on_dtls_datagram(flow, datagram);
    return true;
  }
  if (service == UdpService::both) return false;
  count(turn::Reason::dropped_not_turn);
  return true;
}

void Worker::on_dtls_datagram(const turn::ClientFlow& arrived, ByteView datagram) {
  const FiveTuple tuple{arrived.tuple.client, arrived.tuple.server, Transport::dtls};
  // What was forwarded before still points into the messages.
  if (!dtls_.room_for(datagram)) {
    queue_.flush();
    dtls_.clear_messages();
  }
  const std::size_t first = dtls_.messages().size();
  const auto outcome = dtls_.receive(tuple, arrived.listener, datagram, now_.instant);
  send_dtls_output(tuple, arrived.listener);
  if (outcome.has_replaced) lose_client(tuple);
  if (!outcome.session) return;
  const turn::ClientFlow flow{tuple, listener_of_dtls_session(*outcome.session), id_};
  for (std::size_t i = first; i < dtls_.messages().size(); ++i) {
    handle(server_.on_client_datagram(flow, dtls_.messages()[i], now_, effects_));
    apply_effects();
  }
  if (outcome.is_over) end_dtls_session(*outcome.session);
}

/// Header, payload and padding become one message: encryption copies anyway.
void Worker::send_to_dtls(std::uint32_t slot, const turn::Forward& forward) {
  const ByteView header = forward.header().view();
  const ByteView payload = forward.payload();
  dtls_message_.assign(header.begin(), header.end());
  dtls_message_.insert(dtls_message_.end(), payload.begin(), payload.end());
  dtls_message_.resize(dtls_message_.size() + forward.padding_bytes());
  reply_to_dtls(slot, dtls_message_);
}

void Worker::reply_to_dtls(std::uint32_t slot, ByteView bytes) {
  dtls_.send(slot, bytes);
  send_dtls_output(dtls_.tuple(slot), dtls_.listener(slot));
}

void Worker::send_dtls_output(const FiveTuple& tuple, turn::ListenerId id) {
  net::UdpPort& port = listener(id);
  for (std::size_t i = 0; i < dtls_.output().size(); ++i) {
    queue_.queue_copy(port, tuple.client, source_on(port, tuple), dtls_.output()[i]);
  }
  dtls_.clear_output();
}

void Worker::end_dtls_session(std::uint32_t slot) {
  const FiveTuple tuple = dtls_.tuple(slot);
  lose_client(tuple);  // before the slot is free
  dtls_.forget(slot);
}

/// A session without an allocation has its time; with one, it is asked again later.
void Worker::on_dtls_deadlines() {
  while (const auto due = dtls_.on_deadline(now_.instant)) {
    if (due->is_idle && server_.has_allocation(due->tuple)) {
      dtls_.keep(due->session, now_.instant);
      continue;
    }
    if (due->is_idle) dtls_.close(due->session);
    send_dtls_output(due->tuple, due->listener);
    if (due->is_idle || due->is_over) end_dtls_session(due->session);
  }
}

}  // namespace turnpike::server
