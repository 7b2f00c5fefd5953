// Reading secrets from files, with the checks that belong to it.
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
  constexpr mode_t too_open = S_IWGRP | S_IRWXO;
  if ((status.st_mode & too_open) != 0) {
    return Complain{
        {fmt::format("the file {} has mode {:04o}: others than its owner may change it or "
                     "anyone may read it",
                     in_quotes(path), status.st_mode & 07777U),
         fmt::format("run `chmod 640 {}`, or 600", path)}};
  }
  auto text = read_all(file, path);
  while (text && (text->ends_with('\n') || text->ends_with('\r'))) text->pop_back();
  return text;
}

}  // namespace turnpike::server
