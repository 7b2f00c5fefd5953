#include "store/private_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/crypto.h"
#include "store/failure.h"

namespace turnpike::store {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string& path, std::string_view what, int error) {
  throw StoreFailure{
      error == ENOSPC || error == EDQUOT || error == EIO ? Fault::unavailable
                                                         : Fault::misconfigured,
      fmt::format("{} cannot be {}: {}; check that its directory is there and that the user who "
                  "runs this may write to it",
                  path, what, std::generic_category().message(error))};
}

std::string directory_of(const std::string& path) {
  const fs::path parent = fs::path{path}.parent_path();
  return parent.empty() ? "." : parent.string();
}

/// A descriptor that closes itself.
class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : number_(::open(path.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR)) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  [[nodiscard]] int get() const { return number_; }

 private:
  int number_;
};

/// Removes a file when it goes out of scope.
class Temporary {
 public:
  explicit Temporary(std::string path) : path_(std::move(path)) {}
  ~Temporary() { ::unlink(path_.c_str()); }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string temporary_name(const std::string& path) {
  std::array<std::uint8_t, 8> bytes{};
  SecureRandom random;
  random.fill(bytes);
  return fmt::format("{}.new-{:016x}", path, load_be64(bytes));
}

void create(const std::string& path, const std::string& directory) {
  const Descriptor file{path, O_WRONLY | O_CREAT | O_EXCL};
  if (file.get() < 0) fail(path, "made", errno);
  if (::geteuid() != 0) return;
  struct stat owner {};
  if (::stat(directory.c_str(), &owner) != 0 ||
      ::fchown(file.get(), owner.st_uid, owner.st_gid) != 0) {
    fail(path, "given to the owner of its directory", errno);
  }
}

void sync(const std::string& path, int flags) {
  const Descriptor file{path, flags};
  if (file.get() < 0 || ::fsync(file.get()) != 0) fail(path, "written to the disk", errno);
}

}  // namespace

void make_directory_of(const std::string& path) {
  const std::string directory = directory_of(path);
  std::error_code error;
  if (fs::is_directory(directory, error)) return;
  const fs::path parent = fs::path{directory}.parent_path();
  if (!parent.empty()) fs::create_directories(parent, error);
  if (error) fail(directory, "made", error.value());
  if (::mkdir(directory.c_str(), S_IRWXU) != 0 && errno != EEXIST) fail(directory, "made", errno);
}

Made make_private_file(const std::string& path,
                       const std::function<void(const std::string& path)>& write) {
  const std::string directory = directory_of(path);
  const Temporary temporary{temporary_name(path)};
  create(temporary.path(), directory);
  write(temporary.path());
  sync(temporary.path(), O_RDONLY);
  if (::link(temporary.path().c_str(), path.c_str()) != 0) {
    if (errno == EEXIST) return Made::before;
    fail(path, "made", errno);
  }
  sync(directory, O_RDONLY | O_DIRECTORY);
  return Made::now;
}

void copy_owner_and_mode(const std::string& model, const std::string& path) {
  struct stat wanted {};
  struct stat is {};
  if (::stat(model.c_str(), &wanted) != 0) fail(model, "read", errno);
  if (::stat(path.c_str(), &is) != 0) fail(path, "read", errno);
  const bool is_same_owner = is.st_uid == wanted.st_uid && is.st_gid == wanted.st_gid;
  if (!is_same_owner && ::chown(path.c_str(), wanted.st_uid, wanted.st_gid) != 0) {
    fail(path, "given to the owner of " + model, errno);
  }
  if (::chmod(path.c_str(), wanted.st_mode & 07777U) != 0) fail(path, "given its mode", errno);
}

void replace_file(const std::string& path, const std::string& by, const std::string& kept_as) {
  if (::unlink(kept_as.c_str()) != 0 && errno != ENOENT) fail(kept_as, "replaced", errno);
  if (::link(path.c_str(), kept_as.c_str()) != 0) fail(kept_as, "made", errno);
  if (::rename(by.c_str(), path.c_str()) != 0) fail(path, "replaced", errno);
  sync(directory_of(path), O_RDONLY | O_DIRECTORY);
}

}  // namespace turnpike::store
