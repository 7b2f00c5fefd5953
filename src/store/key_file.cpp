#include "store/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "base/crypto.h"
#include "store/failure.h"
#include "store/private_file.h"

namespace turnpike::store {
namespace {

StoreFailure misconfigured(const std::string& sentence) { return {Fault::misconfigured, sentence}; }

StoreFailure unreadable(const std::string& path, int error) {
  if (error == ENOENT) {
    return misconfigured(
        fmt::format("the key file {} is not there, and without it nothing sealed in the store can "
                    "be read; put it back from your backup, or set store.key_file to where it is",
                    path));
  }
  return misconfigured(fmt::format(
      "the key file {} cannot be read: {}; check that the user who runs this may read it", path,
      std::generic_category().message(error)));
}

/// What is wrong with the mode: a key that everybody may read seals nothing.
void check_mode(const std::string& path, const struct stat& status) {
  if ((status.st_mode & (S_IRWXO | S_IWGRP)) == 0) return;
  throw misconfigured(
      fmt::format("the key file {} has mode {:04o}, so that others may use it; run `chmod 600 {}`",
                  path, status.st_mode & 07777U, path));
}

AeadKey parse_key(const std::string& path, std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  auto bytes = base64_decode(line);
  AeadKey key{};
  if (!bytes || bytes->size() != key.size()) {
    throw misconfigured(
        fmt::format("the file {} is no key: it should be one line as `openssl rand -base64 32` "
                    "writes it; put the right file back from your backup",
                    path));
  }
  copy_bytes(*bytes, key);
  wipe(*bytes);
  return key;
}

void write_random_key(const std::string& path) {
  AeadKey key{};
  SecureRandom random;
  random.fill(key);
  std::ofstream file{path, std::ios::binary};
  file << base64_encode(key) << '\n' << std::flush;
  wipe(key);
  if (!file) {
    throw StoreFailure{Fault::unavailable,
                       fmt::format("the key file {} cannot be written; is the disk full?", path)};
  }
}

}  // namespace

std::optional<AeadKey> read_key_file_if_there(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return std::nullopt;
  if (file < 0) throw unreadable(path, errno);
  struct stat status {};
  std::array<char, 128> text{};
  const bool has_status = ::fstat(file, &status) == 0;
  const ssize_t count = ::read(file, text.data(), text.size());
  const int error = errno;
  ::close(file);
  if (!has_status || count < 0) throw unreadable(path, error);
  check_mode(path, status);
  const AeadKey key = parse_key(path, {text.data(), static_cast<std::size_t>(count)});
  wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return key;
}

AeadKey read_key_file(const std::string& path) {
  if (const auto key = read_key_file_if_there(path)) return *key;
  throw unreadable(path, ENOENT);
}

AeadKey read_or_make_key_file(const std::string& path) {
  if (const auto key = read_key_file_if_there(path)) return *key;
  make_directory_of(path);
  make_private_file(path, write_random_key);
  return read_key_file(path);
}

std::string next_key_file(const std::string& path) { return path + ".next"; }
std::string old_key_file(const std::string& path) { return path + ".old"; }

AeadKey make_next_key_file(const std::string& path) {
  const std::string next = next_key_file(path);
  ::unlink(next.c_str());
  make_private_file(next, write_random_key);
  copy_owner_and_mode(path, next);
  return read_key_file(next);
}

void promote_next_key_file(const std::string& path) {
  replace_file(path, next_key_file(path), old_key_file(path));
}

}  // namespace turnpike::store
