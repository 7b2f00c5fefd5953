#include "server/service.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "net/clock.h"
#include "server/log.h"
#include "server/quickstart.h"
#include "server/sandbox/privileges.h"
#include "server/sandbox/refused_calls.h"
#include "server/sandbox/sandbox.h"
#include "server/service_settings.h"
#include "server/serving.h"
#include "server/start_error.h"
#include "server/store_location.h"

namespace turnpike::server {
namespace {

/// One allocation needs one descriptor: take as many as the system allows this process.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
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

/// What a reload that is refused may be about besides what it says.
void add_sandbox_hint(std::vector<std::string>& errors, bool is_confined) {
  const std::string denied = std::generic_category().message(EACCES);
  const auto names_it = [&](const std::string& error) {
    return error.find(denied) != std::string::npos;
  };
  if (!is_confined || !std::any_of(errors.begin(), errors.end(), names_it)) return;
  errors.emplace_back(
      "a running server reads only from the directories that its configuration named at the start "
      "(server.sandbox): a file in another one needs a restart");
}

/// Reads the configuration again and has `service` take it up.
ReloadReport reload(Service& service, const ServeOptions& options, const Config& start) {
  auto read = options.read_again();
  ReloadReport report;
  if (read) {
    report = service.reload(with_secrets_of(start, std::move(*read)));
  } else {
    report.errors = std::move(read.error());
  }
  add_sandbox_hint(report.errors, start.server.sandbox && can_confine());
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

/// From root to the account that the configuration names.
void leave_root(const Config& config, const ServeOptions& options) {
  const auto account = account_to_become(config.server);
  if (!account) return;
  if (options.quickstart) hand_over(options.quickstart_directory, *account);
  become(*account);
  const auto read = options.read_again();
  if (read) return;
  throw StartError{fmt::format("as user {}, whom the server has become (server.user): {}",
                               account->name, read.error().front()),
                   exit_configuration};
}

/// After everything is open that takes more, and before there are threads.
void confine_process(const Config& config, const ServeOptions& options) {
  if (::geteuid() == 0) {
    log_event(LogLevel::warn, "runs_as_root",
              {{"remedy", "make a user for it and name it in server.user"}});
  }
  if (!config.server.sandbox || !can_confine()) {
    log_event(LogLevel::warn, "not_confined",
              {{"why", config.server.sandbox ? "built with a sanitizer" : "server.sandbox"}});
    return;
  }
  SandboxSurroundings around{options.config_files, {}, options.manager.socket};
  if (!config.store.path.empty()) {
    around.store_key_file = store_location(config.store, store_environment()).key_file;
  }
  const SandboxReport report = confine(plan_sandbox(config, around));
  log_event(LogLevel::info, "confined",
            {{"user_id", ::geteuid()},
             {"capabilities", report.capabilities},
             {"files", report.files},
             {"system_calls", report.system_calls}});
}

/// Each once: what a library does that the filter did not expect.
void tell_of_refused_calls() {
  for (const std::string& call : newly_refused_calls()) {
    log_event(LogLevel::warn, "call_refused",
              {{"call", call}, {"remedy", "please report it; server.sandbox = false allows it"}});
  }
}

/// Those of a start that failed, or of the end.
struct LastRefusedCalls {
  ~LastRefusedCalls() { tell_of_refused_calls(); }
};

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

/// From the start to the end, but for the log's. The exit code.
int serve(const Config& configured, const ServeOptions& options, const StopSignals& signals,
          Log& log) {
  const LastRefusedCalls last;
  raise_descriptor_limit();
  const Config config = with_secret_for_rooms(configured);
  try {
    leave_root(config, options);
    forbid_core_dumps();  // after it: the kernel sets "dumpable" anew with the user
    Service service{config, options};
    service.bind();
    confine_process(config, options);
    log.queue_lines();
    service.open();
    if (options.quickstart) {  // before the threads, whose lines would come in between
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
      tell_of_refused_calls();
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

}  // namespace

int run(const Config& configured, const ServeOptions& options) {
  const StopSignals signals;  // before there are threads, which inherit the mask
  Log log{configured.log};
  const int code = serve(configured, options, signals, log);
  constexpr seconds patience{2};
  if (!log.finish(patience)) std::_Exit(code);
  return code;
}

}  // namespace turnpike::server
