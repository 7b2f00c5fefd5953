#include "net/dtls_endpoint.h"

#include <sys/time.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "base/assert.h"
#include "net/tls_native.h"

namespace turnpike::net {
namespace {

using BioAddressPtr = std::unique_ptr<BIO_ADDR, FreeWith<BIO_ADDR_free>>;

// --- Limits --------------------------------------------------------------------------------------

/// Datagrams of the handshake, without IP and UDP headers. Passes every path that IPv6 passes, and
/// tunnels; our messages after the handshake are as large as what is relayed.
constexpr long handshake_mtu = 1200;
/// Records a client may send until the handshake is done; a full one takes four, retransmissions
/// and fragments some more. OpenSSL keeps up to a hundred that come too early, with 17 KiB each.
constexpr unsigned handshake_records_max = 64;
constexpr unsigned early_records_max = 8;
/// Records a second that carry less than any message has, and handshake messages and alerts after
/// the handshake.
constexpr unsigned idle_records_max = 32;
/// No client certificate is asked for; this only bounds what one fragment makes OpenSSL reserve.
constexpr long certificate_list_bytes_max = 4096;
/// How long a cookie serves: from once to twice this.
constexpr seconds key_period{60};

// --- Records (RFC 6347 §4.1) ---------------------------------------------------------------------

constexpr std::size_t record_header_bytes = 13;
constexpr std::size_t handshake_header_bytes = 12;
constexpr std::size_t client_random_offset = record_header_bytes + handshake_header_bytes + 2;
constexpr std::size_t client_random_bytes = 32;
constexpr std::uint8_t content_handshake = 22;
constexpr std::uint8_t content_application_data = 23;
constexpr std::uint8_t message_client_hello = 1;

std::size_t record_bytes(ByteView at) { return record_header_bytes + load_be16(at.subspan(11)); }

std::uint16_t epoch_of(ByteView record) { return load_be16(record.subspan(3)); }

/// What the cipher of this session adds to each record: a tag, and with GCM eight bytes of nonce
/// (RFC 5288 §3, RFC 7905 §2).
std::size_t cipher_overhead(const SSL* ssl) {
  constexpr std::size_t tag_bytes = 16;
  constexpr std::size_t explicit_nonce_bytes = 8;
  const SSL_CIPHER* const cipher = SSL_get_pending_cipher(ssl);
  const bool is_chacha =
      cipher != nullptr && SSL_CIPHER_get_cipher_nid(cipher) == NID_chacha20_poly1305;
  return tag_bytes + (is_chacha ? 0 : explicit_nonce_bytes);
}

/// The first record of `datagram`, or nothing when it is cut short.
std::optional<ByteView> first_record(ByteView datagram) {
  if (datagram.size() < record_header_bytes) return std::nullopt;
  const std::size_t bytes = record_bytes(datagram);
  if (bytes > datagram.size()) return std::nullopt;
  return datagram.first(bytes);
}

/// The first record of `datagram` when it holds one whole ClientHello. Fragments are no use: the
/// cookie, or what follows it, may be in another one, and nothing is kept to put them together.
std::optional<ByteView> whole_client_hello(ByteView datagram) {
  const auto record = first_record(datagram);
  if (!record || record->size() < client_random_offset + client_random_bytes) return std::nullopt;
  const ByteView header = record->subspan(record_header_bytes);
  const auto load_be24 = [&](std::size_t at) {
    return std::size_t{header[at]} << 16 | load_be16(header.subspan(at + 1));
  };
  const std::size_t body_bytes = header.size() - handshake_header_bytes;
  const bool is_whole =
      load_be24(1) == body_bytes && load_be24(6) == 0 && load_be24(9) == body_bytes;
  return is_whole ? record : std::nullopt;
}

// --- Bytes in and out ----------------------------------------------------------------------------

/// What SSL reads from and writes to, for the time of one call.
struct DatagramWire {
  ByteView unread;  // one record: OpenSSL sees each as a datagram of its own
  DatagramList* out = nullptr;
  Sha256Digest cookie{};  // while listening: what is handed out, and what else is taken
  Sha256Digest previous_cookie{};
  unsigned late_messages =
      0;  // handshake messages and alerts of the other side since the last look
  bool is_verified = false;
  bool is_established = false;
};

DatagramWire& wire_of(BIO* bio) { return *static_cast<DatagramWire*>(BIO_get_data(bio)); }
DatagramWire& wire_of(const SSL* ssl) { return wire_of(SSL_get_rbio(ssl)); }

int wire_read(BIO* bio, char* to, std::size_t to_bytes, std::size_t* read_bytes) noexcept {
  DatagramWire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  *read_bytes = 0;
  if (wire.unread.empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  const ByteView taken = wire.unread.first(std::min(to_bytes, wire.unread.size()));
  std::memcpy(to, taken.data(), taken.size());
  wire.unread = {};
  *read_bytes = taken.size();
  return 1;
}

// noexcept: no exception may cross OpenSSL; without memory the process ends.
int wire_write(BIO* bio, const char* from, std::size_t from_bytes, std::size_t* written) noexcept {
  BIO_clear_retry_flags(bio);
  if (DatagramList* const out = wire_of(bio).out) out->add(bytes_of({from, from_bytes}));
  *written = from_bytes;
  return 1;
}

long wire_control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) noexcept {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

int wire_create(BIO* bio) noexcept {
  BIO_set_init(bio, 1);
  return 1;
}

/// Made once, never freed.
const BIO_METHOD* wire_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* const made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagram wire");
    TURNPIKE_ASSERT(made != nullptr);
    BIO_meth_set_read_ex(made, wire_read);
    BIO_meth_set_write_ex(made, wire_write);
    BIO_meth_set_ctrl(made, wire_control);
    BIO_meth_set_create(made, wire_create);
    return made;
  }();
  return method;
}

int make_cookie(SSL* ssl, unsigned char* cookie, unsigned* cookie_bytes) {
  const Sha256Digest& made = wire_of(ssl).cookie;
  std::memcpy(cookie, made.data(), made.size());
  *cookie_bytes = static_cast<unsigned>(made.size());
  return 1;
}

/// Asked while listening, and once more in the handshake, by when the cookie may have run out.
int verify_cookie(SSL* ssl, const unsigned char* cookie, unsigned cookie_bytes) {
  DatagramWire& wire = wire_of(ssl);
  const ByteView given{cookie, cookie_bytes};
  wire.is_verified = wire.is_verified || equal_in_constant_time(given, wire.cookie) ||
                     equal_in_constant_time(given, wire.previous_cookie);
  return wire.is_verified ? 1 : 0;
}

void count_late_message(int is_ours, int /*version*/, int content_type, const void* /*message*/,
                        std::size_t /*bytes*/, SSL* ssl, void* /*argument*/) {
  if (is_ours != 0) return;
  if (content_type != SSL3_RT_HANDSHAKE && content_type != SSL3_RT_ALERT) return;
  DatagramWire& wire = wire_of(ssl);
  if (wire.is_established) ++wire.late_messages;
}

}  // namespace

void configure_datagrams(SSL_CTX* context) {
  SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_COOKIE_EXCHANGE);
  SSL_CTX_set_max_cert_list(context, certificate_list_bytes_max);
  SSL_CTX_set_cookie_generate_cb(context, make_cookie);
  SSL_CTX_set_cookie_verify_cb(context, verify_cookie);
  SSL_CTX_set_msg_callback(context, count_late_message);
}

bool is_client_hello(ByteView datagram) {
  return datagram.size() > record_header_bytes && datagram[0] == content_handshake &&
         epoch_of(datagram) == 0 && datagram[record_header_bytes] == message_client_hello;
}

// --- DtlsSession ---------------------------------------------------------------------------------

struct DtlsSession::Native {
  DatagramWire wire;
  SslPtr ssl;
};

DtlsSession::DtlsSession(std::unique_ptr<Native> native, std::shared_ptr<const TlsContext> context,
                         const ClientRandom& client_random)
    : native_(std::move(native)), context_(std::move(context)), client_random_(client_random) {}

DtlsSession::~DtlsSession() = default;
DtlsSession::DtlsSession(DtlsSession&& other) noexcept = default;
DtlsSession& DtlsSession::operator=(DtlsSession&& other) noexcept = default;

/// Idle sessions hold no record buffers; OpenSSL would keep 34 KiB of them for DTLS.
void DtlsSession::begin(DatagramList& wire) {
  native_->wire.out = &wire;
  SSL_alloc_buffers(native_->ssl.get());
}

DtlsSession::Status DtlsSession::end() {
  native_->wire.out = nullptr;
  if (status_ != Status::open) {
    native_.reset();
    context_.reset();
  } else if (established_) {
    SSL_free_buffers(native_->ssl.get());
  }
  return status_;
}

DtlsSession::Status DtlsSession::receive(ByteView datagram, Instant now, DatagramList& messages,
                                         DatagramList& wire) {
  if (status_ != Status::open) return status_;
  const CleanErrorQueue clean;
  begin(wire);
  while (status_ == Status::open) {
    const auto record = first_record(datagram);
    if (!record) break;  // the rest is cut short: ignored, as records are one by one
    datagram = datagram.subspan(record->size());
    take_record(*record, now, messages);
  }
  return end();
}

void DtlsSession::take_record(ByteView record, Instant now, DatagramList& messages) {
  if (is_too_short(record) || !is_welcome(record)) return;
  native_->wire.unread = record;
  std::size_t room = record.size();
  if (!established_) {
    shake_hands();
    room = message_bytes_max;  // OpenSSL may have kept a record that came before its time
  }
  if (established_ && status_ == Status::open) decrypt(room, now, messages);
  if (native_->wire.late_messages > 0) {
    count_idle_records(std::exchange(native_->wire.late_messages, 0), now);
  }
  native_->wire.unread = {};
}

/// OpenSSL 3.0 ends the session on an encrypted record that has no room for the cipher's own bytes,
/// and anybody can send one in the client's name (HOSTILE.md L10; RFC 6347 §4.1.2.7: discard it).
bool DtlsSession::is_too_short(ByteView record) const {
  return epoch_of(record) != 0 &&
         record.size() < record_header_bytes + cipher_overhead(native_->ssl.get());
}

/// Bounds what one client makes OpenSSL keep until the handshake is done. What is too much is
/// ignored rather than punished: anybody can send it in the client's name.
bool DtlsSession::is_welcome(ByteView record) {
  if (established_) return true;
  handshake_bytes_ += record.size();
  if (handshake_bytes_ > handshake_bytes_max) return false;
  if (++handshake_records_ > handshake_records_max) return false;
  if (epoch_of(record) == 0) return true;
  return record[0] != content_application_data && ++early_records_ <= early_records_max;
}

void DtlsSession::shake_hands() {
  SSL* const ssl = native_->ssl.get();
  const int result = SSL_do_handshake(ssl);
  if (result != 1) {
    if (SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ) status_ = Status::failed;
    return;
  }
  established_ = true;
  native_->wire.is_established = true;
  native_->wire.late_messages = 0;
  alpn_ = alpn_of(ssl);
}

void DtlsSession::decrypt(std::size_t room, Instant now, DatagramList& messages) {
  SSL* const ssl = native_->ssl.get();
  while (status_ == Status::open) {
    const MutableByteView out = messages.room(room);
    std::size_t got = 0;
    const int result = SSL_read_ex(ssl, out.data(), out.size(), &got);
    if (result == 1 && got > 0) {
      messages.add_written(got);
    } else {
      messages.drop_room();
    }
    if (result == 1) {
      if (got < smallest_message_bytes) count_idle_records(1, now);
      if (native_->wire.unread.empty() && SSL_has_pending(ssl) == 0) return;
      continue;
    }
    switch (SSL_get_error(ssl, result)) {
      case SSL_ERROR_WANT_READ:
        return;
      case SSL_ERROR_ZERO_RETURN:  // close_notify: answered with ours (RFC 5246 §7.2.1)
        SSL_shutdown(ssl);
        status_ = Status::closed;
        return;
      default:
        status_ = Status::failed;
        return;
    }
  }
}

/// Records that are authentic and bring nothing, since over DTLS a message is in one record: a
/// client has no use for many (HOSTILE.md L05).
void DtlsSession::count_idle_records(unsigned count, Instant now) {
  if (now - idle_since_ >= seconds{1}) {
    idle_since_ = now;
    idle_records_ = 0;
  }
  idle_records_ = static_cast<std::uint16_t>(idle_records_ + count);
  if (idle_records_ <= idle_records_max || status_ != Status::open) return;
  SSL_shutdown(native_->ssl.get());
  status_ = Status::failed;
}

DtlsSession::Status DtlsSession::send(ByteView message, DatagramList& wire) {
  TURNPIKE_ASSERT(established_);
  if (status_ != Status::open || message.empty() || message.size() > message_bytes_max) {
    return status_;
  }
  const CleanErrorQueue clean;
  begin(wire);
  std::size_t written = 0;
  const int result = SSL_write_ex(native_->ssl.get(), message.data(), message.size(), &written);
  if (result != 1) status_ = Status::failed;
  return end();
}

std::optional<nanoseconds> DtlsSession::time_to_timer() const {
  if (status_ != Status::open) return std::nullopt;
  timeval left{};
  if (DTLSv1_get_timeout(native_->ssl.get(), &left) != 1) return std::nullopt;
  return seconds{left.tv_sec} + std::chrono::microseconds{left.tv_usec};
}

DtlsSession::Status DtlsSession::on_timer(DatagramList& wire) {
  if (status_ != Status::open) return status_;
  const CleanErrorQueue clean;
  begin(wire);
  if (DTLSv1_handle_timeout(native_->ssl.get()) < 0) status_ = Status::failed;
  return end();
}

void DtlsSession::close(DatagramList& wire) {
  if (status_ != Status::open) return;
  const CleanErrorQueue clean;
  begin(wire);
  if (established_) SSL_shutdown(native_->ssl.get());
  status_ = Status::closed;
  end();
}

bool DtlsSession::began_with(ByteView datagram) const {
  return datagram.size() >= client_random_offset + client_random_bytes &&
         std::equal(client_random_.begin(), client_random_.end(),
                    datagram.begin() + client_random_offset);
}

// --- DtlsListener --------------------------------------------------------------------------------

DtlsListener::DtlsListener(Random& random)
    : random_(random), key_(make_key()), previous_key_(make_key()) {}

DtlsListener::~DtlsListener() = default;

HmacSha256Key DtlsListener::make_key() {
  std::array<std::uint8_t, 32> secret{};
  random_.fill(secret);
  HmacSha256Key key{secret};
  wipe(secret);
  return key;
}

void DtlsListener::rotate_keys(Instant now) {
  if (rotated_at_ && now - *rotated_at_ < key_period) return;
  const bool was_idle = !rotated_at_ || now - *rotated_at_ >= 2 * key_period;
  previous_key_ = was_idle ? make_key() : key_;
  key_ = make_key();
  rotated_at_ = now;
}

Sha256Digest DtlsListener::cookie_for(const FiveTuple& tuple, const HmacSha256Key& key) const {
  std::array<std::uint8_t, 6> fixed{};  // both families and ports: the rest has the sizes they say
  fixed[0] = static_cast<std::uint8_t>(tuple.client.family());
  fixed[1] = static_cast<std::uint8_t>(tuple.server.family());
  store_be16(MutableByteView{fixed}.subspan(2), tuple.client.port);
  store_be16(MutableByteView{fixed}.subspan(4), tuple.server.port);
  return key.mac({fixed, tuple.client.address.bytes(), tuple.server.address.bytes()});
}

void DtlsListener::make_ready(const std::shared_ptr<const TlsContext>& context) {
  if (native_ != nullptr && context_ == context) return;
  auto native = std::make_unique<DtlsSession::Native>();
  native->ssl.reset(SSL_new(context->native_->datagram.get()));
  BIO* const bio = BIO_new(wire_method());
  SSL* const ssl = native->ssl.get();
  if (ssl == nullptr || bio == nullptr) {
    BIO_free(bio);
    throw std::bad_alloc{};
  }
  BIO_set_data(bio, &native->wire);
  SSL_set_bio(ssl, bio, bio);  // takes one reference for both
  SSL_set_mtu(ssl, handshake_mtu);
  SSL_set_accept_state(ssl);
  native_ = std::move(native);
  context_ = context;
}

DtlsListener::Hello DtlsListener::receive(const std::shared_ptr<const TlsContext>& context,
                                          const FiveTuple& tuple, ByteView datagram, Instant now,
                                          DatagramList& wire) {
  const auto record = whole_client_hello(datagram);
  if (!record) return Hello::dropped;
  const CleanErrorQueue clean;
  rotate_keys(now);
  make_ready(context);
  DatagramWire& native_wire = native_->wire;
  native_wire.cookie = cookie_for(tuple, key_);
  native_wire.previous_cookie = cookie_for(tuple, previous_key_);
  native_wire.is_verified = false;
  native_wire.unread = *record;
  native_wire.out = &wire;
  copy_bytes(record->subspan(client_random_offset, client_random_bytes), client_random_);

  const std::size_t answers = wire.size();
  const BioAddressPtr nobody{BIO_ADDR_new()};  // OpenSSL wants a place for what our BIO cannot tell
  const int result = DTLSv1_listen(native_->ssl.get(), nobody.get());
  native_wire.out = nullptr;
  native_wire.unread = {};
  if (result == 1 && native_wire.is_verified) return Hello::verified;
  return wire.size() > answers ? Hello::challenged : Hello::dropped;
}

DtlsSession DtlsListener::accept(DatagramList& wire) {
  TURNPIKE_ASSERT(native_ != nullptr && native_->wire.is_verified);
  DtlsSession session{std::move(native_), std::move(context_), client_random_};
  const CleanErrorQueue clean;
  session.begin(wire);
  session.shake_hands();
  session.end();
  return session;
}

}  // namespace turnpike::net
