// Files that nobody but their owner may read, made whole or not at all.
#pragma once

#include <functional>
#include <string>

namespace turnpike::store {

/// Makes the directory of `path` when it is not there, for its owner alone, and its parents.
/// Throws StoreFailure.
void make_directory_of(const std::string& path);

enum class Made : std::uint8_t { now, before };

/// Makes the file `path` with mode 0600: `write` fills a file of another name in the same
/// directory, which then gets the name `path` at once. Before: there was one already, perhaps since
/// a moment ago, and it was left alone. Made by root, the file belongs to the owner of the
/// directory. Throws StoreFailure, and what `write` throws.
Made make_private_file(const std::string& path,
                       const std::function<void(const std::string& path)>& write);

}  // namespace turnpike::store
