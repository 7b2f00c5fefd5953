// Seals single values of the database, each tied to its column and row.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.h"
#include "base/crypto_aead.h"
#include "base/secret_memory.h"

namespace turnpike::store {

/// A column of a table, and the row by its name: sealed values cannot be moved to another place.
struct Place {
  std::string_view column;  ///< "users.md5_key"
  std::string_view row;
};

class Sealer {
 public:
  explicit Sealer(const AeadKey& key) : key_(key) {}
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;

  [[nodiscard]] std::vector<std::uint8_t> seal(const Place& place, ByteView plain) {
    return aead_seal(*key_, plain, bytes_of(context_of(place)), random_);
  }
  /// Nothing when it was not sealed with this key for this place.
  [[nodiscard]] std::optional<std::vector<std::uint8_t>> open(const Place& place,
                                                              ByteView sealed) const {
    return aead_open(*key_, sealed, bytes_of(context_of(place)));
  }

 private:
  static std::string context_of(const Place& place) {
    std::string context{place.column};
    context.push_back('\0');  // no column has one in its name
    context.append(place.row);
    return context;
  }

  SecretBox<AeadKey> key_;
  SecureRandom random_;
};

}  // namespace turnpike::store
