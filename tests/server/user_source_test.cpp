// Users of the store and of the hook, over a real SQLite file and a real port at which nobody is.
#include "server/user_source.h"

#include <functional>

#include "catch.h"
#include "net/poller.h"
#include "net/tcp.h"
#include "store/database.h"
#include "store/store_files.h"
#include "support/comes_true.h"

namespace turnpike::server {
namespace {

using turnpike::test::comes_true;
using turnpike::test::mina;
using turnpike::test::StoreFiles;
using turnpike::test::sure;
using turnpike::test::user_named;
using namespace std::chrono_literals;

/// An address at which connections are refused.
std::string nowhere() {
  const auto listener = net::TcpListener::open({.bind = {IpAddress::v4(0x7f000001), 0}});
  return "http://" + listener.value().local().to_string() + "/";
}

/// One worker, a store and what the source tells the worker of it.
struct Office {
  explicit Office(bool has_hook = false) {
    mailboxes.of(worker).attach(poller);
    settings.realm = "example.com";
    settings.has_hook = has_hook;
    settings.hook.url = nowhere();
    settings.cache.hash_seed = HashSeed{7};
    settings.store_poll = 10ms;
  }

  UserSource& open() {
    return source.emplace(settings, store.get(), mailboxes, [this] { ++changes; });
  }
  /// The letters that have come since the last call.
  std::vector<Letter> letters() {
    Mail mail;
    mailboxes.of(worker).collect(mail);
    return std::move(mail.letters());
  }
  /// "forget", "dora 4 8000000", in order.
  std::vector<std::string> told() {
    std::vector<std::string> all;
    for (const Letter& letter : letters()) {
      if (std::holds_alternative<ForgetUsersLetter>(letter)) all.emplace_back("forget");
      if (const auto* const each = std::get_if<UserLimitsLetter>(&letter)) {
        all.push_back(each->username + " " +
                      std::to_string(each->limits.max_allocations.value_or(0)) + " " +
                      std::to_string(each->limits.bandwidth.value_or(0)));
      }
    }
    return all;
  }
  /// Runs SQL as another process would.
  void meanwhile(const char* sql) const { store::Database{files.path()}.run_script(sql); }

  static constexpr turn::WorkerId worker{0};
  StoreFiles files;
  std::unique_ptr<store::Store> store = files.open();
  net::Poller poller;
  Mailboxes mailboxes{1};
  std::atomic<int> changes{0};
  UserSource::Settings settings;
  std::optional<UserSource> source;
};

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("workers are told the new limits of users that are changed, after they are to forget",
          "[server][store]") {
  Office office;
  sure(office.store->add_user(user_named("dora"), mina));
  sure(office.store->add_user(user_named("boots"), mina));
  office.open();
  const auto limit = [](store::StoredUser& user) { user.limits = {4, 8'000'000}; };
  sure(office.store->change_user("dora", limit, mina));
  REQUIRE(comes_true([&] { return office.changes == 1; }));
  CHECK(office.told() == Lines{"forget", "dora 4 8000000"});

  // By another process, and back to no limits of her own.
  const auto other = office.files.open();
  const auto lift = [](store::StoredUser& user) { user.limits = {}; };
  sure(other->remove_user("boots", mina));
  sure(other->change_user("dora", lift, mina));
  Lines all;
  CHECK(comes_true([&] {
    for (std::string& line : office.told()) all.push_back(std::move(line));
    return !all.empty() && all.back() == "dora 0 0";
  }));
  for (const std::string& line : all) CHECK((line == "forget" || line == "dora 0 0"));
}

TEST_CASE("a user is found in the store, with limits", "[server][store]") {
  Office office;
  auto dora = user_named("dora");
  dora.limits.max_allocations = 2;
  sure(office.store->add_user(dora, mina));
  UserSource& source = office.open();
  source.ask(Office::worker, "dora");
  source.ask(Office::worker, "swiper");
  REQUIRE(comes_true([&] { return source.counters().found + source.counters().absent == 2U; }));
  std::vector<Letter> letters;
  REQUIRE(comes_true([&] {
    for (Letter& letter : office.letters()) letters.push_back(std::move(letter));
    return letters.size() == 2;
  }));
  const auto& found = std::get<UserLetter>(letters[0]);
  CHECK(found.username == "dora");
  REQUIRE(found.answer);
  CHECK(found.answer->keys);
  CHECK(found.answer->limits.max_allocations == 2U);
  const auto& absent = std::get<UserLetter>(letters[1]);
  REQUIRE(absent.answer);
  CHECK_FALSE(absent.answer->keys);
}

TEST_CASE("a store that cannot be read is noticed, and when it can be read again",
          "[server][store]") {
  Office office;
  UserSource& source = office.open();
  CHECK(source.health().store_answers);
  CHECK_FALSE(source.health().store_is_needed);
  sure(office.store->add_user(user_named("dora"), mina));
  CHECK(comes_true([&] { return source.health().store_is_needed; }));

  office.meanwhile("ALTER TABLE users RENAME TO hidden");
  source.ask(Office::worker, "dora");
  CHECK(comes_true([&] { return !source.health().store_answers; }));
  CHECK(source.health().store_is_needed);
  CHECK(source.counters().unanswered == 1U);

  office.meanwhile("ALTER TABLE hidden RENAME TO users");
  CHECK(comes_true([&] { return source.health().store_answers; }));  // without a question
}

TEST_CASE("a hook that does not answer is noticed, and when it is worth asking again", "[server]") {
  Office office{true};
  office.store.reset();
  office.settings.cache.pause = 1s;
  UserSource& source = office.open();
  CHECK(source.health().hook_answers);
  CHECK_FALSE(source.health().hook_may_be_stood_in_for);
  for (int i = 0; i < 5; ++i) source.ask(Office::worker, "dora" + std::to_string(i));
  CHECK(comes_true([&] { return !source.health().hook_answers; }));
  CHECK(source.counters().hook_failed >= 5U);
  CHECK(comes_true([&] { return source.health().hook_answers; }));  // although nobody asks
}

}  // namespace turnpike::server
