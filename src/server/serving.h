// A server while it runs: everything the workers share, and the workers.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "net/certificate_watcher.h"
#include "net/clock.h"
#include "server/credentials.h"
#include "server/listening.h"
#include "server/log.h"
#include "server/memory_watch.h"
#include "server/pulse.h"
#include "server/reload.h"
#include "server/reload_desk.h"
#include "server/service.h"
#include "server/signaling_host.h"
#include "server/store_lock.h"
#include "server/user_source.h"
#include "server/worker.h"

namespace turnpike::server {

/// Everything the workers share, and the workers: bind(), open(), start(), stop(). No packet is
/// looked at before start().
class Service {
 public:
  /// The arguments must outlive it.
  Service(const Config& config, const ServeOptions& options);

  /// Binds all sockets, and opens certificates and store: what the sandbox will not let be done
  /// later. Throws StartError.
  void bind();
  /// Makes everything that serves, some of it with threads of its own. Throws StartError.
  void open();
  void start();
  /// True when all threads have made progress since the last true.
  [[nodiscard]] bool is_alive() { return pulse_.beats(); }
  /// One line for people.
  [[nodiscard]] std::string status() const;
  /// Sends new clients elsewhere, while all that lives goes on.
  void drain();
  /// Asks everybody in a room to go elsewhere, while their calls go on.
  void begin_stop();
  /// True while some of them are still there.
  [[nodiscard]] bool is_draining() const;
  void stop();
  /// Call it about once a second: takes renewed certificate files into use, has secrets begin and
  /// end, and lets nobody in while memory is short.
  void on_time();
  /// Takes up what can be taken up of `wanted`, all of it or nothing.
  ReloadReport reload(const Config& wanted);
  /// For the metrics.
  void note_reload(bool succeeded) { reload_succeeded_ = succeeded ? 1 : 0; }
  [[nodiscard]] ReloadDesk& reload_desk() { return reload_desk_; }
  void log_start() const;
  void log_counters() const;

 private:
  [[nodiscard]] ReasonTotals reason_totals() const;
  [[nodiscard]] Capacity capacity() const;
  [[nodiscard]] ServerNumbers numbers();
  [[nodiscard]] ConnectionTotals connection_totals() const;
  [[nodiscard]] UnsentTotals unsent_totals() const;
  void add_dtls_counters(std::vector<LogField>& fields) const;
  void load_certificate();
  void refresh_certificate();
  void look_at_memory();
  void open_store();
  void open_credential_store();
  void settle_usage() const;
  void use_rules(const Config& config);
  void open_users(Random& random);
  void open_signaling();
  [[nodiscard]] unsigned worker_count() const;

  const Config& config_;
  const ServeOptions& options_;
  ReloadDesk reload_desk_;
  std::vector<Listener> listen_;
  std::vector<turn::RelayAddress> relay_addresses_;
  turn::Ledger ledger_;
  turn::PeerPolicy policy_;
  Mailboxes mailboxes_;
  Config running_;  // config_ and what reloads have changed
  ConnectionLimits connections_;
  TlsCredentials tls_;
  std::optional<net::CertificateWatcher> certificate_;
  std::optional<StoreLock> store_lock_;             // before the store, which it must outlive
  std::unique_ptr<store::Store> store_;             // null: there is none
  std::unique_ptr<store::Store> credential_store_;  // the same, to read users and secrets from
  std::unique_ptr<Credentials> credentials_;
  std::unique_ptr<SignalingHost> signaling_;  // before the workers, which bring it connections
  /// What bind() leaves for open().
  struct Bound {
    SignalingHost::Listeners http;
    std::vector<WorkerListeners> workers;
  };
  Bound bound_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<UserSource> users_;  // after the workers: it wakes them
  std::vector<std::thread> threads_;
  std::thread signaling_thread_;
  std::atomic<int> reload_succeeded_{-1};  // the last one; -1: there was none
  WallTime started_ = net::read_clock().wall;
  ProcessReader process_;  // the thread of the rooms'
  MemoryWatch memory_;     // the main thread's
  Pulse pulse_;
};

}  // namespace turnpike::server
