#include "signaling/token.h"

#include <algorithm>

#include "signaling/base64url.h"
#include "signaling/fields.h"
#include "signaling/json.h"
#include "signaling/limits.h"

namespace turnpike::signaling {
namespace {

constexpr seconds clock_skew{30};
constexpr std::uint64_t end_of_time = 253'402'300'799;  // the last second of the year 9999
constexpr std::size_t max_rights = 32;
constexpr unsigned token_depth = 4;

/// The three parts of the compact form, still encoded.
struct Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text;  // header "." payload
};

std::optional<Parts> split(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  // A third dot is left in the signature, where base64url has no place for it.
  return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1),
               token.substr(second + 1), token.substr(0, second)};
}

std::optional<Json> decode_object(std::string_view part) {
  const auto bytes = base64url_decode(part);
  if (!bytes) return std::nullopt;
  auto value = parse_json(text_of(*bytes), token_depth);
  return value && value->is_object() ? std::move(value) : std::nullopt;
}

std::string_view algorithm_of(const TokenKey& key) {
  return std::holds_alternative<HmacSha256Key>(key.material) ? "HS256" : "EdDSA";
}

bool verifies(const TokenKey& key, std::string_view text, ByteView signature) {
  if (const auto* const hmac = std::get_if<HmacSha256Key>(&key.material)) {
    return equal_in_constant_time(hmac->mac({bytes_of(text)}), signature);
  }
  const auto* const ed25519 = std::get_if<Ed25519PublicKey>(&key.material);
  return ed25519 != nullptr && ed25519_verify(*ed25519, bytes_of(text), signature);
}

/// A NumericDate (RFC 7519 §2) down to the second before it.
std::optional<WallTime> date(FieldReader& fields, const char* name) {
  const Json* const value = fields.find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number_float()) {
    const double real = value->get<double>();
    if (real >= 0 && real < static_cast<double>(end_of_time)) {
      return WallTime{seconds{static_cast<std::int64_t>(real)}};
    }
  } else if (const auto whole = fields.number(name); whole && *whole <= end_of_time) {
    return WallTime{seconds{static_cast<std::int64_t>(*whole)}};
  }
  fields.fail(name, "is no date");
  return std::nullopt;
}

void read_ice(FieldReader& fields, Claims& claims) {
  const Json* const object = fields.object("ice");
  if (object == nullptr) return;
  FieldReader ice{*object};
  if (const auto ttl = ice.number("ttl")) {
    if (*ttl == 0 || *ttl > end_of_time) ice.fail("ttl", "is no time to live");
    claims.ice_ttl = seconds{static_cast<std::int64_t>(std::min(*ttl, end_of_time))};
  }
  claims.relay_only = ice.boolean("relayOnly").value_or(false);
  if (!ice.ok()) fields.fail("ice", ice.problem());
}

void read_role(FieldReader& fields, Claims& claims) {
  if (const auto name = fields.text("role", bounds::name_bytes)) {
    const auto role = parse_role(*name);
    if (!role) fields.fail("role", "is no role");
    claims.role = role.value_or(Role::viewer);
  }
  for (const std::string& name :
       fields.texts("can", max_rights, bounds::name_bytes).value_or(std::vector<std::string>{})) {
    if (const auto right = parse_right(name)) claims.can.push_back(*right);
  }
}

std::optional<Claims> read_claims(FieldReader& fields) {
  Claims claims;
  claims.subject = fields.text("sub", bounds::subject_bytes).value_or(std::string{});
  claims.room = fields.required_text("room", bounds::room_bytes);
  const auto expires = date(fields, "exp");
  if (!expires) fields.fail("exp", "is missing");
  claims.expires = expires.value_or(WallTime{});
  claims.name = fields.text("name", bounds::name_bytes).value_or(std::string{});
  read_role(fields, claims);
  if (const auto max = fields.number("max")) {
    if (*max == 0) fields.fail("max", "must be at least 1");
    claims.max = static_cast<std::uint32_t>(std::min<std::uint64_t>(*max, max_peers_cap));
  }
  read_ice(fields, claims);
  if (!fields.ok()) return std::nullopt;
  return claims;
}

std::string claims_json(const Claims& claims) {
  ObjectWriter out;
  if (!claims.subject.empty()) out.text("sub", claims.subject);
  out.text("room", claims.room);
  out.number("exp", static_cast<std::uint64_t>(claims.expires.time_since_epoch().count()));
  if (!claims.name.empty()) out.text("name", claims.name);
  out.text("role", to_string(claims.role));
  if (!claims.can.empty()) {
    ArrayWriter can;
    for (const Right right : claims.can) can.text(to_string(right));
    out.raw("can", can.finish());
  }
  if (claims.max) out.number("max", *claims.max);
  if (claims.ice_ttl || claims.relay_only) {
    ObjectWriter ice;
    if (claims.ice_ttl) ice.number("ttl", static_cast<std::uint64_t>(claims.ice_ttl->count()));
    if (claims.relay_only) ice.boolean("relayOnly", true);
    out.raw("ice", ice.finish());
  }
  return out.finish();
}

}  // namespace

const TokenKey* FixedTokenKeys::find(std::string_view id) const {
  if (id.empty()) return keys_.size() == 1 ? &keys_.front() : nullptr;
  const auto at =
      std::find_if(keys_.begin(), keys_.end(), [id](const TokenKey& key) { return key.id == id; });
  return at == keys_.end() ? nullptr : &*at;
}

Result<VerifiedToken, TokenError> verify_token(std::string_view token, const TokenKeys& keys,
                                               WallTime now) {
  if (token.size() > bounds::token_bytes) return Failure{TokenError::malformed};
  const auto parts = split(token);
  if (!parts) return Failure{TokenError::malformed};
  const auto header = decode_object(parts->header);
  const auto signature = base64url_decode(parts->signature);
  if (!header || !signature) return Failure{TokenError::malformed};

  FieldReader names{*header};
  const std::string algorithm = names.required_text("alg", bounds::name_bytes);
  const std::string key_id = names.text("kid", bounds::name_bytes).value_or(std::string{});
  // RFC 7515 §4.1.11: extensions that are not understood make the token invalid.
  if (!names.ok() || header->contains("crit")) return Failure{TokenError::malformed};

  const TokenKey* const key = keys.find(key_id);
  if (key == nullptr) return Failure{TokenError::unknown_key};
  if (algorithm != algorithm_of(*key)) return Failure{TokenError::wrong_algorithm};
  if (!verifies(*key, parts->signed_text, *signature)) return Failure{TokenError::wrong_signature};

  const auto payload = decode_object(parts->payload);
  if (!payload) return Failure{TokenError::malformed};
  FieldReader fields{*payload};
  const auto not_before = date(fields, "nbf");
  auto claims = read_claims(fields);
  if (!claims) return Failure{TokenError::malformed};
  if (claims->expires <= now) return Failure{TokenError::expired};
  if (not_before && *not_before > now + clock_skew) return Failure{TokenError::not_yet_valid};
  return VerifiedToken{*std::move(claims), key->id};
}

std::string mint_token(const Claims& claims, std::string_view key_id, const HmacSha256Key& key) {
  ObjectWriter header;
  header.text("alg", "HS256").text("typ", "JWT");
  if (!key_id.empty()) header.text("kid", key_id);
  std::string token = base64url_encode(bytes_of(header.finish()));
  token += '.';
  token += base64url_encode(bytes_of(claims_json(claims)));
  const Sha256Digest mac = key.mac({bytes_of(token)});
  token += '.';
  token += base64url_encode(mac);
  return token;
}

}  // namespace turnpike::signaling
