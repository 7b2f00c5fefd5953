#include "cli/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "cli/exit_code.h"

namespace turnpike::cli {
namespace {

[[noreturn]] void fail(const std::string& path, int error) {
  throw CommandFailure{ExitCode::configuration,
                       fmt::format("{} cannot be written: {}; choose another place", path,
                                   std::generic_category().message(error))};
}

/// 0, or the error.
int write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return ::fsync(file) == 0 ? 0 : errno;
}

}  // namespace

bool write_private_file(const std::string& path, std::string_view text, Existing existing) {
  std::string scratch = path + ".XXXXXX";  // mkstemp makes it 0600
  const int file = ::mkstemp(scratch.data());
  if (file < 0) fail(path, errno);
  int error = write_all(file, text);
  ::close(file);
  bool is_written = true;
  if (error == 0 && existing == Existing::replace) {
    error = ::rename(scratch.c_str(), path.c_str()) == 0 ? 0 : errno;
  } else if (error == 0) {  // unlike rename(), link() never replaces
    error = ::link(scratch.c_str(), path.c_str()) == 0 ? 0 : errno;
    if (error == EEXIST) {
      error = 0;
      is_written = false;
    }
  }
  ::unlink(scratch.c_str());  // gone already after rename()
  if (error != 0) fail(path, error);
  return is_written;
}

}  // namespace turnpike::cli
