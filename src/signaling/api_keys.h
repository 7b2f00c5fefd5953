// API keys: what the operator's programs present to the REST API, and what room tokens are signed
// with.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "signaling/token.h"

namespace turnpike::signaling {

/// One API key. Its secret is not kept, only what is made of it.
struct ApiKey {
  std::string id;         ///< the `kid` of its tokens, and what the rooms it makes count against
  HmacSha256Key signing;  ///< signs and verifies its room tokens (HS256)
};

/// Knows API keys by what is presented, and their tokens by the key's id.
class ApiKeys : public TokenKeys {
 public:
  /// The key whose secret is `secret`; nullptr when there is none, for whatever reason. The time it
  /// takes tells nothing about the secrets. Valid until the next change of the keys.
  [[nodiscard]] virtual const ApiKey* find_presented(std::string_view secret) const = 0;

 protected:
  ApiKeys() = default;
  ApiKeys(const ApiKeys&) = default;
  ApiKeys& operator=(const ApiKeys&) = default;
};

/// A list of keys that does not change.
class FixedApiKeys final : public ApiKeys {
 public:
  struct Entry {
    std::string id;
    std::string secret;  ///< 256 random bits or more, in whatever spelling; see is_bearer_token()
  };
  explicit FixedApiKeys(const std::vector<Entry>& entries);

  [[nodiscard]] const TokenKey* find(std::string_view id) const override {
    return tokens_.find(id);
  }
  [[nodiscard]] const ApiKey* find_presented(std::string_view secret) const override;

 private:
  struct Record {
    Sha256Digest digest;  // of the secret
    ApiKey key;
  };

  std::vector<Record> records_;
  FixedTokenKeys tokens_;
};

/// What can stand behind "Bearer " (RFC 6750 §2.1): letters, digits and -._~+/, then perhaps =.
[[nodiscard]] bool is_bearer_token(std::string_view text);

}  // namespace turnpike::signaling
