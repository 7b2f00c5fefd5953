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

/// Gives `path` the owner and the mode of `model`. Throws StoreFailure.
void copy_owner_and_mode(const std::string& model, const std::string& path);

/// Gives the file `by` the name `path` at once, and the one that had it the name `kept_as`, where
/// another one may be replaced. All three are in one directory. Throws StoreFailure.
void replace_file(const std::string& path, const std::string& by, const std::string& kept_as);

}  // namespace turnpike::store
