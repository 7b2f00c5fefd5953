#include "server/user_source.h"

#include <algorithm>

#include "net/clock.h"
#include "server/log.h"

namespace turnpike::server {
namespace {

constexpr milliseconds longest_wait{60'000};
constexpr milliseconds pause_look{1'000};
constexpr seconds warning_pause{5};

}  // namespace

UserSource::UserSource(const Settings& settings, store::Store* store, Mailboxes& mailboxes,
                       std::function<void()> on_change)
    : settings_(settings),
      store_(store),
      mailboxes_(mailboxes),
      on_change_(std::move(on_change)),
      cache_(settings.cache),
      poster_(settings.hook) {
  if (store_ != nullptr) {
    last_change_ = store_->change_counter().value_or(0);
    look_for_users();
  }
  thread_ = std::thread{[this] { run(); }};
}

UserSource::~UserSource() {
  {
    const std::lock_guard lock{mutex_};
    is_over_ = true;
  }
  poster_.wake();
  thread_.join();
}

void UserSource::ask(turn::WorkerId worker, std::string username) {
  {
    const std::lock_guard lock{mutex_};
    if (questions_.size() >= settings_.max_waiting) return;
    questions_.emplace_back(worker, std::move(username));
  }
  poster_.wake();
}

void UserSource::look_at_store() {
  {
    const std::lock_guard lock{mutex_};
    wants_poll_ = true;
  }
  poster_.wake();
}

void UserSource::run() {
  std::vector<Question> questions;
  for (;;) {
    {
      const std::lock_guard lock{mutex_};
      if (is_over_) return;
      questions.swap(questions_);
      if (std::exchange(wants_poll_, false)) next_poll_ = {};
    }
    now_ = net::read_clock().instant;
    poll_store();  // first: what was changed before a question was asked counts for its answer
    for (const Question& question : questions) take(question);
    questions.clear();
    for (const HttpPoster::Done& done : wait()) finish(done);
    note_hook();
  }
}

void UserSource::note_hook() {
  is_hook_up_ = cache_.is_asking(now_);
  hook_may_be_stood_in_for_ = cache_.may_stand_in(now_);
}

std::vector<HttpPoster::Done> UserSource::wait() {
  // The end of a hook's pause is to be seen although nobody asks.
  const milliseconds longest = is_hook_up_ ? longest_wait : pause_look;
  auto done = poster_.wait(store_ != nullptr ? std::min(settings_.store_poll, longest) : longest);
  now_ = net::read_clock().instant;
  return done;
}

void UserSource::take(const Question& question) {
  const auto& [worker, username] = question;
  const auto waiting = waiting_.find(username);
  if (waiting != waiting_.end()) {  // the hook is being asked already
    waiting->second.push_back(worker);
    return;
  }
  waiting_.emplace(username, std::vector{worker});
  bool has_failed = false;
  if (const auto stored = find_in_store(username, has_failed)) return answer(username, *stored);
  if (has_failed) return give_up(username);
  if (settings_.has_hook) return ask_hook(username);
  answer(username, {std::nullopt, {}, now_ + settings_.absent_for});
}

void UserSource::ask_hook(const std::string& username) {
  const auto decision = cache_.on_question(username, now_);
  if (decision.step == auth::HookCache::Step::answer) return answer(username, decision.answer);
  if (decision.step == auth::HookCache::Step::fail) return give_up(username);
  ++counters_.hook_asked;
  const std::uint64_t id = ++last_id_;
  asked_.emplace(id, username);
  poster_.post(id, hook_question(username, settings_.realm));
}

void UserSource::finish(const HttpPoster::Done& done) {
  const std::string username = std::move(asked_.extract(done.id).mapped());
  if (done.status == 0) return fail(username, done.problem);
  const HookReply reply = read_hook_reply(done.status, done.body, username, settings_.realm);
  if (const auto* nonsense = std::get_if<HookNonsense>(&reply)) {
    return fail(username, nonsense->problem);
  }
  if (const auto* nobody = std::get_if<HookNobody>(&reply)) {
    return answer(username, cache_.on_answer(username, std::nullopt, {}, nobody->ttl, now_));
  }
  const auto& user = std::get<HookUser>(reply);
  answer(username,
         cache_.on_answer(username, keys_of(user.md5, user.sha256), user.limits, user.ttl, now_));
}

void UserSource::fail(const std::string& username, const std::string& problem) {
  ++counters_.hook_failed;
  warn("auth_hook_failed", problem);
  if (const auto old = cache_.on_failure(username, now_)) {
    ++counters_.stood_in;
    return answer(username, *old);
  }
  give_up(username);
}

void UserSource::give_up(const std::string& username) {
  ++counters_.unanswered;
  tell(username, std::nullopt);
}

void UserSource::answer(const std::string& username, const auth::UserAnswer& answer) {
  ++(answer.keys ? counters_.found : counters_.absent);
  tell(username, answer);
}

void UserSource::tell(const std::string& username, const std::optional<auth::UserAnswer>& answer) {
  const auto waiting = waiting_.extract(username);
  for (const turn::WorkerId worker : waiting.mapped()) {
    Mail mail;
    mail.add(UserLetter{username, answer});
    static_cast<void>(mailboxes_.of(worker).deliver(mail));  // no room: the client asks again
  }
}

std::optional<auth::UserAnswer> UserSource::find_in_store(const std::string& username,
                                                          bool& has_failed) {
  if (store_ == nullptr) return std::nullopt;
  const auto found = store_->find_user(username);
  if (!found) {
    has_failed = true;
    fail_store(found.error());
    return std::nullopt;
  }
  if (!*found) return std::nullopt;
  const store::StoredUser& user = **found;
  const Instant until = now_ + settings_.stored_for;
  if (user.disabled || user.realm != settings_.realm) {
    return auth::UserAnswer{std::nullopt, {}, until};
  }
  return auth::UserAnswer{keys_of(user.md5, user.sha256), user.limits, until};
}

void UserSource::poll_store() {
  if (store_ == nullptr || now_ < next_poll_) return;
  next_poll_ = now_ + settings_.store_poll;
  const auto change = store_->change_counter();
  if (!change) return fail_store(change.error());
  if (!is_store_up_) look_for_users();  // the number alone proves little
  if (*change == last_change_) return;
  const auto users = changed_users();
  if (!users) return;
  last_change_ = *change;
  mailboxes_.tell_all(ForgetUsersLetter{});
  tell_limits(*users);
  look_for_users();
  if (on_change_) on_change_();
}

/// Finds out whether there are any, and so whether the store can be read.
void UserSource::look_for_users() {
  const auto first = store_->users("", 1);
  if (!first) return fail_store(first.error());
  store_has_users_ = !first->empty();
  is_store_up_ = true;
}

void UserSource::fail_store(const store::StoreError& error) {
  is_store_up_ = false;
  warn("store_failed", error.sentence);
}

/// Those that were there before last_change_ and are different now; nothing: the store cannot say.
std::optional<std::set<std::string>> UserSource::changed_users() {
  constexpr std::size_t page = 1000;
  std::set<std::string> users;
  for (std::uint64_t last = last_change_;;) {
    const auto changes = store_->changes_since(last, page);
    if (!changes) {
      fail_store(changes.error());
      return std::nullopt;
    }
    for (const store::Change& change : *changes) {
      if (change.action == store::actions::user_change) users.insert(change.subject);
    }
    if (changes->size() < page) return users;
    last = changes->back().number;
  }
}

/// Whoever is asked for anew brings them along; this is for what lives.
void UserSource::tell_limits(const std::set<std::string>& usernames) {
  for (const std::string& username : usernames) {
    const auto user = store_->find_user(username);
    if (!user) return fail_store(user.error());
    if (*user) mailboxes_.tell_all(UserLimitsLetter{username, (*user)->limits});
  }
}

void UserSource::warn(std::string_view event, const std::string& problem) {
  if (now_ < warning_after_) return;
  warning_after_ = now_ + warning_pause;
  log_event(LogLevel::warn, event, {{"problem", problem}});
}

auth::UserKeys UserSource::keys_of(const auth::LongTermKey& md5,
                                   const auth::LongTermKey& sha256) const {
  auth::UserKeys keys;
  if (!md5.empty()) keys.set(stun::PasswordAlgorithm::md5, stun::IntegrityKey{md5});
  if (!sha256.empty()) keys.set(stun::PasswordAlgorithm::sha256, stun::IntegrityKey{sha256});
  return keys;
}

}  // namespace turnpike::server
