// What the operator does with a running server: the rest of the REST API (ADR 0033), by the control
// socket or with an API key.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "server/control_inbox.h"
#include "server/event_streams.h"
#include "server/mailbox.h"
#include "server/metrics.h"
#include "server/readiness.h"
#include "server/reload.h"
#include "server/store_thread.h"
#include "signaling/doors.h"
#include "signaling/rest_gate.h"
#include "signaling/rest_request.h"

namespace turnpike::server {

/// Answers by asking others: the workers by letters, the store on its own thread. web/openapi.json
/// describes it; a test holds it against operations().
class ControlDoor final : public signaling::Door {
 public:
  struct Settings {
    std::string version;
    std::string realm;  ///< that the keys of users are made for
    std::vector<stun::PasswordAlgorithm> algorithms{};
    Now started{};
    std::vector<std::string> listeners{};  ///< "udp 192.0.2.1:3478"
    milliseconds patience{5'000};          ///< with workers
    /// How often is kept what allocations that live have used, with a store.
    milliseconds usage_period{10'000};
  };
  /// What the rest of the server does for it. Called on the thread of the doors.
  struct Hooks {
    std::function<Capacity()> capacity;
    std::function<ReasonTotals()> reasons;
    std::function<ServerNumbers()> numbers;  ///< for /metrics
    std::function<SourceHealth()> sources;   ///< for /readyz
    /// Reads the configuration again.
    std::function<ReloadReport()> reload{};
    /// Something in the store is different, by this process or by another one.
    std::function<void()> store_changed{};
  };

  /// `store` may be null: there is none. The references must outlive it.
  ControlDoor(Settings settings, Hooks hooks, signaling::RestGate& gate, signaling::Doors& doors,
              Mailboxes& workers, ControlInbox& inbox, StoreThread* store);

  /// All that it answers, with a store and without.
  [[nodiscard]] static std::vector<signaling::RestOperation> operations();

  [[nodiscard]] std::vector<signaling::Route> routes() const override;
  void on_asked(signaling::ConnectionId id, const signaling::Asked& asked, Now now) override;
  void on_withdrawn(signaling::ConnectionId id, Now now) override;
  /// There are no WebSockets here, and no members.
  void on_ended(signaling::ConnectionId, std::uint16_t, Now) override {}
  void perform(signaling::ConnectionId, const signaling::Effect&, Now) override {}
  void on_deadline(Now now) override;
  [[nodiscard]] std::optional<Instant> next_deadline() const override;

  /// What has come into the inbox.
  void on_news(std::vector<ControlNews> news, Now now);
  /// For the streams of events.
  void on_room_event(const signaling::RoomEvent& event, Now now);
  /// New clients are sent elsewhere, or let in again.
  void set_draining(bool is_draining, Now now);
  [[nodiscard]] bool is_draining() const { return is_draining_; }

 private:
  void want_news();
  /// A request that may be answered.
  struct Call {
    signaling::ConnectionId id;
    const signaling::Request& request;
    std::string who;  // for the audit log
    std::vector<std::string> parameters;
    signaling::Json body;
    Now now;
  };
  /// What waits for answers of workers.
  struct Question {
    signaling::ConnectionId client;
    Order order;
    std::size_t outstanding = 0;  // workers that have not said their last word
    Instant deadline{};
    WorkerAnswer sum{};                // of what they have said
    std::optional<bool> is_revoked{};  // of a revocation: the store has it
  };
  /// What waits for the store.
  struct StoreQuestion {
    signaling::ConnectionId client;
    std::string revoked_user{};  // whose allocations end when the store has agreed
  };
  struct Row;

  [[nodiscard]] static std::span<const Row> table();
  [[nodiscard]] std::optional<signaling::Response> answer(signaling::ConnectionId id,
                                                          const signaling::Request& request,
                                                          Now now);
  void respond(signaling::ConnectionId id, signaling::Response response, Now now);

  // Each answers at once, or later and nothing now.
  using Reply = std::optional<signaling::Response>;
  Reply get_status(const Call& call);
  Reply list_allocations(const Call& call);
  Reply get_allocation(const Call& call);
  Reply end_allocation(const Call& call);
  Reply end_allocations(const Call& call);
  Reply begin_drain(const Call& call);
  Reply end_drain(const Call& call);
  Reply reload(const Call& call);
  Reply stream_events(const Call& call);
  Reply note_store_change(const Call& call);
  // control_store.cpp
  Reply revoke_user(const Call& call);
  Reply restore_user(const Call& call);
  Reply list_users(const Call& call);
  Reply create_user(const Call& call);
  Reply get_user(const Call& call);
  Reply change_user(const Call& call);
  Reply remove_user(const Call& call);
  Reply list_secrets(const Call& call);
  Reply rotate_secret(const Call& call);
  Reply remove_secret(const Call& call);
  Reply list_keys(const Call& call);
  Reply create_key(const Call& call);
  Reply revoke_key(const Call& call);
  Reply list_revocations(const Call& call);
  Reply list_usage(const Call& call);
  Reply list_changes(const Call& call);

  /// Asks the store; `work` runs on its thread.
  using StoreWork = std::function<signaling::Response(store::Store&)>;
  Reply ask_store(const Call& call, StoreWork work);
  /// The same for what changes something; `revoked_user` as in StoreQuestion.
  Reply change_store(const Call& call, StoreWork work, std::string revoked_user = {});
  Reply put_to_store(StoreQuestion question, StoreWork work, bool may_change);
  /// Writes to the audit log, if there is one.
  void record(const Call& call, std::string_view action, const std::string& subject);
  [[nodiscard]] static store::Author author_of(const Call& call) {
    return {call.who, call.now.wall};
  }

  // ---- the workers ----
  Reply ask_workers(Question question, Now now);
  Reply ask_worker(turn::WorkerId worker, Question question, Now now);
  [[nodiscard]] bool send(turn::WorkerId worker, std::uint64_t question, const Order& order);
  void on(WorkerAnswer& answer, Now now);
  void on(StoreAnswer& answer, Now now);
  void on(const OpenedNews& news, Now now);
  void on(const ClosedNews& news, Now now);
  void on(const LiveUsage& usage, Now now);
  void ask_for_live_usage(Now now);
  [[nodiscard]] static signaling::Response finish(Question& question, Now now);
  void tell_workers_to_drain();
  void give_up_overdue(Now now);
  void summarise_failures(Now now);
  [[nodiscard]] signaling::Response readiness() const;
  [[nodiscard]] std::string store_json() const;

  const Settings settings_;
  const Hooks hooks_;
  signaling::RestGate& gate_;
  signaling::Doors& doors_;
  Mailboxes& workers_;
  ControlInbox& inbox_;
  StoreThread* const store_;
  EventStreams events_{doors_};

  std::uint64_t last_question_ = 0;
  std::map<std::uint64_t, Question> questions_;  // to workers
  std::map<std::uint64_t, StoreQuestion> store_questions_;
  std::vector<bool> is_told_;  // by worker: it knows is_draining_
  bool is_draining_ = false;
  ReasonTotals last_reasons_{};
  Instant tick_at_{};
  Instant usage_at_{};  // with a store: when to ask what lives
};

}  // namespace turnpike::server
