#include "net/certificate_watcher.h"

#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace turnpike::net {
namespace {

std::int64_t nanoseconds_of(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

CertificateWatcher::CertificateWatcher(std::string certificate_file, std::string key_file,
                                       std::shared_ptr<const TlsContext> current)
    : certificate_file_(std::move(certificate_file)),
      key_file_(std::move(key_file)),
      current_(std::move(current)) {}

CertificateWatcher::Look CertificateWatcher::look_at(const std::string& file) {
  struct stat found {};
  Look look;
  if (stat(file.c_str(), &found) != 0) {
    look.error = errno;
    return look;
  }
  look.device = found.st_dev;
  look.inode = found.st_ino;
  look.bytes = found.st_size;
  look.modified_ns = nanoseconds_of(found.st_mtim);
  look.changed_ns = nanoseconds_of(found.st_ctim);
  return look;
}

CertificateWatcher::Outcome CertificateWatcher::poll(const TlsContext::LoadOptions& options) {
  // Looked at before reading: what is written while we read makes the next poll read again.
  const std::array<Look, 2> looks{look_at(certificate_file_), look_at(key_file_)};
  if (seen_ == looks) return {};
  seen_ = looks;

  auto loaded = TlsContext::load(certificate_file_, key_file_, options);
  if (!loaded) return {nullptr, std::move(loaded.error())};
  // Touched only, or back to what it was: sessions can go on being resumed.
  if ((*loaded)->fingerprint() == current_->fingerprint()) return {};
  current_ = *std::move(loaded);
  return {current_, {}};
}

}  // namespace turnpike::net
