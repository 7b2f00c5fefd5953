// The key that the store's secrets are sealed with: 32 bytes, kept apart from the database.
#pragma once

#include <string>

#include "base/crypto_aead.h"

namespace turnpike::store {

/// Reads the key in the file at `path`: one line of base64. Throws StoreFailure when it is not
/// there, is no key, or when others than owner and group may read it.
[[nodiscard]] AeadKey read_key_file(const std::string& path);

/// The same, and makes a file with a random key when there is none.
[[nodiscard]] AeadKey read_or_make_key_file(const std::string& path);

}  // namespace turnpike::store
