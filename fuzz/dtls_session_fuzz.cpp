// DTLS from the first datagram on, and a client made of OpenSSL, with somebody between them who
// loses, repeats, reorders, changes, cuts, joins and invents records (HOSTILE.md [L07], [L09],
// [L10]). Whatever he does: strangers get less than they send, each message of the server is one
// that the client has sent, none comes twice, and nobody but the client ends its session.
//
// Input: u8: the client's ALPN and ciphers, then commands of one byte and what they take.
#include <deque>
#include <set>

#include "net/dtls_client.h"
#include "net/dtls_endpoint.h"
#include "tls_bench.h"

namespace turnpike::fuzz {
namespace {

using Packet = net::DtlsClient::Packet;
using Hello = net::DtlsListener::Hello;
using Status = net::DtlsSession::Status;

constexpr std::size_t record_header_bytes = 13;
constexpr std::size_t commands_max = 200;

net::DtlsClientOptions options_from(std::uint8_t byte) {
  net::DtlsClientOptions options;
  if ((byte & 1U) != 0) options.alpn = "\x09stun.turn";
  if ((byte & 2U) != 0) options.ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305";
  return options;
}

FiveTuple tuple_from(std::size_t number) {
  return {{IpAddress::v4(0xc6336407), static_cast<std::uint16_t>(4000 + number)},
          endpoint("192.0.2.1:5349"),
          Transport::dtls};
}

class Conversation {
 public:
  explicit Conversation(const net::DtlsClientOptions& options) : client_(options) { client_work(); }

  void step(Input& input) {
    switch (input.below(16)) {
      case 0:
      case 1:
      case 2:
        return deliver(take_datagram());
      case 3:
        return deliver_all();
      case 4:
        static_cast<void>(take_datagram());
        return;
      case 5:
        if (!on_the_way_.empty()) on_the_way_.push_front(on_the_way_.front());
        return;
      case 6:
        if (on_the_way_.empty()) return;
        on_the_way_.push_back(take_datagram());
        return;
      case 7:
        return change(input);
      case 8:
        if (on_the_way_.empty()) return;
        return on_the_way_.front().resize(input.u16() % (on_the_way_.front().size() + 1));
      case 9:
        return invent(input);
      case 10:
        return join();
      case 11:
        return client_sends(input.u16());
      case 12:
        return server_sends(input.u16());
      case 13:
        return client_misbehaves(input);
      case 14:
        now_ += milliseconds{input.u16() * 4};
        stranger_ = input.below(3);
        return;
      default:
        return others(input);
    }
  }

 private:
  Packet take_datagram() {
    if (on_the_way_.empty()) return {};
    Packet datagram = std::move(on_the_way_.front());
    on_the_way_.pop_front();
    if (seen_.size() < 50) seen_.push_back(datagram);
    return datagram;
  }
  void deliver_all() {
    // Both may answer each other; somewhere there is an end.
    for (int i = 0; i < 100 && !on_the_way_.empty(); ++i) deliver(take_datagram());
  }
  void change(Input& input) {
    if (on_the_way_.empty() || on_the_way_.front().empty()) return;
    Packet& datagram = on_the_way_.front();
    datagram[input.u16() % datagram.size()] ^= input.byte();
  }
  void invent(Input& input) {
    constexpr std::array<std::uint8_t, 6> types{20, 21, 22, 23, 24, 0};
    Packet record{types.at(input.below(types.size())), 0xfe, 0xfd};
    record.resize(record_header_bytes);
    record[4] = input.byte() & 3U;  // epoch
    record[10] = input.byte();      // sequence number
    const Packet content = input.bytes(input.byte());
    store_be16(MutableByteView{record}.subspan(11), static_cast<std::uint16_t>(content.size()));
    record.insert(record.end(), content.begin(), content.end());
    on_the_way_.push_front(std::move(record));
  }
  void join() {
    if (on_the_way_.size() < 2) return;
    const Packet first = take_datagram();
    on_the_way_.front().insert(on_the_way_.front().begin(), first.begin(), first.end());
  }
  /// Something from the past, a timer, a goodbye.
  void others(Input& input) {
    switch (input.below(8)) {
      case 0:
      case 1:
      case 2:
        if (!seen_.empty()) on_the_way_.push_front(seen_[input.below(seen_.size())]);
        return;
      case 3:
      case 4:
        if (session_) status_ = session_->on_timer(wire_);
        return answer();
      case 5:
        if (!session_) return;
        session_->close(wire_);
        is_over_ = true;
        status_ = session_->status();
        return answer();
      default:
        return deliver(input.bytes(input.byte()));
    }
  }

  void client_work() {
    client_.work();
    for (Packet& datagram : client_.take_output()) on_the_way_.push_back(std::move(datagram));
  }
  void client_sends(std::size_t size) {
    if (!client_.is_connected() || size == 0) return;
    Packet message(std::max(size % 16'384, sizeof(std::uint64_t)), 'm');
    store_be64(message, ++messages_);  // so that each is like no other
    write(message);
  }
  void write(const Packet& message) {
    ERR_clear_error();
    const int size = static_cast<int>(message.size());
    if (SSL_write(client_.ssl(), message.data(), size) > 0) sent_.insert(message);
    client_work();
  }
  void client_misbehaves(Input& input) {
    if (!client_.is_connected()) return;
    ERR_clear_error();
    may_end_ = true;
    switch (input.below(3)) {
      case 0:
        SSL_shutdown(client_.ssl());
        break;
      case 1:
        SSL_renegotiate(client_.ssl());
        SSL_do_handshake(client_.ssl());
        break;
      default:
        for (std::uint8_t i = input.byte() % 40; i > 0; --i) write({i, 'm'});
        return;
    }
    client_work();
  }

  void deliver(const Packet& datagram) {
    // So that ASan sees a read past the end.
    const Packet exact{datagram};  // NOLINT(performance-unnecessary-copy-initialization)
    if (session_ && status_ == Status::open) {
      net::DatagramList messages;
      const bool was_established = session_->is_established();
      status_ = session_->receive(exact, now_, messages, wire_);
      for (std::size_t i = 0; i < messages.size(); ++i) take(messages[i]);
      if (was_established && !may_end_) PROMISE(status_ == Status::open);
    } else if (net::is_client_hello(exact)) {
      greet(exact);
    }
    PROMISE(ERR_peek_error() == 0);
    if (session_) PROMISE(is_our_protocol(session_->alpn()));
    answer();
  }
  void greet(const Packet& datagram) {
    const Hello hello =
        listener_.receive(server_context(), tuple_from(stranger_), datagram, now_, wire_);
    if (hello == Hello::dropped) PROMISE(wire_.empty());
    if (hello == Hello::challenged) PROMISE(wire_.total_bytes() <= datagram.size());
    if (hello != Hello::verified || session_) return;
    session_.emplace(listener_.accept(wire_));
    status_ = session_->status();
  }
  void take(ByteView message) {
    PROMISE(session_->is_established());
    const auto sent = sent_.find({message.begin(), message.end()});
    PROMISE(sent != sent_.end());
    sent_.erase(sent);
  }
  void answer() {
    for (std::size_t i = 0; i < wire_.size(); ++i) {
      PROMISE(wire_[i].size() > record_header_bytes);
      client_.take(wire_[i]);
    }
    if (is_over_) PROMISE(status_ != Status::open);
    wire_.clear();
    client_work();
  }
  void server_sends(std::size_t size) {
    if (!session_ || !session_->is_established()) return;
    const Status before = status_;
    status_ = session_->send(Packet(size, 's'), wire_);
    PROMISE(before == Status::open || (status_ == before && wire_.empty()));
    answer();
  }

  net::DtlsClient client_;
  test::SeededRandom random_{7};
  net::DtlsListener listener_{random_};
  std::optional<net::DtlsSession> session_;
  Status status_ = Status::open;
  Instant now_{std::chrono::hours{1}};
  std::deque<Packet> on_the_way_;  // datagrams of the client
  std::vector<Packet> seen_;
  std::multiset<Packet> sent_;  // and not received
  net::DatagramList wire_;
  std::uint64_t messages_ = 0;
  std::size_t stranger_ = 0;
  bool may_end_ = false;
  bool is_over_ = false;
};

void run(ByteView bytes) {
  restart_openssl_randomness();
  Input input{bytes};
  Conversation conversation{options_from(input.byte())};
  for (std::size_t i = 0; i < commands_max && !input.empty(); ++i) conversation.step(input);
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  turnpike::fuzz::run({bytes, size});
  return 0;
}
