#include "net/poller.h"

#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/assert.h"

namespace turnpike::net {
namespace {

constexpr std::uint64_t timer_token = Poller::wake_token - 1;

timespec to_timespec(nanoseconds duration) {
  const auto whole = std::chrono::floor<seconds>(duration);
  return {.tv_sec = whole.count(), .tv_nsec = (duration - whole).count()};
}

/// Errors and hang-ups are reported whatever the `events`.
std::error_code control(int epoll, int operation, int descriptor, std::uint64_t token,
                        std::uint32_t events) {
  epoll_event interest{};
  interest.events = events;
  interest.data.u64 = token;
  if (epoll_ctl(epoll, operation, descriptor, &interest) == 0) return {};
  return {errno, std::system_category()};
}

}  // namespace

Poller::Poller()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK)) {
  std::error_code error;
  if (epoll_ < 0 || wake_ < 0 || timer_ < 0) error = {errno, std::system_category()};
  if (!error) error = control(epoll_, EPOLL_CTL_ADD, wake_, wake_token, EPOLLIN);
  // Edge-triggered: it need not be read, which would be a call for each time it goes off.
  if (!error) error = control(epoll_, EPOLL_CTL_ADD, timer_, timer_token, EPOLLIN | EPOLLET);
  if (!error) return;
  for (const int descriptor : {timer_, wake_, epoll_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
  throw std::system_error{error, "cannot open an epoll descriptor"};
}

Poller::~Poller() {
  ::close(timer_);
  ::close(wake_);
  ::close(epoll_);
}

std::error_code Poller::add(int descriptor, std::uint64_t token) {
  return control(epoll_, EPOLL_CTL_ADD, descriptor, token, EPOLLIN);
}

void Poller::watch_writable(int descriptor, std::uint64_t token, bool wanted) {
  const std::uint32_t events = EPOLLIN | (wanted ? EPOLLOUT : 0U);
  const auto error = control(epoll_, EPOLL_CTL_MOD, descriptor, token, events);
  TURNPIKE_ASSERT(!error);
}

std::error_code Poller::change(int descriptor, std::uint64_t token, Interest before,
                               Interest wanted) {
  if (before == wanted) return {};
  constexpr Interest nothing{.read = false, .write = false};
  int operation = EPOLL_CTL_MOD;
  if (before == nothing) operation = EPOLL_CTL_ADD;
  if (wanted == nothing) operation = EPOLL_CTL_DEL;
  const std::uint32_t events = (wanted.read ? EPOLLIN : 0U) | (wanted.write ? EPOLLOUT : 0U);
  return control(epoll_, operation, descriptor, token, events);
}

void Poller::remove(int descriptor) {
  const int failed = epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
  TURNPIKE_ASSERT(failed == 0);
}

std::span<const Event> Poller::wait_until(std::optional<Instant> deadline) {
  if (deadline && (!armed_for_ || *deadline < *armed_for_)) arm_timer(*deadline);
  return take_events(-1);
}

std::span<const Event> Poller::poll() { return take_events(0); }

std::span<const Event> Poller::take_events(int timeout_ms) {
  const int ready = epoll_wait(epoll_, native_.data(), static_cast<int>(events_max), timeout_ms);
  TURNPIKE_ASSERT(ready >= 0 || errno == EINTR);
  std::size_t count = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(std::max(ready, 0)); ++i) {
    const std::uint32_t happened = native_[i].events;
    const std::uint64_t token = native_[i].data.u64;
    if (token == timer_token) {
      armed_for_.reset();
      continue;
    }
    if (token == wake_token) drain_wake();
    events_[count++] = {.token = token,
                        .readable = (happened & EPOLLIN) != 0,
                        .writable = (happened & EPOLLOUT) != 0,
                        .error = (happened & (EPOLLERR | EPOLLHUP)) != 0};
  }
  return std::span{events_}.first(count);
}

void Poller::arm_timer(Instant deadline) {
  // Zero would disarm it; what has passed goes off at once.
  const nanoseconds since_boot = std::max(deadline.time_since_epoch(), nanoseconds{1});
  const itimerspec at{.it_interval = {}, .it_value = to_timespec(since_boot)};
  const int failed = timerfd_settime(timer_, TFD_TIMER_ABSTIME, &at, nullptr);
  TURNPIKE_ASSERT(failed == 0);
  armed_for_ = deadline;
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
