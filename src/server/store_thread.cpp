#include "server/store_thread.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <span>
#include <utility>

#include "server/log.h"

namespace turnpike::server {

StoreThread::StoreThread(Settings settings, store::Store& store, ControlInbox& inbox)
    : settings_(settings),
      store_(store),
      inbox_(inbox),
      housekeeping_due_(Clock::now()),
      thread_([this] { run(); }) {}

StoreThread::~StoreThread() {
  {
    const std::lock_guard lock{mutex_};
    is_over_ = true;
  }
  condition_.notify_one();
  thread_.join();
}

void StoreThread::ask(Question question) {
  {
    const std::lock_guard lock{mutex_};
    questions_.push_back(std::move(question));
  }
  condition_.notify_one();
}

void StoreThread::add_usage(store::UsageRecord record) {
  const std::lock_guard lock{mutex_};
  if (records_.size() >= settings_.max_records) {
    ++counters_.lost;
    return;
  }
  records_.push_back(std::move(record));
  if (due_) return;
  due_ = Clock::now() + settings_.longest_delay;
  condition_.notify_one();
}

void StoreThread::note_live_usage(std::vector<store::UsageRecord> records) {
  {
    const std::lock_guard lock{mutex_};
    if (live_.size() + records.size() > settings_.max_records) return;  // the store is too slow
    live_.insert(live_.end(), std::make_move_iterator(records.begin()),
                 std::make_move_iterator(records.end()));
  }
  condition_.notify_one();
}

StoreThread::Counters StoreThread::counters() const {
  const std::lock_guard lock{mutex_};
  Counters counters = counters_;
  counters.waiting = records_.size();
  return counters;
}

void StoreThread::run() {
  Lock lock{mutex_};
  while (!is_over_) {
    answer_questions(lock);
    write_live_usage(lock);
    if (due_ && *due_ <= Clock::now()) write_batch(lock);
    if (housekeeping_due_ <= Clock::now()) keep_house(lock);
    if (is_over_ || !questions_.empty() || !live_.empty()) continue;
    condition_.wait_until(lock, std::min(due_.value_or(housekeeping_due_), housekeeping_due_));
  }
  do {
    write_batch(lock);
  } while (!records_.empty() && !counters_.is_failing);
}

void StoreThread::answer_questions(Lock& lock) {
  while (!questions_.empty()) {
    const Question question = std::move(questions_.front());
    questions_.pop_front();
    lock.unlock();
    inbox_.deliver(question(store_));
    lock.lock();
  }
}

/// A refusal is reported by the records that follow: these are only for the case of a crash.
void StoreThread::write_live_usage(Lock& lock) {
  if (live_.empty()) return;
  const std::vector<store::UsageRecord> all = std::exchange(live_, {});
  lock.unlock();
  std::span<const store::UsageRecord> left{all};
  while (!left.empty()) {
    const auto batch = left.first(std::min(left.size(), settings_.max_batch));
    if (!store_.note_live_usage(batch)) break;
    left = left.subspan(batch.size());
  }
  lock.lock();
  counters_.noted += all.size() - left.size();
}

/// What cannot be removed now, can be the next time.
void StoreThread::keep_house(Lock& lock) {
  housekeeping_due_ = Clock::now() + settings_.housekeeping_every;
  lock.unlock();
  const auto now = std::chrono::floor<seconds>(std::chrono::system_clock::now());
  const auto usage = store_.remove_usage_before(now - settings_.usage_kept);
  const auto revocations = store_.remove_ended_revocations(now);
  if (!usage || !revocations) {
    const auto& failure = usage ? revocations.error() : usage.error();
    log_event(LogLevel::warn, "store_not_tidied", {{"reason", failure.sentence}});
  }
  lock.lock();
}

void StoreThread::write_batch(Lock& lock) {
  const auto count = std::min(records_.size(), settings_.max_batch);
  if (count == 0) return;
  const std::vector<store::UsageRecord> batch{
      records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(count)};
  lock.unlock();
  const auto written = store_.append_usage(batch);
  lock.lock();
  const bool was_failing = std::exchange(counters_.is_failing, !written);
  due_ = Clock::now() + settings_.longest_delay;
  if (!written) {
    if (!was_failing) {
      log_event(LogLevel::error, "usage_not_written", {{"reason", written.error().sentence}});
    }
    return;
  }
  if (was_failing) log_event(LogLevel::info, "usage_written_again", {});
  counters_.written += count;
  records_.erase(records_.begin(), records_.begin() + static_cast<std::ptrdiff_t>(count));
  if (records_.empty()) due_.reset();
  if (records_.size() >= settings_.max_batch) due_ = Clock::now();
}

}  // namespace turnpike::server
