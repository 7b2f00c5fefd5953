#include "signaling/api_keys.h"

#include <algorithm>

namespace turnpike::signaling {
namespace {

std::vector<TokenKey> token_keys_of(const std::vector<FixedApiKeys::Entry>& entries) {
  std::vector<TokenKey> keys;
  keys.reserve(entries.size());
  for (const auto& entry : entries) {
    keys.push_back({entry.id, HmacSha256Key{bytes_of(entry.secret)}});
  }
  return keys;
}

bool is_bearer_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view{"-._~+/"}.find(c) != std::string_view::npos;
}

}  // namespace

FixedApiKeys::FixedApiKeys(const std::vector<Entry>& entries) : tokens_(token_keys_of(entries)) {
  records_.reserve(entries.size());
  for (const Entry& entry : entries) {
    const ByteView secret = bytes_of(entry.secret);
    records_.push_back({sha256(secret), ApiKey{entry.id, HmacSha256Key{secret}}});
  }
}

const ApiKey* FixedApiKeys::find_presented(std::string_view secret) const {
  const Sha256Digest digest = sha256(bytes_of(secret));
  const ApiKey* found = nullptr;
  // All of them, also after a hit: which key it is shows in no time.
  for (const Record& record : records_) {
    if (equal_in_constant_time(record.digest, digest)) found = &record.key;
  }
  return found;
}

bool is_bearer_token(std::string_view text) {
  const std::size_t last = text.find_last_not_of('=');
  if (last == std::string_view::npos) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(last) + 1,
                     is_bearer_character);
}

}  // namespace turnpike::signaling
