#include "server/http_poster.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <chrono>
#include <new>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "base/crypto.h"
#include "base/hexadecimal.h"
#include "version.h"

namespace turnpike::server {
namespace {

constexpr std::size_t max_answer_bytes = 16'384;
constexpr long max_connections = 32;

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
struct Exchange {
  std::uint64_t id;
  std::string body;
  std::string answer{};
  Easy easy{};
  HeaderList headers{};
};

std::size_t take_answer(char* bytes, std::size_t size, std::size_t count, void* exchange) {
  std::string& answer = static_cast<Exchange*>(exchange)->answer;
  if (answer.size() + size * count > max_answer_bytes) return 0;  // libcurl gives up
  answer.append(bytes, size * count);
  return size * count;
}

}  // namespace

class HttpPoster::Curl {
 public:
  explicit Curl(Settings settings) : settings_(std::move(settings)) {
    set_up_curl();
    multi_.reset(curl_multi_init());
    if (!multi_) throw std::runtime_error("libcurl cannot be set up");
    curl_multi_setopt(multi_.get(), CURLMOPT_MAX_TOTAL_CONNECTIONS, max_connections);
  }
  ~Curl() {
    for (const auto& [easy, exchange] : under_way_) curl_multi_remove_handle(multi_.get(), easy);
  }
  Curl(const Curl&) = delete;
  Curl& operator=(const Curl&) = delete;

  void post(std::uint64_t id, std::string body) {
    auto exchange = std::make_unique<Exchange>(Exchange{id, std::move(body)});
    exchange->easy.reset(curl_easy_init());
    CURL* const easy = exchange->easy.get();
    if (easy != nullptr) describe(*exchange);
    if (easy == nullptr || curl_multi_add_handle(multi_.get(), easy) != CURLM_OK) {
      done_.push_back({id, 0, {}, curl_easy_strerror(CURLE_FAILED_INIT)});
      return;
    }
    under_way_.emplace(easy, std::move(exchange));
  }

  std::vector<Done> wait(milliseconds longest) {
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    collect();
    if (done_.empty()) {
      curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(longest.count()), nullptr);
      curl_multi_perform(multi_.get(), &running);
      collect();
    }
    return std::exchange(done_, {});
  }

  void wake() { curl_multi_wakeup(multi_.get()); }

 private:
  void describe(Exchange& exchange) const {
    CURL* const easy = exchange.easy.get();
    append(exchange.headers, "Content-Type: application/json");
    append(exchange.headers, "Turnpike-Signature: " +
                                 webhook_signature(settings_.secret, wall_time(), exchange.body));
    append(exchange.headers, "Expect:");  // no round trip before the body
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange.headers.get());
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
    // A name server that is slow must not hold up who has given up on it, and everybody behind.
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.timeout.count()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, static_cast<long>(exchange.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, exchange.body.c_str());
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &take_answer);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
  }

  void collect() {
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode result = message->data.result;
      const auto found = under_way_.find(message->easy_handle);
      if (found == under_way_.end()) continue;
      const auto exchange = std::move(found->second);
      under_way_.erase(found);
      curl_multi_remove_handle(multi_.get(), exchange->easy.get());
      done_.push_back(outcome(*exchange, result));
    }
  }

  static Done outcome(Exchange& exchange, CURLcode result) {
    if (result != CURLE_OK) return {exchange.id, 0, {}, curl_easy_strerror(result)};
    long status = 0;
    curl_easy_getinfo(exchange.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    const bool is_good = status >= 200 && status < 300;
    return {exchange.id, status, std::move(exchange.answer),
            is_good ? std::string{} : fmt::format("status {}", status)};
  }

  const Settings settings_;
  Multi multi_;
  std::unordered_map<CURL*, std::unique_ptr<Exchange>> under_way_;
  std::vector<Done> done_;
};

HttpPoster::HttpPoster(Settings settings) : curl_(std::make_unique<Curl>(std::move(settings))) {}

HttpPoster::~HttpPoster() = default;

void HttpPoster::post(std::uint64_t id, std::string body) { curl_->post(id, std::move(body)); }

std::vector<HttpPoster::Done> HttpPoster::wait(milliseconds longest) {
  return curl_->wait(longest);
}

void HttpPoster::wake() { curl_->wake(); }

std::string webhook_signature(std::string_view secret, WallTime at, std::string_view body) {
  const std::string time = std::to_string(at.time_since_epoch().count());
  const Sha256Digest mac =
      HmacSha256Key{bytes_of(secret)}.mac({bytes_of(time), bytes_of("."), bytes_of(body)});
  return "t=" + time + ",v1=" + hex_of(mac);
}

}  // namespace turnpike::server
