#include "client/long_term.h"

#include "auth/opaque_string.h"
#include "stun/attributes.h"
#include "stun/integrity.h"

namespace turnpike::client {
namespace {

using stun::AttributeType;
using stun::PasswordAlgorithm;
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t text_bytes_max = 763;   // REALM and NONCE (RFC 8489 §14.9, §14.10)
constexpr std::size_t offer_bytes_max = 256;  // of a list with two algorithms known to anybody

/// The numbers in a PASSWORD-ALGORITHMS value, in its order; parameters are skipped (§14.11).
std::vector<std::uint16_t> algorithms_in(ByteView list) {
  std::vector<std::uint16_t> found;
  while (list.size() >= 4) {
    found.push_back(load_be16(list));
    const std::size_t size = 4 + padded_to_4(load_be16(list.subspan(2)));
    if (size > list.size()) break;
    list = list.subspan(size);
  }
  return found;
}

bool is_known(std::uint16_t algorithm) {
  return algorithm == static_cast<std::uint16_t>(PasswordAlgorithm::md5) ||
         algorithm == static_cast<std::uint16_t>(PasswordAlgorithm::sha256);
}

std::optional<PasswordAlgorithm> first_known(ByteView list) {
  for (const std::uint16_t algorithm : algorithms_in(list)) {
    if (is_known(algorithm)) return static_cast<PasswordAlgorithm>(algorithm);
  }
  return std::nullopt;
}

Bytes copy_of(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

void put_if(stun::MessageBuilder& message, AttributeType type, const std::optional<Bytes>& value) {
  if (value) message.put(type, *value);
}

void put_if(stun::MessageBuilder& message, AttributeType type,
            const std::optional<std::string>& value) {
  if (value) message.put_text(type, *value);
}

}  // namespace

void put_signature(stun::MessageBuilder& message, const Signature& signature) {
  put_if(message, AttributeType::username, signature.username);
  put_if(message, AttributeType::userhash, signature.userhash);
  put_if(message, AttributeType::realm, signature.realm);
  put_if(message, AttributeType::nonce, signature.nonce);
  put_if(message, AttributeType::password_algorithms, signature.password_algorithms);
  put_if(message, AttributeType::password_algorithm, signature.password_algorithm);
  const stun::IntegrityKey key{signature.key};
  if (signature.sha1) message.put_message_integrity(key.sha1);
  if (signature.sha256) message.put_message_integrity_sha256(key.sha256);
}

ResponseIntegrity expected_integrity(const Signature& signature) {
  const bool negotiated = signature.password_algorithm || signature.password_algorithms;
  return negotiated ? ResponseIntegrity::sha256 : ResponseIntegrity::sha1;
}

LongTermClient::LongTermClient(std::string username, const std::string& password)
    : username_(std::move(username)), password_(auth::opaque_string(password).value_or(password)) {}

LongTermClient::Step LongTermClient::on_error(const stun::MessageView& response, bool was_signed) {
  const auto value = response.find(AttributeType::error_code);
  const auto error = value ? stun::decode_error_code(*value) : std::nullopt;
  const bool is_stale =
      error && error->code == static_cast<std::uint16_t>(stun::ErrorCode::stale_nonce);
  const bool is_unauthenticated =
      error && error->code == static_cast<std::uint16_t>(stun::ErrorCode::unauthenticated);
  if (!is_stale && !is_unauthenticated) return Step::not_a_challenge;

  const auto realm = response.find(AttributeType::realm);
  const auto nonce = response.find(AttributeType::nonce);
  const auto list = response.find(AttributeType::password_algorithms);
  if (!realm || !nonce) return Step::unusable;
  // All three come back in each request, for which a server must not make the room run out.
  if (realm->size() > text_bytes_max || nonce->size() > text_bytes_max) return Step::unusable;
  if (list && list->size() > offer_bytes_max) return Step::unusable;
  const auto features = nonce_features(text_of(*nonce));
  // §9.2.5: a list that the cookie promises and that is not there has been taken out on the way.
  if (features && has_password_algorithms_bit(*features) && !list) return Step::unusable;
  if (list && !first_known(*list)) return Step::unusable;
  if (is_unauthenticated && was_signed && realm_ == text_of(*realm)) return Step::refused;

  realm_ = text_of(*realm);
  nonce_ = text_of(*nonce);
  offer_ = list ? copy_of(*list) : Bytes{};
  return Step::send_again;
}

Signature LongTermClient::signature() const {
  Signature signature;
  if (wants_userhash()) {
    signature.userhash = userhash();
  } else {
    signature.username = username_;
  }
  signature.realm = realm_;
  signature.nonce = nonce_;
  const auto algorithm = first_known(offer_);
  if (algorithm) {
    signature.password_algorithms = offer_;
    Bytes chosen(4, 0);
    store_be16(chosen, static_cast<std::uint16_t>(*algorithm));
    signature.password_algorithm = chosen;
  }
  signature.key = key(algorithm.value_or(PasswordAlgorithm::md5));
  signature.sha256 = algorithm.has_value();
  signature.sha1 = !signature.sha256;
  return signature;
}

Signature LongTermClient::classic_signature() const {
  Signature signature;
  signature.username = username_;
  signature.realm = realm_;
  signature.nonce = nonce_;
  signature.key = key(PasswordAlgorithm::md5);
  signature.sha1 = true;
  return signature;
}

bool LongTermClient::offers(PasswordAlgorithm algorithm) const {
  const auto offered = algorithms_in(offer_);
  return std::find(offered.begin(), offered.end(), static_cast<std::uint16_t>(algorithm)) !=
         offered.end();
}

bool LongTermClient::wants_userhash() const {
  const auto features = nonce_features(nonce_);
  return features && has_username_anonymity_bit(*features);
}

auth::LongTermKey LongTermClient::key(PasswordAlgorithm algorithm) const {
  const auto realm = auth::opaque_string(*realm_).value_or(*realm_);
  return auth::long_term_key(algorithm, username_, realm, password_);
}

Bytes LongTermClient::userhash() const {
  const auto name = auth::opaque_string(username_).value_or(username_);
  const auto realm = auth::opaque_string(*realm_).value_or(*realm_);
  return copy_of(auth::userhash(name, realm));
}

Verified verify(const stun::MessageView& response, const Signature& request) {
  const stun::IntegrityKey key{request.key};
  const bool has_sha1 = response.message_integrity().has_value();
  const bool has_sha256 = response.message_integrity_sha256().has_value();
  if (!has_sha1 && !has_sha256) return Verified::absent;
  if (has_sha1 && !stun::verify_message_integrity(response, key.sha1)) return Verified::wrong;
  if (has_sha256 && !stun::verify_message_integrity_sha256(response, key.sha256)) {
    return Verified::wrong;
  }
  const bool wants_sha256 = expected_integrity(request) == ResponseIntegrity::sha256;
  return (wants_sha256 ? has_sha256 : has_sha1) ? Verified::good : Verified::of_kind;
}

std::optional<std::uint32_t> nonce_features(std::string_view nonce) {
  constexpr std::size_t bits_at = stun::nonce_cookie_prefix.size();
  constexpr std::size_t characters = 4;
  if (!nonce.starts_with(stun::nonce_cookie_prefix)) return std::nullopt;
  if (nonce.size() < bits_at + characters) return std::nullopt;
  const auto bits = base64_decode(nonce.substr(bits_at, characters));
  if (!bits || bits->size() != 3) return std::nullopt;
  return ((*bits)[0] << 16U) | ((*bits)[1] << 8U) | (*bits)[2];
}

bool has_password_algorithms_bit(std::uint32_t features) { return (features & 0x800001U) != 0; }

bool has_username_anonymity_bit(std::uint32_t features) { return (features & 0x400002U) != 0; }

}  // namespace turnpike::client
