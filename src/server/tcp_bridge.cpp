#include "server/tcp_bridge.h"

#include <utility>

#include "base/assert.h"

namespace turnpike::server {

void TcpBridge::bind(StreamSession client) { client_.emplace(std::move(client)); }

void TcpBridge::move(Ready client, Ready peer, MutableByteView scratch) {
  if ((client.readable || client.hung_up) && client_interest().read) {
    read_client(scratch, client.hung_up);
  }
  if ((peer.readable || peer.hung_up) && peer_interest().read) read_peer(scratch, peer.hung_up);
  write_peer();
  write_client();
}

void TcpBridge::read_client(MutableByteView scratch, bool hung_up) {
  client_ended_ = !client_->receive(scratch);
  // A reset, or our FIN is sent too: whatever still waits for the client, it cannot be reached.
  if (client_ended_ && hung_up) client_finished_ = true;
}

void TcpBridge::read_peer(MutableByteView scratch, bool hung_up) {
  const auto count = peer_.read(scratch);
  if (!count) {
    peer_ended_ = count.error() == net::StreamStop::ended;
    if (peer_ended_ && hung_up) peer_finished_ = true;
    return;
  }
  if (client_finished_) return;  // read and forgotten: a close with unread input is a reset
  const bool has_room = client_->queue(scratch.first(*count), {}, 0);
  TURNPIKE_ASSERT(has_room);
  to_client_bytes_ += *count;
}

void TcpBridge::write_peer() {
  while (!peer_finished_ && !client_->data().empty()) {
    const auto count = peer_.write(client_->data());
    if (!count && count.error() == net::StreamStop::would_block) return;
    if (!count) {
      peer_finished_ = true;
      break;
    }
    client_->take_data(*count);
    to_peer_bytes_ += *count;
  }
  if (client_ended_ && !peer_finished_) {
    peer_.finish_writing();
    peer_finished_ = true;
  }
  if (peer_finished_) client_->take_data(client_->data().size());
}

void TcpBridge::write_client() {
  if (client_finished_) return;
  if (peer_ended_ || (client_ended_ && client_->is_tls())) client_->finish();
  client_finished_ = !client_->flush() || client_->has_finished();
}

net::Interest TcpBridge::client_interest() const {
  return {.read = !client_ended_ && client_->data().size() < mark_bytes,
          .write = !client_finished_ && client_->wants_to_write()};
}

net::Interest TcpBridge::peer_interest() const {
  if (!client_) return {.read = false, .write = false};
  const bool has_room = client_finished_ || client_->queued_bytes() < mark_bytes;
  return {.read = !peer_ended_ && has_room, .write = !peer_finished_ && !client_->data().empty()};
}

}  // namespace turnpike::server
