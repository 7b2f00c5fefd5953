// The key that the store's secrets are sealed with: 32 bytes, kept apart from the database.
#pragma once

#include <optional>
#include <string>

#include "base/crypto_aead.h"

namespace turnpike::store {

/// Reads the key in the file at `path`: one line of base64. Throws StoreFailure when it is not
/// there, is no key, or when others than owner and group may read it.
[[nodiscard]] AeadKey read_key_file(const std::string& path);

/// The same; nothing when there is no such file.
[[nodiscard]] std::optional<AeadKey> read_key_file_if_there(const std::string& path);

/// The same, and makes a file with a random key when there is none.
[[nodiscard]] AeadKey read_or_make_key_file(const std::string& path);

// Another key in the same file: it waits beside it until the store is sealed with it.

/// Where the key waits that is to take the place of the one in `path`; and where that one goes.
[[nodiscard]] std::string next_key_file(const std::string& path);
[[nodiscard]] std::string old_key_file(const std::string& path);

/// A random key in next_key_file(path), with the owner and mode of `path`. Nobody may need the one
/// that waits there. When this returns it is on the disk. Throws StoreFailure.
[[nodiscard]] AeadKey make_next_key_file(const std::string& path);

/// Has the key that waits take its place. Throws StoreFailure.
void promote_next_key_file(const std::string& path);

}  // namespace turnpike::store
