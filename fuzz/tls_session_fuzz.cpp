// A TLS session and a client made of OpenSSL, with somebody between them who drops, repeats,
// reorders, changes, cuts and invents records (HOSTILE.md [L07]). Whatever he does: the server's
// plaintext is a beginning of what the client has sent, its output is whole records, and an end is
// an end. While he does nothing, all arrives.
//
// Input: u8: the client's version and ALPN, then commands of one byte and what they take.
#include <deque>

#include "net/tls_test_client.h"
#include "tls_bench.h"

namespace turnpike::fuzz {
namespace {

using net::Bytes;
using Status = net::TlsSession::Status;

constexpr std::size_t record_header_bytes = 5;
constexpr std::size_t record_bytes_max = record_header_bytes + 16384 + 2048;  // RFC 5246 §6.2.3
constexpr std::size_t commands_max = 200;

net::ClientOptions options_from(std::uint8_t byte) {
  net::ClientOptions options;
  if ((byte & 1U) != 0) options.version_max = TLS1_2_VERSION;
  if ((byte & 2U) != 0) options.alpn = "\x09stun.turn";
  if ((byte & 4U) != 0) options.groups = "P-256";
  if ((byte & 8U) != 0) options.alpn = "\x02h2";  // which the server must refuse
  return options;
}

/// The whole records of a stream, and what is left of it.
std::vector<Bytes> records_of(ByteView stream) {
  std::vector<Bytes> records;
  while (stream.size() >= record_header_bytes) {
    const std::size_t size = record_header_bytes + load_be16(stream.subspan(3));
    if (size > stream.size()) break;
    records.emplace_back(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(size));
    stream = stream.subspan(size);
  }
  if (!stream.empty()) records.emplace_back(stream.begin(), stream.end());
  return records;
}

/// The two ends and the way between them.
class Conversation {
 public:
  explicit Conversation(const net::ClientOptions& options)
      : client_(options), server_(server_context()) {
    client_work();
  }

  void step(Input& input) {
    switch (input.below(16)) {
      case 0:
      case 1:
      case 2:
        return deliver(take_record());
      case 3:
        return deliver_all();
      case 4:
        if (!on_the_way_.empty()) is_disturbed_ = true;
        static_cast<void>(take_record());
        return;
      case 5:
        if (!on_the_way_.empty()) insert(on_the_way_.front());
        return;
      case 6:
        if (on_the_way_.size() < 2) return;
        is_disturbed_ = true;
        return std::swap(on_the_way_[0], on_the_way_[1]);
      case 7:
        return change(input);
      case 8:
        if (on_the_way_.empty()) return;
        is_disturbed_ = true;
        return on_the_way_.front().resize(input.u16() % (on_the_way_.front().size() + 1));
      case 9:
        return insert_record(input);
      case 10:
        return insert(input.bytes(input.byte()));
      case 11:
        return client_sends(input.u16());
      case 12:
        return server_sends(input.u16());
      case 13:
        return client_misbehaves(input);
      case 14:
        piece_ = std::size_t{1} + input.byte() * std::size_t{64};
        return;
      default:
        if (input.below(4) == 0) server_closes();
    }
  }

  /// At the end, what nobody has disturbed arrives.
  void finish() {
    deliver_all();
    if (is_disturbed_ || has_ended_) return;
    PROMISE(status_ == Status::open && server_.is_established());
    PROMISE(received_bytes_ == sent_.size());
  }

 private:
  Bytes take_record() {
    if (on_the_way_.empty()) return {};
    Bytes record = std::move(on_the_way_.front());
    on_the_way_.pop_front();
    return record;
  }
  void deliver_all() {
    while (!on_the_way_.empty()) deliver(take_record());
  }
  void insert(Bytes bytes) {
    is_disturbed_ = true;
    on_the_way_.push_front(std::move(bytes));
  }
  void change(Input& input) {
    if (on_the_way_.empty() || on_the_way_.front().empty()) return;
    Bytes& record = on_the_way_.front();
    is_disturbed_ = true;
    record[input.u16() % record.size()] ^= input.byte();
  }
  void insert_record(Input& input) {
    constexpr std::array<std::uint8_t, 6> types{20, 21, 22, 23, 24, 0};
    Bytes record{types.at(input.below(types.size())), 3, input.byte(), 0, 0};
    const Bytes content = input.bytes(input.byte());
    store_be16(MutableByteView{record}.subspan(3), static_cast<std::uint16_t>(content.size()));
    record.insert(record.end(), content.begin(), content.end());
    insert(std::move(record));
  }

  void client_work() {
    client_.work();
    for (Bytes& record : records_of(client_.take_output())) {
      on_the_way_.push_back(std::move(record));
    }
  }
  void client_sends(std::size_t size) {
    if (SSL_is_init_finished(client_.ssl()) != 1 || size == 0) return;
    std::string text(size, '\0');
    for (char& byte : text) byte = static_cast<char>(content_.next());
    ERR_clear_error();
    const int written = SSL_write(client_.ssl(), text.data(), static_cast<int>(size));
    if (written > 0) sent_.append(text, 0, static_cast<std::size_t>(written));
    client_work();
  }
  /// What OpenSSL lets a client do that has its keys.
  void client_misbehaves(Input& input) {
    SSL* const ssl = client_.ssl();
    if (SSL_is_init_finished(ssl) != 1) return;
    ERR_clear_error();
    has_ended_ = true;  // it may come to that
    switch (input.below(4)) {
      case 0:
        SSL_shutdown(ssl);
        break;
      case 1:
        if (SSL_version(ssl) == TLS1_3_VERSION) SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(ssl);
        break;
      case 2:
        if (SSL_version(ssl) == TLS1_2_VERSION) SSL_renegotiate(ssl);
        SSL_do_handshake(ssl);
        break;
      default:
        for (int i = input.byte(); i > 0; --i) client_sends(1);
        return;
    }
    client_work();
  }

  void deliver(const Bytes& bytes) {
    ByteView rest{bytes};
    while (!rest.empty()) {
      const ByteView now = rest.first(std::min(piece_, rest.size()));
      rest = rest.subspan(now.size());
      const Bytes exact{now.begin(), now.end()};  // so that ASan sees a read past the end
      Bytes plaintext;
      Bytes wire;
      const Status before = status_;
      status_ = server_.receive(exact, plaintext, wire);
      if (before != Status::open) {
        PROMISE(status_ == before);
        PROMISE(plaintext.empty() && wire.empty());
      }
      records_delivered_ += exact.size() / record_header_bytes + 1;
      PROMISE(server_.take_tiny_records() <= records_delivered_);
      check();
      take(text_of(plaintext));
      answer(wire);
    }
  }
  void check() const {
    PROMISE(ERR_peek_error() == 0);
    PROMISE(is_our_protocol(server_.alpn()));
    PROMISE(server_.is_established() || received_bytes_ == 0);
  }
  /// The next part of what the client has sent, and only looked at once: it may come byte by byte.
  void take(std::string_view plaintext) {
    PROMISE(server_.is_established() || plaintext.empty());
    PROMISE(received_bytes_ + plaintext.size() <= sent_.size());
    PROMISE(sent_.compare(received_bytes_, plaintext.size(), plaintext) == 0);
    received_bytes_ += plaintext.size();
  }
  void answer(const Bytes& wire) {
    for (const Bytes& record : records_of(wire)) {
      PROMISE(record.size() > record_header_bytes && record.size() <= record_bytes_max);
      PROMISE(record.size() == record_header_bytes + load_be16(ByteView{record}.subspan(3)));
    }
    if (wire.empty()) return;
    client_.take(wire);
    client_work();
  }

  void server_sends(std::size_t size) {
    if (!server_.is_established()) return;
    Bytes wire;
    const Status before = status_;
    status_ = server_.send(Bytes(size, 's'), wire);
    PROMISE(before == Status::open || (status_ == before && wire.empty()));
    check();
    answer(wire);
  }
  void server_closes() {
    Bytes wire;
    const Status before = status_;
    server_.close(wire);
    has_ended_ = true;
    PROMISE(wire.empty() || (before == Status::open && server_.is_established()));
    if (status_ == Status::open) status_ = Status::closed;
    check();
    answer(wire);
  }

  net::TlsTestClient client_;
  net::TlsSession server_;
  Status status_ = Status::open;
  std::deque<Bytes> on_the_way_;  // records of the client
  test::SeededRandom content_{3};
  std::string sent_;
  std::size_t received_bytes_ = 0;
  std::size_t piece_ = 100'000;
  std::size_t records_delivered_ = 0;
  bool is_disturbed_ = false;
  bool has_ended_ = false;
};

void run(ByteView bytes) {
  restart_openssl_randomness();
  Input input{bytes};
  const std::uint8_t first = input.byte();
  Conversation conversation{options_from(first)};
  for (std::size_t i = 0; i < commands_max && !input.empty(); ++i) conversation.step(input);
  const bool is_refused = (first & 8U) != 0;
  if (!is_refused) conversation.finish();
}

}  // namespace
}  // namespace turnpike::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  turnpike::fuzz::run({bytes, size});
  return 0;
}
