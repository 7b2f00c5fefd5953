// Finds out about users that are not in the configuration: in the store, and by asking the
// operator's hook. In a thread of its own, because both may be slow.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "auth/hook_cache.h"
#include "base/relaxed_counter.h"
#include "server/hook_reply.h"
#include "server/http_poster.h"
#include "server/mailbox.h"
#include "server/readiness.h"
#include "store/store.h"

namespace turnpike::server {

/// Answers workers by UserLetter. The store comes first; whom it does not know, the hook is asked
/// for. Without a word from either there is no answer, and the client asks again.
class UserSource {
 public:
  struct Settings {
    std::string realm;        ///< of the users' keys
    seconds stored_for{300};  ///< a change of the store is noticed before that
    seconds absent_for{10};   ///< of users that neither knows
    bool has_hook = false;
    HttpPoster::Settings hook{};
    auth::HookCache::Settings cache;
    milliseconds store_poll{250};    ///< how often is looked whether the store has changed
    std::size_t max_waiting = 4096;  ///< questions; more are not answered
  };
  /// Since the start. Any thread.
  struct Counters {
    RelaxedCounter found;       ///< in the store or by the hook
    RelaxedCounter absent;      ///< nobody knows that user
    RelaxedCounter unanswered;  ///< neither could be asked
    RelaxedCounter hook_asked;
    RelaxedCounter hook_failed;  ///< no answer in time, or none that makes sense
    RelaxedCounter stood_in;     ///< an old answer of the hook was taken
  };

  /// `store` may be null; it and `mailboxes` must outlive this. `on_change` is called on the
  /// source's thread when anybody has changed the store; the workers have been told then to forget,
  /// and which limits hold for those that were changed.
  UserSource(const Settings& settings, store::Store* store, Mailboxes& mailboxes,
             std::function<void()> on_change);
  ~UserSource();
  UserSource(const UserSource&) = delete;
  UserSource& operator=(const UserSource&) = delete;

  // ---- any thread, without waiting ----
  void ask(turn::WorkerId worker, std::string username);
  /// Looks at once whether the store has changed.
  void look_at_store();
  [[nodiscard]] const Counters& counters() const { return counters_; }
  /// False while the hook is left alone after failures.
  [[nodiscard]] bool is_hook_up() const { return is_hook_up_; }
  [[nodiscard]] SourceHealth health() const {
    return {is_store_up_, store_has_users_ || settings_.has_hook, is_hook_up_,
            hook_may_be_stood_in_for_};
  }

 private:
  using Question = std::pair<turn::WorkerId, std::string>;

  void run();
  [[nodiscard]] std::vector<HttpPoster::Done> wait();
  void take(const Question& question);
  void ask_hook(const std::string& username);
  void finish(const HttpPoster::Done& done);
  void fail(const std::string& username, const std::string& problem);
  void give_up(const std::string& username);
  void answer(const std::string& username, const auth::UserAnswer& answer);
  void tell(const std::string& username, const std::optional<auth::UserAnswer>& answer);
  void poll_store();
  void look_for_users();
  void fail_store(const store::StoreError& error);
  void note_hook();
  [[nodiscard]] std::optional<std::set<std::string>> changed_users();
  void tell_limits(const std::set<std::string>& usernames);
  void warn(std::string_view event, const std::string& problem);
  [[nodiscard]] auth::UserKeys keys_of(const auth::LongTermKey& md5,
                                       const auth::LongTermKey& sha256) const;
  /// Nothing: the store does not know the user. `has_failed`: it could not be asked.
  [[nodiscard]] std::optional<auth::UserAnswer> find_in_store(const std::string& username,
                                                              bool& has_failed);

  const Settings settings_;
  store::Store* const store_;
  Mailboxes& mailboxes_;
  const std::function<void()> on_change_;
  auth::HookCache cache_;
  HttpPoster poster_;
  std::map<std::string, std::vector<turn::WorkerId>, std::less<>> waiting_;  // by username
  std::map<std::uint64_t, std::string> asked_;                               // of the hook, by id
  std::uint64_t last_id_ = 0;
  std::uint64_t last_change_ = 0;
  Instant now_{};
  Instant next_poll_{};
  Instant warning_after_{};
  Counters counters_;
  std::atomic<bool> is_hook_up_{true};
  std::atomic<bool> hook_may_be_stood_in_for_{false};
  std::atomic<bool> is_store_up_{true};
  std::atomic<bool> store_has_users_{false};

  std::mutex mutex_;
  std::vector<Question> questions_;  // guarded by mutex_, like what follows
  bool wants_poll_ = false;
  bool is_over_ = false;

  std::thread thread_;
};

}  // namespace turnpike::server
