#include "net/poller.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

#include "base/assert.h"

namespace turnpike::net {
namespace {

std::system_error last_error(const char* what) {
  return std::system_error{errno, std::system_category(), what};
}

timespec to_timespec(nanoseconds duration) {
  const auto whole = std::chrono::floor<seconds>(duration);
  timespec native{};
  native.tv_sec = whole.count();
  native.tv_nsec = (duration - whole).count();
  return native;
}

/// Rounded up, so that a deadline has passed when the wait is over.
int to_milliseconds(nanoseconds duration) {
  const auto rounded = std::chrono::ceil<milliseconds>(duration).count();
  return static_cast<int>(std::min<milliseconds::rep>(rounded, INT_MAX));
}

}  // namespace

Poller::Poller()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  std::error_code error;
  if (epoll_ < 0 || wake_ < 0) error = last_error("").code();
  if (!error) error = add(wake_, wake_token);
  if (!error) return;
  if (wake_ >= 0) ::close(wake_);
  if (epoll_ >= 0) ::close(epoll_);
  throw std::system_error{error, "cannot open an epoll descriptor"};
}

Poller::~Poller() {
  ::close(wake_);
  ::close(epoll_);
}

std::error_code Poller::add(int descriptor, std::uint64_t token) {
  epoll_event interest{};
  interest.events = EPOLLIN;  // errors and hang-ups are always reported
  interest.data.u64 = token;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &interest) == 0) return {};
  return {errno, std::system_category()};
}

void Poller::watch_writable(int descriptor, std::uint64_t token, bool wanted) {
  epoll_event interest{};
  interest.events = EPOLLIN | (wanted ? EPOLLOUT : 0U);
  interest.data.u64 = token;
  const int failed = epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &interest);
  TURNPIKE_ASSERT(failed == 0);
}

std::error_code Poller::change(int descriptor, std::uint64_t token, Interest before,
                               Interest wanted) {
  if (before == wanted) return {};
  constexpr Interest nothing{.read = false, .write = false};
  epoll_event interest{};
  interest.events = (wanted.read ? EPOLLIN : 0U) | (wanted.write ? EPOLLOUT : 0U);
  interest.data.u64 = token;
  int operation = EPOLL_CTL_MOD;
  if (before == nothing) operation = EPOLL_CTL_ADD;
  if (wanted == nothing) operation = EPOLL_CTL_DEL;
  if (epoll_ctl(epoll_, operation, descriptor, &interest) == 0) return {};
  return {errno, std::system_category()};
}

void Poller::remove(int descriptor) {
  const int failed = epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  TURNPIKE_ASSERT(failed == 0);
}

std::span<const Event> Poller::wait(std::optional<nanoseconds> timeout) {
  if (timeout) timeout = std::max(*timeout, nanoseconds{0});
  const int ready = wait_natively(timeout);
  TURNPIKE_ASSERT(ready >= 0 || errno == EINTR);
  const std::size_t count = ready < 0 ? 0 : static_cast<std::size_t>(ready);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t happened = native_[i].events;
    const std::uint64_t token = native_[i].data.u64;
    events_[i] = {.token = token,
                  .readable = (happened & EPOLLIN) != 0,
                  .writable = (happened & EPOLLOUT) != 0,
                  .error = (happened & (EPOLLERR | EPOLLHUP)) != 0};
    if (token == wake_token) drain_wake();
  }
  return std::span{events_}.first(count);
}

int Poller::wait_natively(std::optional<nanoseconds> timeout) {
  constexpr int size = static_cast<int>(events_max);
  if (!timeout) return epoll_wait(epoll_, native_.data(), size, -1);
  if (*timeout == nanoseconds{0}) return epoll_wait(epoll_, native_.data(), size, 0);
  if (waits_precisely_) {
    const timespec native_timeout = to_timespec(*timeout);
    const int ready = epoll_pwait2(epoll_, native_.data(), size, &native_timeout, nullptr);
    // Containers' seccomp filters answer EPERM for calls they do not know.
    if (ready >= 0 || (errno != ENOSYS && errno != EPERM)) return ready;
    waits_precisely_ = false;
  }
  return epoll_wait(epoll_, native_.data(), size, to_milliseconds(*timeout));
}

void Poller::wake() {
  // It can only fail when 2^64 - 2 wakes wait already, and then one more changes nothing.
  [[maybe_unused]] const int failed = eventfd_write(wake_, 1);
}

void Poller::drain_wake() const {
  eventfd_t count = 0;
  [[maybe_unused]] const int failed = eventfd_read(wake_, &count);
}

}  // namespace turnpike::net
