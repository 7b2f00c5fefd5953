#include "net/tls.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <new>
#include <optional>
#include <utility>

#include "base/assert.h"
#include "net/clock.h"
#include "net/tls_native.h"

namespace turnpike::net {
namespace {

using CertificatePtr = std::unique_ptr<X509, FreeWith<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

/// Messages of the handshake protocol after the handshake, in the life of a session: KeyUpdate
/// (TLS 1.3), which each side needs once in 2^24 records, and tries to renegotiate (TLS 1.2).
constexpr unsigned late_handshake_messages_max = 32;
constexpr std::size_t certificate_file_bytes_max = std::size_t{1} << 20;

// --- Settings ------------------------------------------------------------------------------------

// Forward secrecy and authenticated encryption only. RFC 8489 §6.2.3 also asks for
// TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, which BCP 195 has deprecated since (RFC 9325 §4.1).
constexpr const char* ciphers_tls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";
constexpr const char* ciphers_tls13 =
    "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384";

// Without the slow ones of OpenSSL's list (P-521, ffdhe8192), which a client could ask for to keep
// us busy. The post-quantum group exists from OpenSSL 3.5 on.
constexpr const char* groups_with_mlkem = "X25519MLKEM768:X25519:P-256:P-384";
constexpr const char* groups = "X25519:P-256:P-384";

// In order of preference, as ALPN writes lists (RFC 7301 §3.1, RFC 7443 §3).
constexpr std::string_view alpn_wire = "\x09stun.turn\x12stun.nat-discovery\x08http/1.1";
constexpr std::array<std::string_view, 3> alpn_names{"stun.turn", "stun.nat-discovery", "http/1.1"};

int select_alpn(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* chosen_bytes,
                const unsigned char* offered, unsigned offered_bytes, void* /*argument*/) {
  const ByteView ours = bytes_of(alpn_wire);
  unsigned char* selected = nullptr;
  if (SSL_select_next_proto(&selected, chosen_bytes, ours.data(),
                            static_cast<unsigned>(ours.size()), offered,
                            offered_bytes) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;  // no_application_protocol
  }
  *chosen = selected;
  return SSL_TLSEXT_ERR_OK;
}

bool use_key(EVP_MAC_CTX* mac, TicketKeys::Key& key) {
  char digest[] = "SHA256";
  const std::array<OSSL_PARAM, 3> parameters{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.authentication.data(),
                                        key.authentication.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
}

/// OpenSSL asks for the keys of a ticket: to make one, or to open one. 1: here they are; 2: and the
/// client is to get a new ticket; 0: there are none, so that the handshake is a full one; below 0:
/// the handshake fails.
int choose_ticket_key(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                      EVP_MAC_CTX* mac, int is_new) {
  auto* const keys = static_cast<TicketKeys*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const Instant now = read_clock().instant;
  if (is_new == 1) {
    TicketKeys::Key key = keys->current(now);
    std::copy(key.name.begin(), key.name.end(), name);
    const bool ok =
        RAND_bytes(iv, EVP_MAX_IV_LENGTH) == 1 &&
        EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.encryption.data(), iv) == 1 &&
        use_key(mac, key);
    return ok ? 1 : -1;
  }
  auto found = keys->find(ByteView{name, TicketKeys::Key{}.name.size()}, now);
  if (!found) return 0;
  const bool ok =
      use_key(mac, found->key) &&
      EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, found->key.encryption.data(), iv) == 1;
  if (!ok) return -1;
  return found->is_current ? 1 : 2;
}

void count_late_handshake_message(int is_ours, int version, int content_type, const void* message,
                                  std::size_t bytes, SSL* ssl, void* session);

/// What both kinds of context have in common. False when this OpenSSL lacks something that we
/// cannot do without.
bool configure(SSL_CTX* context, TicketKeys& ticket_keys) {
  SSL_CTX_set_security_level(context, 2);  // 112 bits: RSA keys from 2048 bits, no SHA-1 signatures
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // Resumption by tickets: no state here, and every thread can resume what another one began.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_app_data(context, &ticket_keys);
  SSL_CTX_set_alpn_select_cb(context, select_alpn, nullptr);
  return SSL_CTX_set_tlsext_ticket_key_evp_cb(context, choose_ticket_key) == 1 &&
         SSL_CTX_set_cipher_list(context, ciphers_tls12) == 1 &&
         (SSL_CTX_set1_groups_list(context, groups_with_mlkem) == 1 ||
          SSL_CTX_set1_groups_list(context, groups) == 1);
}

/// Null when this OpenSSL does not take our settings.
SslContextPtr make_stream_context(TicketKeys& ticket_keys) {
  SslContextPtr context{SSL_CTX_new(TLS_server_method())};
  SSL_CTX* const raw = context.get();
  if (raw == nullptr) return nullptr;
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_num_tickets(raw, 1);
  SSL_CTX_set_max_early_data(raw, 0);
  SSL_CTX_set_msg_callback(raw, count_late_handshake_message);
  const bool complete = configure(raw, ticket_keys) &&
                        SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) == 1 &&
                        SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) == 1 &&
                        SSL_CTX_set_ciphersuites(raw, ciphers_tls13) == 1;
  return complete ? std::move(context) : nullptr;
}

/// Null when this OpenSSL does not take our settings.
SslContextPtr make_datagram_context(TicketKeys& ticket_keys) {
  SslContextPtr context{SSL_CTX_new(DTLS_server_method())};
  SSL_CTX* const raw = context.get();
  if (raw == nullptr) return nullptr;
  const bool complete =
      configure(raw, ticket_keys) && SSL_CTX_set_min_proto_version(raw, DTLS1_2_VERSION) == 1;
  configure_datagrams(raw);
  return complete ? std::move(context) : nullptr;
}

bool take_certificate(SSL_CTX* context, const std::vector<CertificatePtr>& chain, EVP_PKEY* key) {
  bool taken = SSL_CTX_use_certificate(context, chain.front().get()) == 1 &&
               SSL_CTX_use_PrivateKey(context, key) == 1;
  for (std::size_t i = 1; taken && i < chain.size(); ++i) {
    taken = SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1;
  }
  return taken;
}

// --- Files ---------------------------------------------------------------------------------------

Failure<std::string> refuse(const char* what, const std::string& file, const std::string& why) {
  return Failure<std::string>{std::string{"the "} + what + " file \"" + file + "\" " + why};
}

/// A file that was read, wiped when it goes: it may be a key.
class Contents {
 public:
  explicit Contents(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}
  ~Contents() { wipe(bytes_); }
  Contents(Contents&&) = default;
  Contents& operator=(Contents&&) = delete;

  [[nodiscard]] ByteView view() const { return bytes_; }
  [[nodiscard]] BioPtr bio() const {
    BioPtr reader{BIO_new_mem_buf(bytes_.data(), static_cast<int>(bytes_.size()))};
    TURNPIKE_ASSERT(reader != nullptr);
    return reader;
  }

 private:
  std::vector<std::uint8_t> bytes_;
};

Result<Contents, std::string> read_file(const char* what, const std::string& file) {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const int error = errno;
    return refuse(what, file,
                  std::string{"cannot be opened: "} + std::strerror(error) +
                      (error == EACCES ? "; let the user of this process read it" : ""));
  }
  // One byte more than allowed. Never grown: the bytes of a key would stay behind.
  std::vector<std::uint8_t> bytes(certificate_file_bytes_max + 1);
  std::size_t used = 0;
  ssize_t got = 0;
  do {
    got = read(descriptor, bytes.data() + used, bytes.size() - used);
    if (got > 0) used += static_cast<std::size_t>(got);
  } while (used < bytes.size() && (got > 0 || (got < 0 && errno == EINTR)));
  const int error = got < 0 ? errno : 0;
  close(descriptor);
  bytes.resize(used);
  Contents contents{std::move(bytes)};
  if (error != 0) return refuse(what, file, std::string{"cannot be read: "} + std::strerror(error));
  if (used > certificate_file_bytes_max) return refuse(what, file, "is larger than 1 MiB");
  return contents;
}

/// True when the error queue says that there was no (further) PEM block of the kind looked for.
bool no_more_pem() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

/// Reads all certificates; the server's own is the first.
Result<std::vector<CertificatePtr>, std::string> parse_chain(const std::string& file, BIO* bio) {
  constexpr std::size_t chain_max = 20;
  std::vector<CertificatePtr> chain;
  while (chain.size() <= chain_max) {
    ERR_clear_error();
    CertificatePtr certificate{PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)};
    if (certificate != nullptr) {
      chain.push_back(std::move(certificate));
      continue;
    }
    if (!no_more_pem()) {
      return refuse(
          "certificate", file,
          "has a broken PEM block (" + openssl_reason("unknown error") + "); write it anew");
    }
    if (chain.empty()) {
      return refuse("certificate", file,
                    "has no PEM certificate; it should begin with -----BEGIN CERTIFICATE-----");
    }
    return chain;
  }
  return refuse("certificate", file, "has more than 20 certificates; leave those of the chain");
}

/// Instead of OpenSSL's own, which would ask on the terminal.
int note_passphrase_wanted(char* /*passphrase*/, int /*size*/, int /*writing*/, void* wanted) {
  *static_cast<bool*>(wanted) = true;
  return -1;
}

Result<KeyPtr, std::string> parse_key(const std::string& file, BIO* bio) {
  bool encrypted = false;
  KeyPtr key{PEM_read_bio_PrivateKey(bio, nullptr, note_passphrase_wanted, &encrypted)};
  if (encrypted) {
    return refuse("key", file,
                  "is encrypted; remove the passphrase with \"openssl pkey -in … -out …\"");
  }
  if (key == nullptr) {
    return refuse("key", file,
                  "has no usable PEM key; it should begin with -----BEGIN PRIVATE KEY-----");
  }
  return key;
}

/// Nothing when the certificate holds a date that is none.
std::optional<WallTime> to_wall_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  const std::time_t unix_time = timegm(&parts);
  return WallTime{seconds{unix_time}};
}

/// As in "2026-03-29 12:00:00 UTC".
std::string to_text(WallTime time) {
  const std::time_t unix_time = time.time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&unix_time, &parts);
  std::array<char, 64> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts);
  return {text.data(), size};
}

Sha256Digest fingerprint_of(ByteView certificate, ByteView key) {
  std::array<std::uint8_t, 2 * sizeof(Sha256Digest)> digests{};
  copy_bytes(sha256(certificate), digests);
  copy_bytes(sha256(key), MutableByteView{digests}.subspan(sizeof(Sha256Digest)));
  return sha256(digests);
}

// --- Bytes in and out ----------------------------------------------------------------------------

/// What SSL reads from and writes to, for the time of one call.
struct Wire {
  ByteView unread;
  std::vector<std::uint8_t>* out = nullptr;
  std::size_t handshake_bytes = 0;  // that the client has sent
  unsigned late_handshake_messages = 0;
  bool established = false;

  /// The client has sent more than any honest one. Looks like the end of the stream to OpenSSL,
  /// which takes that for an error and says so with an alert.
  [[nodiscard]] bool over_limit() const {
    return handshake_bytes > handshake_bytes_max ||
           late_handshake_messages > late_handshake_messages_max;
  }
};

Wire& wire_of(BIO* bio) { return *static_cast<Wire*>(BIO_get_data(bio)); }

int wire_read(BIO* bio, char* to, std::size_t to_bytes, std::size_t* read_bytes) noexcept {
  Wire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  *read_bytes = 0;
  if (wire.over_limit()) return 0;
  if (wire.unread.empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  const ByteView taken = wire.unread.first(std::min(to_bytes, wire.unread.size()));
  std::memcpy(to, taken.data(), taken.size());
  wire.unread = wire.unread.subspan(taken.size());
  if (!wire.established) wire.handshake_bytes += taken.size();
  *read_bytes = taken.size();
  return 1;
}

// noexcept: no exception may cross OpenSSL; without memory the process ends.
int wire_write(BIO* bio, const char* from, std::size_t from_bytes, std::size_t* written) noexcept {
  Wire& wire = wire_of(bio);
  BIO_clear_retry_flags(bio);
  const ByteView bytes = bytes_of({from, from_bytes});
  wire.out->insert(wire.out->end(), bytes.begin(), bytes.end());
  *written = from_bytes;
  return 1;
}

long wire_control(BIO* bio, int command, long /*number*/, void* /*pointer*/) noexcept {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return wire_of(bio).over_limit() ? 1 : 0;
    default:
      return 0;
  }
}

int wire_create(BIO* bio) noexcept {
  BIO_set_init(bio, 1);
  return 1;
}

/// Made once, never freed.
const BIO_METHOD* wire_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wire");
    TURNPIKE_ASSERT(made != nullptr);
    BIO_meth_set_read_ex(made, wire_read);
    BIO_meth_set_write_ex(made, wire_write);
    BIO_meth_set_ctrl(made, wire_control);
    BIO_meth_set_create(made, wire_create);
    return made;
  }();
  return method;
}

void count_late_handshake_message(int is_ours, int /*version*/, int content_type,
                                  const void* /*message*/, std::size_t /*bytes*/, SSL* /*ssl*/,
                                  void* argument) {
  auto* const wire = static_cast<Wire*>(argument);
  if (wire == nullptr || !wire->established) return;
  if (is_ours == 0 && content_type == SSL3_RT_HANDSHAKE) ++wire->late_handshake_messages;
}

}  // namespace

std::string_view alpn_of(const SSL* ssl) {
  const unsigned char* chosen = nullptr;
  unsigned chosen_bytes = 0;
  SSL_get0_alpn_selected(ssl, &chosen, &chosen_bytes);
  const auto* const name =
      std::find(alpn_names.begin(), alpn_names.end(), text_of(ByteView{chosen, chosen_bytes}));
  return name != alpn_names.end() ? *name : std::string_view{};
}

// --- TlsContext ----------------------------------------------------------------------------------

TlsContext::TlsContext(std::unique_ptr<Native> native, WallTime not_after,
                       const Sha256Digest& fingerprint)
    : native_(std::move(native)), not_after_(not_after), fingerprint_(fingerprint) {}

TlsContext::~TlsContext() = default;

Result<std::shared_ptr<const TlsContext>, std::string> TlsContext::load(
    const std::string& certificate_file, const std::string& key_file, const LoadOptions& options) {
  const CleanErrorQueue clean;
  const auto certificate_bytes = read_file("certificate", certificate_file);
  if (!certificate_bytes) return Failure{certificate_bytes.error()};
  const auto key_bytes = read_file("key", key_file);
  if (!key_bytes) return Failure{key_bytes.error()};
  auto chain = parse_chain(certificate_file, certificate_bytes->bio().get());
  if (!chain) return Failure{std::move(chain.error())};
  const auto key = parse_key(key_file, key_bytes->bio().get());
  if (!key) return Failure{key.error()};

  X509* const own = chain->front().get();
  if (X509_check_private_key(own, key->get()) != 1) {
    return refuse("key", key_file,
                  "does not belong to the first certificate of \"" + certificate_file +
                      "\"; give the two files that were made together, the server's certificate "
                      "before those of its issuers");
  }
  const auto not_before = to_wall_time(X509_get0_notBefore(own));
  const auto not_after = to_wall_time(X509_get0_notAfter(own));
  if (!not_before || !not_after) {
    return refuse("certificate", certificate_file, "has a date that cannot be read");
  }
  if (options.now > *not_after && !options.allow_expired) {
    return refuse("certificate", certificate_file,
                  "expired on " + to_text(*not_after) + "; renew it");
  }
  if (options.now < *not_before && !options.allow_expired) {
    return refuse("certificate", certificate_file,
                  "is not valid before " + to_text(*not_before) + "; check the clock");
  }

  ERR_clear_error();
  auto native = std::make_unique<Native>();
  native->ticket_keys = std::make_unique<TicketKeys>();
  native->stream = make_stream_context(*native->ticket_keys);
  native->datagram = make_datagram_context(*native->ticket_keys);
  if (native->stream == nullptr || native->datagram == nullptr) {
    return Failure<std::string>{"OpenSSL refuses our TLS settings (" +
                                openssl_reason("unknown error") +
                                "); check its configuration file"};
  }
  const bool taken = take_certificate(native->stream.get(), *chain, key->get()) &&
                     take_certificate(native->datagram.get(), *chain, key->get());
  if (!taken) {
    return refuse("certificate", certificate_file,
                  "is not accepted (" + openssl_reason("unknown error") +
                      "); use RSA with 2048 bits or more, or ECDSA, signed with SHA-256");
  }
  return std::shared_ptr<const TlsContext>{new TlsContext{
      std::move(native), *not_after, fingerprint_of(certificate_bytes->view(), key_bytes->view())}};
}

// --- TlsSession ----------------------------------------------------------------------------------

struct TlsSession::Native {
  Wire wire;
  SslPtr ssl;
};

TlsSession::TlsSession(std::shared_ptr<const TlsContext> context)
    : native_(std::make_unique<Native>()), context_(std::move(context)) {
  const CleanErrorQueue clean;
  native_->ssl.reset(SSL_new(context_->native_->stream.get()));
  BIO* const bio = BIO_new(wire_method());
  SSL* const ssl = native_->ssl.get();
  if (ssl == nullptr || bio == nullptr) {
    BIO_free(bio);
    throw std::bad_alloc{};
  }
  BIO_set_data(bio, &native_->wire);
  SSL_set_bio(ssl, bio, bio);  // takes one reference for both
  SSL_set_msg_callback_arg(ssl, &native_->wire);
  SSL_set_accept_state(ssl);
}

TlsSession::~TlsSession() = default;
TlsSession::TlsSession(TlsSession&& other) noexcept = default;
TlsSession& TlsSession::operator=(TlsSession&& other) noexcept = default;

TlsSession::Status TlsSession::receive(ByteView from_network, std::vector<std::uint8_t>& plaintext,
                                       std::vector<std::uint8_t>& wire) {
  if (status_ != Status::open) return status_;
  const CleanErrorQueue clean;
  native_->wire.unread = from_network;
  native_->wire.out = &wire;
  if (!established_) shake_hands();
  if (established_ && status_ == Status::open) decrypt(plaintext);
  native_->wire.unread = {};
  native_->wire.out = nullptr;
  release_unless_open();
  return status_;
}

void TlsSession::shake_hands() {
  SSL* const ssl = native_->ssl.get();
  const int result = SSL_do_handshake(ssl);
  if (result != 1) {
    if (SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ) status_ = Status::failed;
    return;
  }
  established_ = true;
  native_->wire.established = true;
  alpn_ = alpn_of(ssl);
}

void TlsSession::decrypt(std::vector<std::uint8_t>& plaintext) {
  constexpr std::size_t record_max = SSL3_RT_MAX_PLAIN_LENGTH;
  SSL* const ssl = native_->ssl.get();
  // SSL_pending: the rest of a record of which we made too little room, since its beginning had
  // come with an earlier call.
  while (!native_->wire.unread.empty() || SSL_pending(ssl) > 0) {
    const auto pending = static_cast<std::size_t>(SSL_pending(ssl));
    const bool is_rest = pending > 0;
    // At least the smallest message, so that a tiny record is one read however it comes.
    const std::size_t room = std::clamp(native_->wire.unread.size(),
                                        std::max(pending, smallest_message_bytes), record_max);
    const std::size_t before = plaintext.size();
    plaintext.resize(before + room);
    std::size_t got = 0;
    const int result = SSL_read_ex(ssl, plaintext.data() + before, room, &got);
    plaintext.resize(before + got);
    if (result == 1) {
      const bool is_whole = !is_rest && SSL_pending(ssl) == 0;
      if (is_whole && got < smallest_message_bytes) ++tiny_records_;
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

TlsSession::Status TlsSession::send(ByteView plaintext, std::vector<std::uint8_t>& wire) {
  TURNPIKE_ASSERT(established_);
  if (status_ != Status::open || plaintext.empty()) return status_;
  const CleanErrorQueue clean;
  native_->wire.out = &wire;
  std::size_t written = 0;
  const int result = SSL_write_ex(native_->ssl.get(), plaintext.data(), plaintext.size(), &written);
  native_->wire.out = nullptr;
  if (result != 1) status_ = Status::failed;
  release_unless_open();
  return status_;
}

void TlsSession::close(std::vector<std::uint8_t>& wire) {
  if (status_ != Status::open) return;
  const CleanErrorQueue clean;
  native_->wire.out = &wire;
  if (established_) SSL_shutdown(native_->ssl.get());
  status_ = Status::closed;
  release_unless_open();
}

void TlsSession::release_unless_open() {
  if (status_ == Status::open) return;
  native_.reset();
  context_.reset();
}

}  // namespace turnpike::net
