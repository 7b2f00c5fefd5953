// The store's own thread, over a real SQLite file whose tables another process takes away.
#include "server/store_thread.h"

#include <optional>
#include <thread>

#include "catch.h"
#include "store/database.h"
#include "store/store_files.h"
#include "support/comes_true.h"

namespace turnpike::server {
namespace {

using turnpike::test::comes_true;
using turnpike::test::noon;
using turnpike::test::StoreFiles;
using turnpike::test::sure;
using namespace std::chrono_literals;

store::UsageRecord used(const std::string& allocation, std::uint64_t bytes) {
  return {.allocation = allocation,
          .account = "mina",
          .started = noon,
          .ended = noon + 60s,
          .bytes_to_peer = bytes,
          .reason = "deleted"};
}

struct Office {
  Office() {
    inbox.attach(poller);
    settings.longest_delay = 20ms;
    settings.usage_kept = std::chrono::hours{24 * 36'500};  // whatever day it is
  }
  StoreThread& open() { return thread.emplace(settings, *store, inbox); }
  /// Runs SQL as another process would.
  void meanwhile(const char* sql) const { store::Database{files.path()}.run_script(sql); }
  [[nodiscard]] std::vector<store::UsageRecord> records() const {
    return sure(store->usage({}, "", 0, 1000));
  }

  StoreFiles files;
  std::unique_ptr<store::Store> store = files.open();
  net::Poller poller;
  ControlInbox inbox;
  StoreThread::Settings settings;
  std::optional<StoreThread> thread;
};

}  // namespace

TEST_CASE("usage that is too old and revocations that have ended are removed by and by",
          "[server][store]") {
  Office office;
  const auto now = std::chrono::floor<seconds>(std::chrono::system_clock::now());
  store::UsageRecord old = used("0-1", 1);
  old.started = old.ended = now - 2h;
  store::UsageRecord recent = used("0-2", 2);
  recent.started = recent.ended = now - 10min;
  REQUIRE(office.store->append_usage(std::vector{old, recent}));
  REQUIRE(office.store->revoke({.name = "ended", .until = now - 1s}, {"test", now}));
  REQUIRE(office.store->revoke({.name = "lasting", .until = now + 1h}, {"test", now}));
  const auto revocations = [&] { return sure(office.store->revocations(now - 2s)); };
  REQUIRE(revocations().size() == 2);
  office.settings.usage_kept = 1h;
  office.settings.housekeeping_every = 20ms;
  office.open();
  CHECK(comes_true([&] { return office.records().size() == 1; }));
  CHECK(office.records().at(0).allocation == "0-2");
  CHECK(comes_true([&] { return revocations().size() == 1; }));
  CHECK(revocations().at(0).name == "lasting");
  REQUIRE(office.store->append_usage(std::vector{old}));  // and again
  CHECK(comes_true([&] { return office.records().size() == 1; }));
}

TEST_CASE("questions are answered one after another, on a thread of their own", "[server][store]") {
  Office office;
  StoreThread& thread = office.open();
  const auto asked_by = std::this_thread::get_id();
  for (std::uint64_t number = 1; number <= 3; ++number) {
    thread.ask([number, asked_by](store::Store& store) {
      const bool is_elsewhere = std::this_thread::get_id() != asked_by;
      const bool is_asked = store.user_count() == std::uint64_t{0};
      return StoreAnswer{number, signaling::Response{204}, is_elsewhere && is_asked};
    });
  }
  std::vector<std::uint64_t> answered;
  CHECK(comes_true([&] {
    for (const ControlNews& news : office.inbox.collect()) {
      const auto& answer = std::get<StoreAnswer>(news);
      CHECK(answer.has_changed);  // what was found out there
      answered.push_back(answer.question);
    }
    return answered.size() == 3;
  }));
  CHECK(answered == std::vector<std::uint64_t>{1, 2, 3});
}

TEST_CASE("usage is written without anybody asking", "[server][store]") {
  Office office;
  StoreThread& thread = office.open();
  thread.add_usage(used("0-1", 1));
  thread.add_usage(used("0-2", 2));
  CHECK(comes_true([&] { return thread.counters().written == 2; }));
  CHECK(office.records().size() == 2);
  CHECK(thread.counters().waiting == 0);
  CHECK_FALSE(thread.counters().is_failing);
}

TEST_CASE("what waits when the server ends is written, in more than one batch", "[server][store]") {
  Office office;
  office.settings.longest_delay = 3600s;
  office.settings.max_batch = 7;
  StoreThread& thread = office.open();
  for (int i = 1; i <= 20; ++i) thread.add_usage(used("0-" + std::to_string(i), 1));
  office.thread.reset();
  CHECK(office.records().size() == 20);
}

TEST_CASE("usage that the store refuses waits until it does not", "[server][store]") {
  Office office;
  office.settings.max_records = 3;
  StoreThread& thread = office.open();
  office.meanwhile("ALTER TABLE usage RENAME TO hidden");
  for (int i = 1; i <= 3; ++i) thread.add_usage(used("0-" + std::to_string(i), 1));
  CHECK(comes_true([&] { return thread.counters().is_failing; }));
  thread.add_usage(used("0-4", 1));  // one too many
  CHECK(thread.counters().waiting == 3);
  CHECK(thread.counters().lost == 1);
  CHECK(thread.counters().written == 0);

  office.meanwhile("ALTER TABLE hidden RENAME TO usage");
  CHECK(comes_true([&] { return thread.counters().written == 3; }));
  CHECK_FALSE(thread.counters().is_failing);
  CHECK(office.records().size() == 3);
}

TEST_CASE("a server that ends while the store refuses does not wait for it", "[server][store]") {
  Office office;
  StoreThread& thread = office.open();
  office.meanwhile("ALTER TABLE usage RENAME TO hidden");
  thread.add_usage(used("0-1", 1));
  CHECK(comes_true([&] { return thread.counters().is_failing; }));
  office.thread.reset();  // returns
  office.meanwhile("ALTER TABLE hidden RENAME TO usage");
  CHECK(office.records().empty());
}

TEST_CASE("what lives is noted, and its end takes the note away", "[server][store]") {
  Office office;
  {
    StoreThread& thread = office.open();
    thread.note_live_usage({used("0-1", 1), used("0-2", 2)});
    thread.note_live_usage({used("0-1", 10)});
    thread.add_usage(used("0-2", 3));
    CHECK(comes_true([&] { return thread.counters().written == 1; }));
    CHECK(thread.counters().noted == 3);
  }
  CHECK(office.records().size() == 1);
  CHECK(sure(office.store->settle_live_usage()) == 1);
  const auto records = office.records();
  REQUIRE(records.size() == 2);
  for (const store::UsageRecord& record : records) {
    CHECK(record.bytes_to_peer == (record.allocation == "0-1" ? 10U : 3U));
    CHECK(record.reason == (record.allocation == "0-1" ? "crashed" : "deleted"));
  }
}

}  // namespace turnpike::server
