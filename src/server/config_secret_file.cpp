// The files that the configuration names: secrets, which are read, and certificates and keys, which
// are only checked here.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "server/config_schema.h"

namespace turnpike::server {
namespace {

using Complain = Failure<Complaint>;

/// A file descriptor that closes itself.
class File {
 public:
  explicit File(const std::string& path)
      : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

Complain unreadable(const std::string& path, int error) {
  return Complain{{fmt::format("the file {} cannot be read: {}", in_quotes(path),
                               std::generic_category().message(error)),
                   "check its name, and that the user of the server may read it"}};
}

/// Who may do what with a secret: HOSTILE C03.
std::optional<Complaint> check_mode(const struct stat& status, const std::string& path) {
  constexpr mode_t too_open = S_IWGRP | S_IRWXO;
  if ((status.st_mode & too_open) == 0) return std::nullopt;
  return Complaint{
      fmt::format("the file {} has mode {:04o}: others than its owner may change it or "
                  "anyone may read it",
                  in_quotes(path), status.st_mode & 07777U),
      fmt::format("run `chmod 640 {}`, or 600", path)};
}

/// Everything in `file`, at most 64 KiB.
Parsed<std::string> read_all(const File& file, const std::string& path) {
  constexpr std::size_t max_bytes = 65'536;
  std::string text;
  std::array<char, 4096> block{};
  for (;;) {
    const ssize_t count = ::read(file.get(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreadable(path, errno);
    if (count == 0) return text;
    text.append(block.data(), static_cast<std::size_t>(count));
    if (text.size() > max_bytes) {
      return Complain{
          {fmt::format("the file {} is larger than {} bytes", in_quotes(path), max_bytes),
           "a secret is one short line: check the name"}};
    }
  }
}

}  // namespace

Parsed<std::string> read_secret_file(const std::string& path) {
  const File file{path};
  if (file.get() < 0) return unreadable(path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return unreadable(path, errno);
  if (auto complaint = check_mode(status, path)) return Complain{std::move(*complaint)};
  auto text = read_all(file, path);
  while (text && (text->ends_with('\n') || text->ends_with('\r'))) text->pop_back();
  return text;
}

std::optional<Complaint> check_file(const std::string& path, FileSecrecy secrecy) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return unreadable(path, errno).value();
  if (!S_ISREG(status.st_mode)) {  // before opening it: a FIFO would block
    return Complaint{fmt::format("{} is no file", in_quotes(path)), "name a PEM file"};
  }
  if (const File file{path}; file.get() < 0) return unreadable(path, errno).value();
  return secrecy == FileSecrecy::secret ? check_mode(status, path) : std::nullopt;
}

}  // namespace turnpike::server
