// The client's side of the long-term credential mechanism (RFC 8489 §9.2): what a challenge taught,
// what goes into a request, and whether a response is the server's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "auth/credentials.h"
#include "stun/builder.h"
#include "stun/message.h"

namespace turnpike::client {

/// All that authenticates one request. Plain values: tools that test servers change them at will.
struct Signature {
  std::optional<std::string> username;
  std::optional<std::vector<std::uint8_t>> userhash;
  std::optional<std::string> realm;
  std::optional<std::string> nonce;
  std::optional<std::vector<std::uint8_t>> password_algorithms;  ///< the attribute's value
  std::optional<std::vector<std::uint8_t>> password_algorithm;   ///< the attribute's value
  auth::LongTermKey key;
  bool sha1 = false;    ///< put MESSAGE-INTEGRITY
  bool sha256 = false;  ///< put MESSAGE-INTEGRITY-SHA256
};

/// Puts the attributes of `signature`, the integrity last.
void put_signature(stun::MessageBuilder& message, const Signature& signature);

/// Which integrity attribute is expected of a response (RFC 8489 §9.2.4, end).
enum class ResponseIntegrity : std::uint8_t { sha1, sha256 };
[[nodiscard]] ResponseIntegrity expected_integrity(const Signature& signature);

/// One user of one server. Knows nothing until the server has challenged.
class LongTermClient {
 public:
  /// `username` and `password` as typed; the password goes through OpaqueString, and is taken as it
  /// is when that refuses it.
  LongTermClient(std::string username, const std::string& password);

  /// What to do after an error response.
  enum class Step : std::uint8_t {
    not_a_challenge,  ///< neither 401 nor 438
    send_again,       ///< learnt; sign the request anew
    refused,          ///< 401 to a signed request: name or password is wrong
    unusable,         ///< without REALM or NONCE, bid down, no algorithm that is known here, or
                      ///< longer than such attributes may be
  };
  /// Learns from a 401 or 438 (RFC 8489 §9.2.5). `was_signed`: the request carried a signature().
  Step on_error(const stun::MessageView& response, bool was_signed);

  /// A challenge has been learnt, so signature() has what it needs.
  [[nodiscard]] bool has_challenge() const { return realm_.has_value(); }
  /// What a good client sends (RFC 8489 §9.2.5): USERHASH if the server wants it, the first known
  /// algorithm of its list, and MESSAGE-INTEGRITY-SHA256 if there is a list.
  /// Precondition: has_challenge().
  [[nodiscard]] Signature signature() const;
  /// What a client of RFC 5389 sends: USERNAME, MD5 and MESSAGE-INTEGRITY.
  /// Precondition: has_challenge().
  [[nodiscard]] Signature classic_signature() const;

  [[nodiscard]] const std::string& username() const { return username_; }
  [[nodiscard]] const std::string& realm() const { return *realm_; }
  [[nodiscard]] const std::string& nonce() const { return nonce_; }
  /// PASSWORD-ALGORITHMS as the server sent it; empty: it offers none.
  [[nodiscard]] const std::vector<std::uint8_t>& offer() const { return offer_; }
  /// True when `algorithm` is in the server's list.
  [[nodiscard]] bool offers(stun::PasswordAlgorithm algorithm) const;
  /// The nonce cookie has the username anonymity bit, counted from either end (docs/adr/0005).
  [[nodiscard]] bool wants_userhash() const;
  [[nodiscard]] auth::LongTermKey key(stun::PasswordAlgorithm algorithm) const;
  [[nodiscard]] std::vector<std::uint8_t> userhash() const;

 private:
  std::string username_;
  std::string password_;
  std::optional<std::string> realm_;
  std::string nonce_;
  std::vector<std::uint8_t> offer_;
};

/// What can be said of a response's integrity.
enum class Verified : std::uint8_t {
  good,     ///< the expected attribute is there and right
  absent,   ///< no integrity attribute at all
  wrong,    ///< there, but it does not match
  of_kind,  ///< right, but the other attribute was due
};
/// Checks `response` against the key and the kind of the request's signature.
[[nodiscard]] Verified verify(const stun::MessageView& response, const Signature& request);

/// The bits of a nonce cookie ("obMatJos2" and four base64 characters); nothing when there is none.
[[nodiscard]] std::optional<std::uint32_t> nonce_features(std::string_view nonce);
/// "Password algorithms", and "Username anonymity", in either order of the bits.
[[nodiscard]] bool has_password_algorithms_bit(std::uint32_t features);
[[nodiscard]] bool has_username_anonymity_bit(std::uint32_t features);

}  // namespace turnpike::client
