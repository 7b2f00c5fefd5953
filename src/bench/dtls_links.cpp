#include "bench/dtls_links.h"

#include <fmt/format.h>

#include "bench/failure.h"

namespace turnpike::bench {

DtlsLinks::DtlsLinks(const LinkOptions& options)
    : UdpLinks(options), options_(options), clients_(options.clients) {
  auto context = net::TlsClientContext::make(Transport::dtls, options.server_name);
  if (!context) throw BenchFailure{BenchFailure::Kind::refused, context.error()};
  context_ = std::move(*context);
}

MutableByteView DtlsLinks::add(std::size_t client, std::size_t bytes, std::size_t message_bytes) {
  if (outbox_.size() < outbox_bytes_ + bytes) outbox_.resize(outbox_bytes_ + bytes);
  const MutableByteView room = MutableByteView{outbox_}.subspan(outbox_bytes_, bytes);
  outbox_bytes_ += bytes;
  outgoing_.push_back({client, bytes, message_bytes});
  return room;
}

void DtlsLinks::flush() {
  std::size_t at = 0;
  for (const Outgoing& out : outgoing_) {
    send(out.client, ByteView{outbox_}.subspan(at, out.bytes), out.message_bytes);
    at += out.bytes;
  }
  outgoing_.clear();
  outbox_bytes_ = 0;
  UdpLinks::flush();
}

void DtlsLinks::send(std::size_t number, ByteView messages, std::size_t message_bytes) {
  Client& client = clients_[number];
  wire_.clear();
  if (!client.session) {
    client.session.emplace(*context_, wire_);
    send_wire(number, wire_.size());
  }
  std::size_t record_bytes = 0;
  wire_.clear();
  while (!messages.empty()) {
    const ByteView message = messages.first(std::min(message_bytes, messages.size()));
    messages = messages.subspan(message.size());
    if (!client.session->is_established()) {
      client.waiting.emplace_back(message.begin(), message.end());
      continue;
    }
    if (!client.session->send(message, wire_)) fail(client);
    if (record_bytes == 0) record_bytes = wire_.size();
  }
  send_wire(number, record_bytes);
}

/// Sends wire_ as datagrams of that size. Records of messages of one size have one size.
void DtlsLinks::send_wire(std::size_t number, std::size_t datagram_bytes) {
  if (wire_.empty()) return;
  copy_bytes(wire_, UdpLinks::add(number, wire_.size(), datagram_bytes));
}

void DtlsLinks::on_train(std::size_t socket, const IncomingTrain& train, MessageSink& sink,
                         Instant now) {
  const auto client = client_of(socket, train);
  if (!client) return;
  train.each([&](ByteView datagram) { on_datagram(*client, datagram, sink, now); });
}

void DtlsLinks::on_datagram(std::size_t number, ByteView datagram, MessageSink& sink, Instant now) {
  Client& client = clients_[number];
  if (!client.session) return;
  wire_.clear();
  plaintext_.clear();
  if (!client.session->receive(datagram, plaintext_, wire_)) fail(client);
  send_wire(number, wire_.size());
  ByteView rest{plaintext_.bytes};
  for (const std::size_t piece : plaintext_.pieces) {
    sink.on_message(rest.first(piece), now);
    rest = rest.subspan(piece);
  }
  if (!client.session->is_established() || client.waiting.empty()) return;
  const std::vector<Bytes> waiting = std::exchange(client.waiting, {});
  for (const Bytes& message : waiting) send(number, message, message.size());
}

void DtlsLinks::renew(std::size_t client) {
  clients_[client] = {};
  UdpLinks::renew(client);
}

void DtlsLinks::on_tick() {
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (!clients_[i].session || clients_[i].session->is_established()) continue;
    wire_.clear();
    clients_[i].session->on_timer(wire_);
    send_wire(i, wire_.size());
  }
}

void DtlsLinks::fail(const Client& client) const {
  throw BenchFailure{
      BenchFailure::Kind::unreachable,
      fmt::format("{} over dtls: {}", options_.server.to_string(), client.session->problem())};
}

}  // namespace turnpike::bench
