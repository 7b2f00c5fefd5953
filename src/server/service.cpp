#include "server/service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <system_error>

#include "net/clock.h"
#include "server/log.h"
#include "server/quickstart.h"
#include "server/service_settings.h"
#include "server/serving.h"
#include "server/start_error.h"

namespace turnpike::server {
namespace {

/// One allocation needs one descriptor: take as many as the system allows this process.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// Passwords' keys and secrets are in memory, and what a crash writes lies about (HOSTILE.md I08).
void forbid_core_dumps() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

/// SIGINT, SIGTERM, SIGHUP and SIGUSR1, kept from all threads and waited for by one.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  /// The signal, or nothing after `duration`, which is at most a second.
  [[nodiscard]] std::optional<int> wait(milliseconds duration) const {
    const timespec time{duration.count() / 1000, duration.count() % 1000 * 1'000'000};
    const int signal = sigtimedwait(&set_, nullptr, &time);
    if (signal < 0) return std::nullopt;
    return signal;
  }

 private:
  sigset_t set_{};
};

/// Reads the configuration again and has `service` take it up.
ReloadReport reload(Service& service, const ServeOptions& options, const Config& start) {
  auto read = options.read_again();
  ReloadReport report;
  if (read) {
    report = service.reload(with_secrets_of(start, std::move(*read)));
  } else {
    report.errors = std::move(read.error());
  }
  service.note_reload(report.succeeded());
  for (const std::string& error : report.errors) {
    log_event(LogLevel::error, "reload_failed", {{"reason", error}});
  }
  if (!report.succeeded()) return report;
  log_event(LogLevel::info, "reloaded",
            {{"changed", fmt::format("{}", fmt::join(report.changed, ","))},
             {"needs_restart", fmt::format("{}", fmt::join(report.needs_restart, ","))}});
  return report;
}

/// Tells the service manager often enough that the service is alive, as long as it is.
class Heartbeat {
 public:
  Heartbeat(const ServiceManager& manager, std::optional<milliseconds> watchdog)
      : manager_(manager), watchdog_(watchdog) {}

  /// Between ticks: at most a second.
  [[nodiscard]] milliseconds longest_wait() const {
    return watchdog_ ? std::clamp<milliseconds>(*watchdog_ / checks_per_watchdog, milliseconds{1},
                                                seconds{1})
                     : seconds{1};
  }
  void tick(Service& service) {
    if (!watchdog_) return;
    const Instant now = net::read_clock().instant;
    if (now < next_check_) return;
    next_check_ = now + *watchdog_ / checks_per_watchdog;
    if (service.is_alive()) manager_.alive();
  }

 private:
  static constexpr int checks_per_watchdog = 6;  // a wake-up is seen one check later

  const ServiceManager& manager_;
  std::optional<milliseconds> watchdog_;
  Instant next_check_{};
};

}  // namespace

int run(const Config& configured, const ServeOptions& options) {
  const StopSignals signals;  // before there are threads, which inherit the mask
  const Log log{configured.log};
  raise_descriptor_limit();
  forbid_core_dumps();
  const Config config = with_secret_for_rooms(configured);
  try {
    Service service{config, options};
    service.open();
    if (options.quickstart) {  // before the log, whose thread would write in between
      std::fputs(quickstart_banner(config, net::read_clock().wall).c_str(), stdout);
      std::fflush(stdout);
    }
    service.start();
    service.log_start();
    log_event(LogLevel::info, "started", {{"configuration", options.config_origin}});
    const ServiceManager manager{options.manager};
    Heartbeat heartbeat{manager, options.manager.watchdog};
    manager.ready(service.status());
    auto signal = signals.wait(heartbeat.longest_wait());
    for (; !signal || *signal == SIGHUP || *signal == SIGUSR1;
         signal = signals.wait(heartbeat.longest_wait())) {
      if (signal == SIGUSR1) service.drain();
      if (signal == SIGHUP) {
        manager.reloading(net::read_clock().instant);
        service.reload_desk().answer(reload(service, options, config));
        manager.ready(service.status());
      }
      heartbeat.tick(service);
      service.on_time();
    }
    log_event(LogLevel::info, "stopping", {{"signal", *signal}});
    service.reload_desk().close();
    manager.stopping("Asking those in rooms to go elsewhere");
    service.begin_stop();
    while (service.is_draining() && !signals.wait(milliseconds{20})) heartbeat.tick(service);
    service.stop();
    service.log_counters();
    return exit_ok;
  } catch (const StartError& error) {
    log_event(LogLevel::error, "start_failed", {{"reason", error.sentence}});
    return error.exit_code;
  } catch (const std::system_error& error) {
    log_event(LogLevel::error, "start_failed", {{"reason", error.what()}});
    return exit_unavailable;
  }
}

}  // namespace turnpike::server
