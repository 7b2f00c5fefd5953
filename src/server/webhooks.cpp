#include "server/webhooks.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <mutex>
#include <new>
#include <stdexcept>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "server/log.h"
#include "version.h"

namespace turnpike::server {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t max_answer_bytes = 16'384;
constexpr long max_connections = 32;
constexpr milliseconds longest_wait{60'000};

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyDeleter>;
using Multi = std::unique_ptr<CURLM, MultiDeleter>;
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

/// Once in the process, before there is any other use of it.
void set_up_curl() {
  static const CURLcode result = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (result != CURLE_OK) throw std::runtime_error("libcurl cannot be set up");
}

void append(HeaderList& list, const std::string& line) {
  curl_slist* const longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc{};
  (void)list.release();
  list.reset(longer);
}

WallTime wall_time() { return std::chrono::floor<seconds>(std::chrono::system_clock::now()); }

/// One POST. Where it is does not change while libcurl has it.
struct Delivery {
  std::optional<signaling::ConnectionId> question{};  // nothing: an event
  std::string body{};
  unsigned failures = 0;
  Clock::time_point due{};  // of an event
  std::string answer{};
  Easy easy{};
  HeaderList headers{};
};

std::size_t take_answer(char* bytes, std::size_t size, std::size_t count, void* delivery) {
  std::string& answer = static_cast<Delivery*>(delivery)->answer;
  if (answer.size() + size * count > max_answer_bytes) return 0;  // libcurl gives up
  answer.append(bytes, size * count);
  return size * count;
}

}  // namespace

/// The thread and what it works on.
class Webhooks::Courier {
 public:
  Courier(Settings settings, std::function<void(Answer)> on_answer)
      : settings_(std::move(settings)), on_answer_(std::move(on_answer)) {
    set_up_curl();
    multi_.reset(curl_multi_init());
    if (!multi_) throw std::runtime_error("libcurl cannot be set up");
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, max_connections);
    thread_ = std::thread{[this] { run(); }};
  }
  ~Courier() {
    {
      const std::lock_guard lock{mutex_};
      is_over_ = true;
    }
    curl_multi_wakeup(multi_.get());
    thread_.join();
    for (const auto& [easy, delivery] : under_way_) curl_multi_remove_handle(multi_.get(), easy);
  }
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  void ask(signaling::ConnectionId connection, std::string body) {
    auto delivery = std::make_unique<Delivery>();
    delivery->question = connection;
    delivery->body = std::move(body);
    {
      const std::lock_guard lock{mutex_};
      questions_.push_back(std::move(delivery));
    }
    curl_multi_wakeup(multi_.get());
  }

  void tell(std::string event) {
    {
      const std::lock_guard lock{mutex_};
      if (events_.size() >= settings_.max_queued_events) {
        ++counters_.lost;
        return;
      }
      events_.push_back(std::move(event));
    }
    curl_multi_wakeup(multi_.get());
  }

  Counters counters() const {
    const std::lock_guard lock{mutex_};
    return counters_;
  }

 private:
  void run() {
    while (take_work()) {
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      if (finish_done()) continue;  // the next event may start
      curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(time_to_wait().count()), nullptr);
    }
  }

  /// Starts what can be started; false when it is over.
  bool take_work() {
    std::vector<std::unique_ptr<Delivery>> questions;
    {
      const std::lock_guard lock{mutex_};
      if (is_over_) return false;
      questions.swap(questions_);
      if (!event_ && !has_event_under_way_ && !events_.empty()) {
        event_ = std::make_unique<Delivery>();
        event_->body = std::move(events_.front());
        events_.pop_front();
      }
    }
    for (auto& question : questions) start(std::move(question));
    if (event_ && event_->due <= Clock::now()) start(std::move(event_));
    return true;
  }

  void start(std::unique_ptr<Delivery> delivery) {
    if (!delivery->question) has_event_under_way_ = true;
    delivery->answer.clear();
    delivery->easy.reset(curl_easy_init());
    if (!delivery->easy) return finish(std::move(delivery), CURLE_FAILED_INIT);
    describe(*delivery);
    CURL* const easy = delivery->easy.get();
    if (curl_multi_add_handle(multi_.get(), easy) != CURLM_OK) {
      return finish(std::move(delivery), CURLE_FAILED_INIT);
    }
    under_way_.emplace(easy, std::move(delivery));
  }

  void describe(Delivery& delivery) const {
    CURL* const easy = delivery.easy.get();
    delivery.headers.reset();
    append(delivery.headers, "Content-Type: application/json");
    append(delivery.headers, "Turnpike-Signature: " +
                                 webhook_signature(settings_.secret, wall_time(), delivery.body));
    append(delivery.headers, "Expect:");  // no round trip before the body
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, delivery.headers.get());
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "turnpike/" TURNPIKE_VERSION);
    curl_easy_setopt(easy, CURLOPT_URL, settings_.url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!settings_.ca_file.empty()) {
      curl_easy_setopt(easy, CURLOPT_CAINFO, settings_.ca_file.c_str());
    }
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.timeout.count()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(delivery.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, delivery.body.c_str());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &delivery);
  }

  /// True when anything was.
  bool finish_done() {
    bool any = false;
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode result = message->data.result;
      const auto found = under_way_.find(message->easy_handle);
      if (found == under_way_.end()) continue;
      auto delivery = std::move(found->second);
      under_way_.erase(found);
      curl_multi_remove_handle(multi_.get(), delivery->easy.get());
      finish(std::move(delivery), result);
      any = true;
    }
    return any;
  }

  void finish(std::unique_ptr<Delivery> delivery, CURLcode result) {
    long status = 0;
    if (delivery->easy) {
      curl_easy_getinfo(delivery->easy.get(), CURLINFO_RESPONSE_CODE, &status);
    }
    const bool is_good = result == CURLE_OK && status >= 200 && status < 300;
    const std::string problem = result != CURLE_OK ? std::string{curl_easy_strerror(result)}
                                                   : fmt::format("status {}", status);
    if (delivery->question) {
      finish_question(*delivery, is_good, problem);
    } else {
      has_event_under_way_ = false;
      finish_event(std::move(delivery), is_good, problem);
    }
  }

  void finish_question(const Delivery& delivery, bool is_good, const std::string& problem) {
    Answer answer{*delivery.question, std::nullopt};
    if (is_good) answer.answer = signaling::parse_webhook_answer(delivery.answer);
    count(answer.answer ? &Counters::answered : &Counters::unanswered);
    if (!answer.answer) {
      log_event(LogLevel::warn, "webhook_unanswered",
                {{"problem", is_good ? std::string{"the answer makes no sense"} : problem}});
    }
    on_answer_(std::move(answer));
  }

  void finish_event(std::unique_ptr<Delivery> delivery, bool is_good, const std::string& problem) {
    if (is_good) return count(&Counters::delivered);
    if (delivery->failures == settings_.retries) {
      log_event(LogLevel::warn, "webhook_event_lost", {{"problem", problem}});
      return count(&Counters::lost);
    }
    const auto wait =
        std::min(settings_.first_retry * (1 << std::min(delivery->failures, 16U)), longest_wait);
    ++delivery->failures;
    delivery->due = Clock::now() + wait;
    count(&Counters::retried);
    event_ = std::move(delivery);
  }

  [[nodiscard]] milliseconds time_to_wait() const {
    if (!event_) return longest_wait;
    const auto wait = std::chrono::ceil<milliseconds>(event_->due - Clock::now());
    return std::clamp(wait, milliseconds{0}, longest_wait);
  }

  void count(std::uint64_t Counters::*counter) {
    const std::lock_guard lock{mutex_};
    ++(counters_.*counter);
  }

  const Settings settings_;
  const std::function<void(Answer)> on_answer_;
  Multi multi_;

  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Delivery>> questions_;  // guarded by mutex_, like what follows
  std::deque<std::string> events_;
  Counters counters_;
  bool is_over_ = false;

  std::unique_ptr<Delivery> event_;  // the thread's: the next event, waiting for its time
  bool has_event_under_way_ = false;
  std::unordered_map<CURL*, std::unique_ptr<Delivery>> under_way_;
  std::thread thread_;
};

Webhooks::Webhooks(Settings settings, std::function<void(Answer)> on_answer)
    : courier_(std::make_unique<Courier>(std::move(settings), std::move(on_answer))) {}

Webhooks::~Webhooks() = default;

void Webhooks::ask(signaling::ConnectionId connection, std::string body) {
  courier_->ask(connection, std::move(body));
}

void Webhooks::tell(std::string event_json) { courier_->tell(std::move(event_json)); }

Webhooks::Counters Webhooks::counters() const { return courier_->counters(); }

std::string webhook_signature(std::string_view secret, WallTime at, std::string_view body) {
  const std::string time = std::to_string(at.time_since_epoch().count());
  const Sha256Digest mac =
      HmacSha256Key{bytes_of(secret)}.mac({bytes_of(time), bytes_of("."), bytes_of(body)});
  std::string out = "t=" + time + ",v1=";
  for (const std::uint8_t byte : mac) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace turnpike::server
