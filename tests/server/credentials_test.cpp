// The credentials of configuration and store together, over a real SQLite file.
#include "server/credentials.h"

#include "catch.h"
#include "net/clock.h"
#include "net/poller.h"
#include "store/store_files.h"

namespace turnpike::server {
namespace {

using turnpike::test::mina;
using turnpike::test::StoreFiles;
using turnpike::test::sure;
using namespace std::chrono_literals;

Config::Auth auth_with(std::vector<auth::Secret> secrets) {
  Config::Auth auth;
  auth.secrets = std::move(secrets);
  return auth;
}

/// One worker's mail, and what the credentials are made of.
struct Office {
  Office() { mailboxes.of(turn::WorkerId{0}).attach(poller); }

  /// The book of the last letter; null: none has come.
  std::shared_ptr<const auth::CredentialBook> delivered() {
    Mail mail;
    mailboxes.of(turn::WorkerId{0}).collect(mail);
    std::shared_ptr<const auth::CredentialBook> book;
    for (const Letter& letter : mail.letters()) {
      if (const auto* const each = std::get_if<BookLetter>(&letter)) book = each->book;
    }
    return book;
  }

  StoreFiles files;
  std::unique_ptr<store::Store> store = files.open();
  net::Poller poller;
  Mailboxes mailboxes{1};
  WallTime now = net::read_clock().wall;
};

store::StoredSecret secret_from(const std::string& id, const std::string& value, WallTime begins) {
  return turnpike::test::secret_called(id, value, begins);
}

}  // namespace

TEST_CASE("without a store the configuration's credentials hold", "[server][store]") {
  Office office;
  const Credentials credentials{auth_with({{"n", "north"}}), "example.org", nullptr,
                                office.mailboxes};
  CHECK(credentials.book()->secret_count() == 1);
  CHECK(credentials.for_rooms().signing_secret == "north");
  CHECK(office.delivered() == nullptr);  // workers start with the first book
}

TEST_CASE("secrets of the store verify beside those of the configuration, which sign first",
          "[server][store]") {
  Office office;
  sure(office.store->add_secret(secret_from("s", "south", office.now - 10s), mina));
  const Credentials both{auth_with({{"n", "north"}}), "example.org", office.store.get(),
                         office.mailboxes};
  CHECK(both.book()->secret_count() == 2);
  CHECK(both.for_rooms().signing_secret == "north");
  const Credentials stored{{}, "example.org", office.store.get(), office.mailboxes};
  CHECK(stored.book()->secret_count() == 1);
  CHECK(stored.for_rooms().signing_secret == "south");
}

TEST_CASE("a change of the store reaches the workers and the rooms", "[server][store]") {
  Office office;
  Credentials credentials{auth_with({{"n", "north"}}), "example.org", office.store.get(),
                          office.mailboxes};
  std::vector<std::size_t> keys;
  credentials.watch([&](const RoomCredentials& rooms) { keys.push_back(rooms.api_keys.size()); });
  const auto key = sure(office.store->create_api_key("web", mina)).value();
  sure(office.store->revoke({.name = "alice"}, mina));
  credentials.read_store(office.now);
  CHECK(keys == std::vector<std::size_t>{1});
  CHECK(credentials.for_rooms().api_keys.at(0).secret == key.secret);
  const auto book = office.delivered();
  REQUIRE(book);
  CHECK(book->is_revoked("x", "alice", office.now + std::chrono::hours{1000}));
  CHECK(book == credentials.book());
}

TEST_CASE("a secret begins and ends by the clock, without a change", "[server][store]") {
  Office office;
  auto next = secret_from("next", "south", office.now + 60s);
  next.not_after = office.now + 120s;
  sure(office.store->add_secret(next, mina));
  Credentials credentials{auth_with({{"n", "north"}}), "example.org", office.store.get(),
                          office.mailboxes};
  credentials.on_time(office.now + 59s);
  CHECK(office.delivered() == nullptr);
  credentials.on_time(office.now + 60s);
  REQUIRE(office.delivered());
  CHECK(credentials.book()->secret_count() == 2);
  credentials.on_time(office.now + 119s);
  CHECK(office.delivered() == nullptr);
  credentials.on_time(office.now + 120s);
  CHECK(office.delivered());
  CHECK(credentials.book()->secret_count() == 1);
}

TEST_CASE("a reload takes other secrets of the configuration and keeps the store's",
          "[server][store]") {
  Office office;
  sure(office.store->add_secret(secret_from("s", "south", office.now - 10s), mina));
  Credentials credentials{auth_with({{"n", "north"}}), "example.org", office.store.get(),
                          office.mailboxes};
  credentials.use(auth_with({{"e", "east"}, {"w", "west"}}), office.now);
  CHECK(credentials.for_rooms().signing_secret == "east");
  CHECK(credentials.book()->secret_count() == 3);
  CHECK(office.delivered() == credentials.book());
}

}  // namespace turnpike::server
