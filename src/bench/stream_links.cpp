#include "bench/stream_links.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "bench/failure.h"
#include "bench/framing.h"
#include "net/clock.h"
#include "net/socket_address.h"

namespace turnpike::bench {
namespace {

constexpr std::size_t read_bytes = 262'144;

std::string words(int error) { return std::generic_category().message(error); }

void set_on(int descriptor, int level, int name) {
  const int on = 1;  // best effort
  ::setsockopt(descriptor, level, name, &on, sizeof on);
}

}  // namespace

StreamLinks::StreamLinks(const LinkOptions& options)
    : options_(options), clients_(options.clients), inbox_(read_bytes) {
  if (options.transport != Transport::tls) return;
  auto context = net::TlsClientContext::make(Transport::tls, options.server_name);
  if (!context) throw BenchFailure{BenchFailure::Kind::refused, context.error()};
  context_ = std::move(*context);
}

StreamLinks::~StreamLinks() {
  for (Client& client : clients_) close(client);
}

void StreamLinks::fail(const std::string& why) const {
  throw BenchFailure{BenchFailure::Kind::unreachable,
                     fmt::format("{} over {}: {}", options_.server.to_string(),
                                 to_string(options_.transport), why)};
}

void StreamLinks::connect(std::size_t number) {
  Client& client = clients_[number];
  client.descriptor = ::socket(net::native_family(options_.server.family()),
                               SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (client.descriptor < 0) throw BenchFailure{BenchFailure::Kind::refused, words(errno)};
  set_on(client.descriptor, IPPROTO_TCP, TCP_NODELAY);
  if (options_.clients_from) {
    const IpAddress from = address_in(*options_.clients_from, next_address_++);
    net::SocketAddress own = net::to_socket_address({from, 0});
    set_on(client.descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    if (::bind(client.descriptor, own.pointer(), own.size) != 0) {
      throw BenchFailure{BenchFailure::Kind::refused,
                         fmt::format("--clients-from: {}: {}", from.to_string(), words(errno))};
    }
  }
  net::SocketAddress server = net::to_socket_address(options_.server);
  if (::connect(client.descriptor, server.pointer(), server.size) != 0 && errno != EINPROGRESS) {
    fail(words(errno));
  }
  if (const auto error = poller_.add(client.descriptor, number)) fail(error.message());
  watch(number);
}

void StreamLinks::close(Client& client) {
  if (client.descriptor < 0) return;
  poller_.remove(client.descriptor);
  ::close(client.descriptor);
  client = {};
}

void StreamLinks::watch(std::size_t number) {
  Client& client = clients_[number];
  const bool wanted = !client.is_connected || !client.unsent.empty();
  if (wanted == client.watches_writable) return;
  poller_.watch_writable(client.descriptor, number, wanted);
  client.watches_writable = wanted;
}

MutableByteView StreamLinks::add(std::size_t client, std::size_t bytes,
                                 std::size_t /*message_bytes*/) {
  if (outbox_.size() < outbox_bytes_ + bytes) outbox_.resize(outbox_bytes_ + bytes);
  const MutableByteView room = MutableByteView{outbox_}.subspan(outbox_bytes_, bytes);
  outbox_bytes_ += bytes;
  outgoing_.push_back({client, bytes});
  return room;
}

void StreamLinks::flush() {
  std::size_t at = 0;
  for (const Outgoing& out : outgoing_) {
    send(out.client, ByteView{outbox_}.subspan(at, out.bytes));
    at += out.bytes;
  }
  outgoing_.clear();
  outbox_bytes_ = 0;
}

void StreamLinks::send(std::size_t number, ByteView plaintext) {
  Client& client = clients_[number];
  if (client.descriptor < 0) connect(number);
  if (!client.is_connected || (client.session && !client.session->is_established())) {
    client.waiting.insert(client.waiting.end(), plaintext.begin(), plaintext.end());
    return;
  }
  if (!client.session) return write(number, plaintext);
  wire_.clear();
  if (!client.session->send(plaintext, wire_)) fail(client.session->problem());
  write(number, wire_);
}

void StreamLinks::write(std::size_t number, ByteView bytes) {
  Client& client = clients_[number];
  if (client.unsent.empty() && client.is_connected) {
    const ssize_t sent = ::send(client.descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) bytes = bytes.subspan(static_cast<std::size_t>(sent));
    if (sent < 0 && errno != EAGAIN) fail(words(errno));
  }
  client.unsent.insert(client.unsent.end(), bytes.begin(), bytes.end());
  watch(number);
}

void StreamLinks::on_connected(std::size_t number) {
  Client& client = clients_[number];
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(client.descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) fail(words(error));
  client.is_connected = true;
  if (context_) {
    wire_.clear();
    client.session.emplace(*context_, wire_);
    write(number, wire_);
  } else if (!client.waiting.empty()) {
    write(number, std::exchange(client.waiting, {}));
  }
  watch(number);
}

void StreamLinks::on_writable(std::size_t number) {
  Client& client = clients_[number];
  if (!client.is_connected) return on_connected(number);
  const Bytes bytes = std::exchange(client.unsent, {});
  write(number, bytes);
}

bool StreamLinks::receive(MessageSink& sink) {
  bool any = false;
  for (const net::Event& event : poller_.poll()) {
    if (clients_[event.token].descriptor < 0) continue;
    if (event.writable || (event.error && !clients_[event.token].is_connected)) {
      on_writable(event.token);
    }
    if (event.readable) any |= read(event.token, sink);
  }
  return any;
}

bool StreamLinks::read(std::size_t number, MessageSink& sink) {
  const ssize_t count = ::recv(clients_[number].descriptor, inbox_.data(), inbox_.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) fail(count == 0 ? "the server has closed a connection" : words(errno));
  on_bytes(number, ByteView{inbox_}.first(static_cast<std::size_t>(count)), sink,
           net::read_clock().instant);
  return true;
}

void StreamLinks::on_bytes(std::size_t number, ByteView bytes, MessageSink& sink, Instant now) {
  Client& client = clients_[number];
  if (!client.session) return on_plaintext(client, bytes, sink, now);
  wire_.clear();
  plaintext_.clear();
  const bool is_open = client.session->receive(bytes, plaintext_, wire_);
  if (!wire_.empty()) write(number, wire_);
  if (!is_open) fail(client.session->problem());
  on_plaintext(client, plaintext_.bytes, sink, now);
  if (!client.session->is_established() || client.waiting.empty()) return;
  send(number, std::exchange(client.waiting, {}));
}

void StreamLinks::on_plaintext(Client& client, ByteView plaintext, MessageSink& sink, Instant now) {
  const bool is_continued = !client.received.empty();
  if (is_continued) {
    client.received.insert(client.received.end(), plaintext.begin(), plaintext.end());
    plaintext = client.received;
  }
  while (const auto size = first_message_bytes(plaintext)) {
    if (*size > plaintext.size()) break;
    sink.on_message(plaintext.first(*size), now);
    plaintext = plaintext.subspan(*size);
  }
  Bytes rest{plaintext.begin(), plaintext.end()};
  client.received.swap(rest);
}

void StreamLinks::renew(std::size_t client) { close(clients_[client]); }

}  // namespace turnpike::bench
