#include "bench/udp_links.h"

#include <algorithm>

#include "bench/failure.h"
#include "net/clock.h"

namespace turnpike::bench {
namespace {

/// Sockets for clients that keep changing: with a prefix of 65,000 addresses, half a million
/// identities before the first comes again.
constexpr std::size_t sockets_to_renew = 8;
/// A loop's turn reads this often from a socket that goes on having something.
constexpr int reads_max = 4;

}  // namespace

UdpLinks::UdpLinks(const LinkOptions& options)
    : options_(options),
      server_(net::to_socket_address(options.server)),
      clients_(options.clients) {
  std::size_t wanted = options.clients;
  if (options.clients_from) {
    const std::size_t addresses = addresses_in(*options.clients_from);
    wanted = (options.clients + addresses - 1) / addresses;
    if (options.renews) wanted = std::max(wanted, sockets_to_renew);
  }
  sockets_.reserve(wanted);
  for (std::size_t i = 0; i < wanted; ++i) {
    sockets_.push_back(open_socket());
    if (const auto error = poller_.add(sockets_[i].descriptor(), i)) {
      throw BenchFailure{BenchFailure::Kind::refused, error.message()};
    }
  }
  for (std::size_t i = 0; i < options.clients; ++i) become(i, next_number_++);
}

UdpSocket UdpLinks::open_socket() {
  const bool is_told_apart = options_.transport == Transport::dtls && options_.clients_from;
  auto socket =
      UdpSocket::open({{IpAddress::any(options_.server.family()), 0}, is_told_apart}, buffers_);
  if (!socket) throw BenchFailure{BenchFailure::Kind::refused, socket.error()};
  return std::move(*socket);
}

void UdpLinks::become(std::size_t client, std::size_t number) {
  Identity& who = clients_[client];
  if (!options_.clients_from) {
    who.socket = number;
    return;
  }
  if (who.address) by_address_.erase({who.socket, *who.address});
  who.socket = number / addresses_in(*options_.clients_from) % sockets_.size();
  who.address = address_in(*options_.clients_from, number);
  if (options_.transport == Transport::dtls) by_address_[{who.socket, *who.address}] = client;
}

std::optional<std::size_t> UdpLinks::client_of(std::size_t socket,
                                               const IncomingTrain& train) const {
  if (!options_.clients_from) return socket;
  const auto found = by_address_.find({socket, train.to});
  if (found == by_address_.end()) return std::nullopt;
  return found->second;
}

MutableByteView UdpLinks::add(std::size_t client, std::size_t bytes, std::size_t message_bytes) {
  const Identity& who = clients_[client];
  return sockets_[who.socket].add(server_, bytes, message_bytes, who.address);
}

void UdpLinks::flush() { sockets_.front().flush(); }

bool UdpLinks::receive(MessageSink& sink) {
  if (sockets_.size() == 1) return receive_from(0, sink);
  bool any = false;
  for (const net::Event& event : poller_.poll()) {
    any |= receive_from(event.token, sink);
  }
  return any;
}

bool UdpLinks::receive_from(std::size_t socket, MessageSink& sink) {
  bool any = false;
  for (int i = 0; i < reads_max; ++i) {
    const auto trains = sockets_[socket].receive();
    if (trains.empty()) break;
    any = true;
    const Instant now = net::read_clock().instant;
    for (const IncomingTrain& train : trains) on_train(socket, train, sink, now);
  }
  return any;
}

void UdpLinks::on_train(std::size_t /*socket*/, const IncomingTrain& train, MessageSink& sink,
                        Instant now) {
  train.each([&](ByteView message) { sink.on_message(message, now); });
}

void UdpLinks::renew(std::size_t client) {
  if (options_.clients_from) return become(client, next_number_++);
  const std::size_t number = clients_[client].socket;
  poller_.remove(sockets_[number].descriptor());
  sockets_[number] = open_socket();
  if (const auto error = poller_.add(sockets_[number].descriptor(), number)) {
    throw BenchFailure{BenchFailure::Kind::refused, error.message()};
  }
}

}  // namespace turnpike::bench
