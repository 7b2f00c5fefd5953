// The webhook client against a service in a process of its own (webhook_receiver.py).

#include "server/webhooks.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>

#include "catch.h"
#include "server/http_poster.h"
#include "server/scratch_directory.h"

namespace turnpike::server {
namespace {

using signaling::ConnectionId;
using turnpike::test::ScratchDirectory;
using Json = nlohmann::json;

const std::string secret = "webhook-secret-of-32-bytes-or-so";

/// webhook_receiver.py, until the end of the test.
class Receiver {
 public:
  explicit Receiver(std::vector<std::string> files = {}) {
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      std::string program = "python3";
      std::string script = TURNPIKE_SOURCE_DIR "/tests/server/webhook_receiver.py";
      std::vector<char*> arguments{program.data(), script.data()};
      for (std::string& file : files) arguments.push_back(file.data());
      arguments.push_back(nullptr);
      ::dup2(ends[1], STDOUT_FILENO);
      ::execvp(program.c_str(), arguments.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = ::fdopen(ends[0], "r");
    port_ = line();
    REQUIRE_FALSE(port_.empty());
  }
  ~Receiver() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    std::fclose(output_);
  }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  [[nodiscard]] std::string url(const std::string& path, const std::string& scheme = "http") const {
    return scheme + "://127.0.0.1:" + port_ + path;
  }
  /// The next request that it got; waits for it.
  Json request() { return Json::parse(line()); }

 private:
  std::string line() {
    std::string text;
    for (int c = std::fgetc(output_); c != '\n' && c != EOF; c = std::fgetc(output_)) {
      text += static_cast<char>(c);
    }
    return text;
  }

  pid_t pid_ = -1;
  std::FILE* output_ = nullptr;
  std::string port_;
};

/// Where answers come in; the test waits for them.
class Answers {
 public:
  void add(Webhooks::Answer answer) {
    const std::lock_guard lock{mutex_};
    answers_.push_back(std::move(answer));
    changed_.notify_all();
  }
  Webhooks::Answer next() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return !answers_.empty(); });
    Webhooks::Answer answer = std::move(answers_.front());
    answers_.pop_front();
    return answer;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Webhooks::Answer> answers_;
};

Webhooks::Settings settings_for(std::string url) {
  Webhooks::Settings settings;
  settings.url = std::move(url);
  settings.secret = secret;
  settings.first_retry = milliseconds{1};
  return settings;
}

/// What comes of one question.
std::optional<signaling::WebhookAnswer> answer_of(const Webhooks::Settings& settings) {
  Answers answers;
  Webhooks webhooks{settings, [&](Webhooks::Answer answer) { answers.add(std::move(answer)); }};
  webhooks.ask(ConnectionId{7}, R"({"type":"join"})");
  const Webhooks::Answer answer = answers.next();
  CHECK(answer.connection == ConnectionId{7});
  return answer.answer;
}

void ignore(Webhooks::Answer) {}

}  // namespace

TEST_CASE("a webhook signature is an HMAC over time and body", "[server]") {
  // printf 1795219200.{} | openssl dgst -sha256 -hmac key
  CHECK(webhook_signature("key", WallTime{seconds{1'795'219'200}}, "{}") ==
        "t=1795219200,v1=51fc41d31f93800e0ef18558a9747c27c2a33a52b1243ac4d9fe3700733e839e");
}

TEST_CASE("a question is put to the webhook, signed, and its answer handed back", "[server]") {
  Receiver receiver;
  const auto answer = answer_of(settings_for(receiver.url("/allow")));
  REQUIRE(answer);
  CHECK(answer->allow);
  CHECK(answer->name == "Mina");
  CHECK(answer->role == signaling::Role::owner);
  CHECK(answer->max == 4u);
  CHECK(answer->ice_ttl == seconds{60});

  const Json request = receiver.request();
  CHECK(request["body"] == R"({"type":"join"})");
  CHECK(request["type"] == "application/json");
  const std::string signature = request["signature"];
  REQUIRE(signature.starts_with("t="));
  const seconds at{std::stoll(signature.substr(2))};
  CHECK(signature == webhook_signature(secret, WallTime{at}, R"({"type":"join"})"));
  const auto refused = answer_of(settings_for(receiver.url("/refuse")));
  REQUIRE(refused);
  CHECK_FALSE(refused->allow);
}

TEST_CASE("what is no answer is none: status, nonsense, too much, elsewhere, nothing", "[server]") {
  Receiver receiver;
  for (const char* const path : {"/broken", "/garbage", "/large", "/redirect"}) {
    INFO(path);
    CHECK_FALSE(answer_of(settings_for(receiver.url(path))));
    CHECK(receiver.request()["path"] == path);  // and a redirect was not followed: see below
  }
  CHECK(answer_of(settings_for(receiver.url("/refuse"))));
  CHECK(receiver.request()["path"] == "/refuse");
  auto impatient = settings_for(receiver.url("/silent"));
  impatient.timeout = milliseconds{200};
  CHECK_FALSE(answer_of(impatient));
  CHECK_FALSE(answer_of(settings_for("http://127.0.0.1:1/")));
  CHECK_FALSE(answer_of(settings_for("file:///etc/hostname")));
}

TEST_CASE("a question does not wait for one that gets no answer", "[server]") {
  Receiver receiver;
  Answers answers;
  const auto collect = [&](Webhooks::Answer answer) { answers.add(std::move(answer)); };
  auto patient = settings_for(receiver.url("/silent"));
  patient.timeout = milliseconds{600'000};
  Webhooks silent{patient, collect};
  silent.ask(ConnectionId{1}, "{}");
  CHECK(receiver.request()["path"] == "/silent");
  Webhooks webhooks{settings_for(receiver.url("/allow")), collect};
  for (std::uint64_t id = 10; id < 20; ++id) webhooks.ask(ConnectionId{id}, "{}");
  for (int i = 0; i < 10; ++i) CHECK(answers.next().connection != ConnectionId{1});
  CHECK(webhooks.counters().answered == 10);
}  // and the end of `silent` does not wait either

TEST_CASE("events are delivered in order, and again when they were not taken", "[server]") {
  Receiver receiver;
  Webhooks webhooks{settings_for(receiver.url("/flaky")), ignore};
  webhooks.tell(R"({"n":1})");
  webhooks.tell(R"({"n":2})");
  for (const int n : {1, 1, 1, 2})
    CHECK(Json::parse(receiver.request()["body"].get<std::string>())["n"] == n);
}

TEST_CASE("an event that nobody takes is given up, and the next has its turn", "[server]") {
  Receiver receiver;
  auto settings = settings_for(receiver.url("/broken"));
  settings.retries = 2;
  Webhooks webhooks{settings, ignore};
  for (const int n : {1, 2, 3}) webhooks.tell(std::to_string(n));
  for (const char* const body : {"1", "1", "1", "2", "2", "2", "3"}) {
    CHECK(receiver.request()["body"] == body);
  }
  CHECK(webhooks.counters().lost >= 2);
  CHECK(webhooks.counters().retried >= 4);
  CHECK(webhooks.counters().delivered == 0);
}

TEST_CASE("when too many events wait, new ones are lost", "[server]") {
  Receiver receiver;
  auto settings = settings_for(receiver.url("/silent"));
  settings.timeout = milliseconds{600'000};
  settings.max_queued_events = 2;
  Webhooks webhooks{settings, ignore};
  webhooks.tell("0");
  CHECK(receiver.request()["body"] == "0");  // it is under way
  for (const char* const event : {"1", "2", "3", "4"}) webhooks.tell(event);
  CHECK(webhooks.counters().lost == 2);
}

TEST_CASE("a service whose certificate nobody vouches for is not spoken to", "[server]") {
  const ScratchDirectory directory;
  const std::string certificate = directory.path() + "/certificate.pem";
  const std::string key = directory.path() + "/key.pem";
  const std::string command =
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
      "-subj /CN=webhook -addext subjectAltName=IP:127.0.0.1 -keyout " +
      key + " -out " + certificate + " 2> /dev/null";
  REQUIRE(std::system(command.c_str()) == 0);
  Receiver receiver{{certificate, key}};
  auto settings = settings_for(receiver.url("/allow", "https"));
  CHECK_FALSE(answer_of(settings));
  settings.ca_file = certificate;
  CHECK(answer_of(settings));
  CHECK(receiver.request()["path"] == "/allow");  // the first that it got
}

}  // namespace turnpike::server
