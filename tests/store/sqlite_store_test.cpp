#include "store/sqlite_store.h"

#include "catch.h"
#include "store/schema.h"
#include "store/store_files.h"

namespace turnpike::test {

using namespace store;

namespace {

std::vector<std::string> names_of(const std::vector<StoredUser>& users) {
  std::vector<std::string> names;
  for (const StoredUser& user : users) names.push_back(user.name);
  return names;
}

/// "user.add alice: realm example.com", the oldest first.
std::vector<std::string> told(Store& store, std::uint64_t after = 0) {
  std::vector<std::string> lines;
  for (const Change& change : sure(store.changes_since(after, 1000))) {
    lines.push_back(change.action + " " + change.subject +
                    (change.detail.empty() ? "" : ": " + change.detail));
  }
  return lines;
}

using Lines = std::vector<std::string>;

UsageRecord used(const std::string& account, WallTime ended, std::uint64_t bytes) {
  return {.allocation = "0-1",
          .username = "1795219200:" + account,
          .account = account,
          .client = "203.0.113.0",
          .started = ended - seconds{60},
          .ended = ended,
          .packets_to_peer = 1,
          .bytes_to_peer = bytes,
          .packets_to_client = 2,
          .bytes_to_client = bytes * 2,
          .reason = "expired"};
}

}  // namespace

// --- Users ---------------------------------------------------------------------------------------

TEST_CASE("a stored user is found by name and by hash, with keys and limits", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  StoredUser alice = user_named("alice");
  alice.limits = {.max_allocations = 3, .bandwidth = 4'000'000};
  CHECK(sure(store->add_user(alice, mina)));

  const auto found = sure(store->find_user("alice"));
  REQUIRE(found);
  CHECK(found->name == "alice");
  CHECK(found->realm == "example.com");
  CHECK(found->md5 == alice.md5);
  CHECK(found->sha256 == alice.sha256);
  CHECK(found->limits == alice.limits);
  CHECK_FALSE(found->disabled);
  CHECK(found->created == noon);

  const auto by_hash = sure(store->find_user_by_hash(auth::userhash("alice", "example.com")));
  REQUIRE(by_hash);
  CHECK(by_hash->name == "alice");
  CHECK_FALSE(sure(store->find_user_by_hash(auth::userhash("alice", "example.org"))));
  CHECK_FALSE(sure(store->find_user("bob")));
  CHECK_FALSE(sure(store->find_user("Alice")));
  CHECK_FALSE(sure(store->find_user("")));
}

TEST_CASE("a user may have one key only, and no limits", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  StoredUser from_coturn = user_named("old");
  from_coturn.sha256.clear();
  CHECK(sure(store->add_user(from_coturn, mina)));
  const auto found = sure(store->find_user("old"));
  REQUIRE(found);
  CHECK(found->md5 == from_coturn.md5);
  CHECK(found->sha256.empty());
  CHECK(found->limits == auth::UserLimits{});
}

TEST_CASE("users are added once, replaced and removed, and that is told", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  CHECK(sure(store->add_user(user_named("alice"), mina)));
  CHECK_FALSE(sure(store->add_user(user_named("alice", "other"), mina)));
  CHECK(sure(store->find_user("alice"))->md5 == user_named("alice").md5);

  StoredUser changed = user_named("alice", "other");
  CHECK(sure(store->replace_user(changed, {"key web", noon + seconds{5}})));
  CHECK(sure(store->find_user("alice"))->md5 == changed.md5);
  CHECK(sure(store->find_user("alice"))->created == noon);
  changed.limits.max_allocations = 1;
  changed.disabled = true;
  CHECK(sure(store->replace_user(changed, mina)));
  CHECK(sure(store->find_user("alice"))->disabled);
  CHECK_FALSE(sure(store->replace_user(user_named("bob"), mina)));

  CHECK(sure(store->remove_user("alice", mina)));
  CHECK_FALSE(sure(store->remove_user("alice", mina)));
  CHECK_FALSE(sure(store->find_user("alice")));

  CHECK(told(*store) == Lines{"user.add alice: realm example.com", "user.change alice: password",
                              "user.change alice: limits, disabled", "user.remove alice"});
  const auto changes = sure(store->changes_since(1, 1));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].who == "key web");
  CHECK(changes[0].when == noon + seconds{5});
}

TEST_CASE("a user is changed as it is at that moment, whoever changed it before", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  auto alice = user_named("alice");
  alice.limits.max_allocations = 3;
  sure(store->add_user(alice, mina));
  const auto with_bandwidth = [&](StoredUser& user) {
    CHECK(user.limits.max_allocations == 3);
    user.limits.bandwidth = 8'000'000;
    user.name = "mallory";
    user.created = {};
  };
  const auto changed =
      sure(store->change_user("alice", with_bandwidth, {"key web", noon + seconds{1}}));
  REQUIRE(changed);
  CHECK(changed->limits == auth::UserLimits{3, 8'000'000});
  const auto kept = sure(store->find_user("alice"));
  REQUIRE(kept);
  CHECK(kept->limits == changed->limits);
  CHECK(kept->md5 == alice.md5);
  CHECK(kept->created == noon);
  CHECK_FALSE(sure(store->find_user("mallory")));
  const auto last = sure(store->audit(UINT64_MAX, 1)).at(0);
  CHECK(last.action == actions::user_change);
  CHECK(last.subject == "alice");
  CHECK(last.detail == "limits");

  const auto nobody = [](StoredUser&) { FAIL("nobody of that name"); };
  CHECK_FALSE(sure(store->change_user("bob", nobody, mina)));
}

TEST_CASE("a user of another realm is found by the new hash only", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  CHECK(sure(store->add_user(user_named("alice"), mina)));
  StoredUser moved = user_named("alice");
  moved.realm = "example.org";
  CHECK(sure(store->replace_user(moved, mina)));
  CHECK_FALSE(sure(store->find_user_by_hash(auth::userhash("alice", "example.com"))));
  CHECK(sure(store->find_user_by_hash(auth::userhash("alice", "example.org"))));
}

TEST_CASE("users come in pages, in the order of their bytes", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  const std::vector<StoredUser> some{user_named("b"), user_named("a"), user_named("é"),
                                     user_named("B")};
  CHECK(sure(store->add_users(some, mina)) == 4);
  CHECK(sure(store->user_count()) == 4);
  CHECK(names_of(sure(store->users("", 2))) == Lines{"B", "a"});
  CHECK(names_of(sure(store->users("a", 2))) == Lines{"b", "é"});
  CHECK(sure(store->users("é", 2)).empty());
}

TEST_CASE("many users are added at once, but for those that are there", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  CHECK(sure(store->add_user(user_named("u7"), mina)));
  std::vector<StoredUser> many;
  for (int i = 0; i < 100; ++i) many.push_back(user_named("u" + std::to_string(i), "new"));
  CHECK(sure(store->add_users(many, mina)) == 99);
  CHECK(sure(store->find_user("u7"))->md5 == user_named("u7").md5);
  CHECK(sure(store->change_counter()) == 100);
}

TEST_CASE("odd names are kept and removed exactly once", "[store][I02]") {
  const StoreFiles files;
  const auto store = files.open();
  const std::vector<std::string> names{"' OR 1=1--",
                                       "%",
                                       "_",
                                       "\"; DROP TABLE users; --",
                                       "🚗 지하철",
                                       std::string{"nul\0inside", 10},
                                       std::string{"nul\0outside", 11},
                                       "\xff\xfe no UTF-8",
                                       " a ",
                                       std::string(508, 'x')};
  for (const std::string& name : names) CHECK(sure(store->add_user(user_named(name), mina)));
  CHECK(sure(store->user_count()) == names.size());
  for (const std::string& name : names) {
    CAPTURE(name);
    const auto found = sure(store->find_user(name));
    REQUIRE(found);
    CHECK(found->name == name);
    CHECK(found->md5 == user_named(name).md5);
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    CHECK(sure(store->remove_user(names[i], mina)));
    CHECK_FALSE(sure(store->remove_user(names[i], mina)));
    CHECK(sure(store->user_count()) == names.size() - i - 1);
  }
}

TEST_CASE("users are looked up by an index, however many there are", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  Database database{files.path()};
  const auto plan = [&](std::string_view sql) {
    Rows rows = database.query(sql);
    return rows.next() ? rows.text(3) : std::string{};
  };
  CHECK(plan("EXPLAIN QUERY PLAN SELECT * FROM users WHERE name = 'a'") ==
        "SEARCH users USING PRIMARY KEY (name=?)");
  CHECK(plan("EXPLAIN QUERY PLAN SELECT * FROM users WHERE userhash = x'00'") ==
        "SEARCH users USING INDEX users_by_hash (userhash=?)");
}

// --- Secrets and API keys ------------------------------------------------------------------------

TEST_CASE("secrets are added, retired and removed", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  StoredSecret later = secret_called("2026-12", "value-12", noon + seconds{10});
  later.not_after = noon + seconds{20};
  CHECK(sure(store->add_secret(later, mina)));
  CHECK(sure(store->add_secret(secret_called("2026-11", "value-11"), mina)));
  CHECK_FALSE(sure(store->add_secret(secret_called("2026-11", "other"), mina)));

  auto secrets = sure(store->secrets());
  REQUIRE(secrets.size() == 2);
  CHECK(secrets[0].id == "2026-11");
  CHECK(secrets[0].value == "value-11");
  CHECK_FALSE(secrets[0].not_after);
  CHECK(secrets[1].not_before == noon + seconds{10});
  CHECK(secrets[1].not_after == noon + seconds{20});
  CHECK(secrets[1].created == noon);

  CHECK(sure(store->retire_secret("2026-11", noon + seconds{5}, mina)));
  CHECK_FALSE(sure(store->retire_secret("none", noon, mina)));
  CHECK(sure(store->secrets())[0].not_after == noon + seconds{5});
  CHECK(sure(store->remove_secret("2026-11", mina)));
  CHECK_FALSE(sure(store->remove_secret("2026-11", mina)));
  CHECK(sure(store->secrets()).size() == 1);
  CHECK(told(*store) == Lines{"secret.add 2026-12", "secret.add 2026-11", "secret.retire 2026-11",
                              "secret.remove 2026-11"});
}

TEST_CASE("rotation has the other secrets end, unless they end earlier", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  StoredSecret ending = secret_called("ending", "1");
  ending.not_after = noon + seconds{5};
  CHECK(sure(store->add_secret(ending, mina)));
  CHECK(sure(store->add_secret(secret_called("old", "2"), mina)));
  const std::uint64_t before = sure(store->change_counter());

  const StoredSecret next = secret_called("new", "3", noon + seconds{1});
  CHECK(sure(store->rotate_secret(next, noon + seconds{100}, mina)));
  const auto secrets = sure(store->secrets());
  REQUIRE(secrets.size() == 3);
  CHECK(secrets[0].not_after == noon + seconds{5});
  CHECK(secrets[1].id == "old");
  CHECK(secrets[1].not_after == noon + seconds{100});
  CHECK_FALSE(secrets[2].not_after);
  CHECK(told(*store, before) == Lines{"secret.add new", "secret.retire old: replaced by new"});

  CHECK_FALSE(sure(store->rotate_secret(next, noon, mina)));
  CHECK(sure(store->secrets())[1].not_after == noon + seconds{100});
}

TEST_CASE("an API key is shown once and recognised by its digest", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  const auto web = sure(store->create_api_key("web", mina));
  const auto bot = sure(store->create_api_key("bot", mina));
  REQUIRE(web);
  REQUIRE(bot);
  CHECK(web->secret.starts_with("tpk_"));
  CHECK(web->secret.size() == 48);
  CHECK(web->secret.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789-_") == std::string::npos);
  CHECK(web->secret != bot->secret);
  CHECK_FALSE(sure(store->create_api_key("web", mina)));

  const auto keys = sure(store->api_keys());
  REQUIRE(keys.size() == 2);
  CHECK(keys[0].id == "bot");
  CHECK(keys[1].id == "web");
  CHECK(keys[1].digest == sha256(bytes_of(web->secret)));
  CHECK(keys[1].signing == web->secret);
  CHECK(keys[1].created == noon);

  CHECK(sure(store->revoke_api_key("web", mina)));
  CHECK_FALSE(sure(store->revoke_api_key("web", mina)));
  CHECK(sure(store->api_keys()).size() == 1);
  CHECK(told(*store) == Lines{"key.create web", "key.create bot", "key.revoke web"});
}

// --- Revocations ---------------------------------------------------------------------------------

TEST_CASE("revocations hold until their end, are replaced and lifted", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  sure(store->revoke({.kind = RevokedName::username,
                      .name = "1795219200:alice",
                      .until = noon + seconds{10},
                      .reason = "lost phone"},
                     mina));
  sure(store->revoke({.kind = RevokedName::account, .name = "bob"}, mina));
  sure(store->revoke({.kind = RevokedName::account, .name = "alice"}, mina));

  auto held = sure(store->revocations(noon + seconds{9}));
  REQUIRE(held.size() == 3);
  CHECK(held[0].name == "alice");
  CHECK(held[0].since == noon);
  CHECK_FALSE(held[0].until);
  CHECK(held[2].kind == RevokedName::username);
  CHECK(held[2].until == noon + seconds{10});
  CHECK(held[2].reason == "lost phone");
  CHECK(sure(store->revocations(noon + seconds{10})).size() == 2);

  sure(store->revoke({.kind = RevokedName::account, .name = "bob", .until = noon + seconds{5}},
                     mina));
  CHECK(sure(store->revocations(noon + seconds{5})).size() == 2);
  const std::uint64_t before = sure(store->change_counter());
  CHECK(sure(store->remove_ended_revocations(noon + seconds{5})) == 1);
  CHECK(sure(store->change_counter()) == before);

  CHECK(sure(store->restore(RevokedName::account, "alice", mina)));
  CHECK_FALSE(sure(store->restore(RevokedName::account, "alice", mina)));
  CHECK_FALSE(sure(store->restore(RevokedName::account, "1795219200:alice", mina)));
  CHECK(told(*store, before) == Lines{"credential.restore alice"});
}

// --- What was changed ----------------------------------------------------------------------------

TEST_CASE("the counter rises with each change, also of another process", "[store]") {
  const StoreFiles files;
  const auto server = files.open();
  const auto command = files.open();
  CHECK(sure(server->change_counter()) == 0);
  CHECK(sure(command->add_user(user_named("alice"), mina)));
  CHECK(sure(server->change_counter()) == 1);
  CHECK(sure(server->change_counter()) == 1);
  CHECK(sure(server->find_user("alice")));
  CHECK(sure(server->remove_user("alice", mina)));
  CHECK(sure(server->change_counter()) == 2);
  CHECK(sure(command->change_counter()) == 2);
  CHECK_FALSE(sure(command->remove_user("alice", mina)));
  CHECK(sure(server->change_counter()) == 2);
}

TEST_CASE("usage does not count as a change", "[store]") {
  const StoreFiles files;
  const auto server = files.open();
  const auto other = files.open();
  const std::vector<UsageRecord> records{used("alice", noon, 1)};
  sure(server->append_usage(records));
  sure(other->append_usage(records));
  CHECK(sure(server->change_counter()) == 0);
}

TEST_CASE("the audit log has the latest first, and what others record", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  CHECK(sure(store->add_user(user_named("alice"), mina)));
  sure(store->record("allocation.kill", "3-1742", "asked for", {"key web", noon + seconds{1}}));
  const auto latest = sure(store->audit(1000, 1));
  REQUIRE(latest.size() == 1);
  CHECK(latest[0].number == 2);
  CHECK(latest[0].who == "key web");
  CHECK(latest[0].action == "allocation.kill");
  CHECK(latest[0].subject == "3-1742");
  CHECK(latest[0].detail == "asked for");
  const auto earlier = sure(store->audit(latest[0].number, 10));
  REQUIRE(earlier.size() == 1);
  CHECK(earlier[0].who == "uid 1000 (mina)");
  CHECK(earlier[0].when == noon);
}

TEST_CASE("the audit log keeps the latest entries, and their numbers go on", "[store]") {
  const StoreFiles files;
  const auto other = files.open();
  auto database = std::make_unique<Database>(files.path());
  Seal seal = find_seal(*database, files.location().key_file);
  constexpr std::uint64_t kept = 3;
  SqliteStore store{std::move(database), std::move(seal), files.location().key_file, kept};
  for (const char* const name : {"a", "b", "c", "d", "e"}) {
    CHECK(sure(store.add_user(user_named(name), mina)));
  }
  const auto log = sure(store.audit(1000, 1000));
  REQUIRE(log.size() == kept);
  CHECK(log.front().number == 5);
  CHECK(log.back().subject == "c");
  CHECK(sure(store.change_counter()) == 5);
  CHECK(told(store, 1) == Lines{"user.add c: realm example.com", "user.add d: realm example.com",
                                "user.add e: realm example.com"});
  CHECK(sure(store.user_count()) == 5);
  CHECK(sure(other->change_counter()) == 5);

  const std::vector<StoredUser> many{user_named("f"), user_named("g"), user_named("h"),
                                     user_named("i")};
  CHECK(sure(store.add_users(many, mina)) == 4);  // more at once than are kept
  CHECK(sure(store.audit(1000, 1000)).size() == kept);
  CHECK(sure(store.change_counter()) == 9);
}

// --- What was used -------------------------------------------------------------------------------

TEST_CASE("usage is listed by time and summed by account", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  const std::vector<UsageRecord> records{used("alice", noon, 100), used("bob", noon, 1),
                                         used("alice", noon + seconds{1}, 10),
                                         used("carol", noon + seconds{9}, 1)};
  sure(store->append_usage(records));
  sure(store->append_usage({}));

  const TimeSpan morning{noon, noon + seconds{9}};
  const auto all = sure(store->usage(morning, "", 0, 10));
  REQUIRE(all.size() == 3);
  CHECK(all[0].ended == noon + seconds{1});
  CHECK(all[1].account == "bob");
  CHECK(all[2].username == "1795219200:alice");
  CHECK(all[2].client == "203.0.113.0");
  CHECK(all[2].started == noon - seconds{60});
  CHECK(all[2].bytes_to_peer == 100);
  CHECK(all[2].bytes_to_client == 200);
  CHECK(all[2].packets_to_client == 2);
  CHECK(all[2].reason == "expired");
  CHECK(sure(store->usage(morning, "", 1, 1)).at(0).account == "bob");
  CHECK(sure(store->usage(morning, "alice", 0, 10)).size() == 2);
  CHECK(sure(store->usage({}, "", 0, 10)).size() == 4);

  const auto sums = sure(store->usage_by_account(morning, 10));
  REQUIRE(sums.size() == 2);
  CHECK(sums[0].account == "alice");
  CHECK(sums[0].allocations == 2);
  CHECK(sums[0].duration == seconds{120});
  CHECK(sums[0].packets_to_peer == 2);
  CHECK(sums[0].bytes_to_peer == 110);
  CHECK(sums[0].packets_to_client == 4);
  CHECK(sums[0].bytes_to_client == 220);
  CHECK(sums[1].account == "bob");
  CHECK(sure(store->usage_by_account(morning, 1)).size() == 1);

  CHECK(sure(store->remove_usage_before(noon + seconds{1})) == 2);
  CHECK(sure(store->usage({}, "", 0, 10)).size() == 2);
}

TEST_CASE("what lived when the server died is a record up to when it was last seen", "[store]") {
  const StoreFiles files;
  const auto named = [](const std::string& allocation, UsageRecord record) {
    record.allocation = allocation;
    record.reason = "";
    return record;
  };
  {
    const auto store = files.open();
    const std::vector<UsageRecord> seen{named("0-1", used("alice", noon, 1)),
                                        named("0-2", used("bob", noon, 2)),
                                        named("1-1", used("carol", noon, 4))};
    sure(store->note_live_usage(seen));
    CHECK(sure(store->usage({}, "", 0, 10)).empty());
    // Seen again, with more; and one has come to its end.
    const std::vector<UsageRecord> again{named("0-1", used("alice", noon + seconds{10}, 100))};
    sure(store->note_live_usage(again));
    auto ended = named("0-2", used("bob", noon + seconds{5}, 3));
    ended.reason = "deleted";
    sure(store->append_usage(std::vector{ended}));
  }
  const auto store = files.open();
  CHECK(sure(store->settle_live_usage()) == 2);
  const auto records = sure(store->usage({}, "", 0, 10));
  REQUIRE(records.size() == 3);
  CHECK(records[0].allocation == "0-1");
  CHECK(records[0].reason == "crashed");
  CHECK(records[0].ended == noon + seconds{10});
  CHECK(records[0].started == noon - seconds{50});
  CHECK(records[0].bytes_to_peer == 100);
  CHECK(records[1].reason == "deleted");
  CHECK(records[2].account == "carol");
  CHECK(sure(store->settle_live_usage()) == 0);
  CHECK(sure(store->change_counter()) == 0);
}

TEST_CASE("counts beyond 63 bits become the largest that can be kept", "[store]") {
  const StoreFiles files;
  const auto store = files.open();
  const std::vector<UsageRecord> records{used("alice", noon, 0xffff'ffff'ffff'ffffU)};
  sure(store->append_usage(records));
  CHECK(sure(store->usage({}, "", 0, 1))[0].bytes_to_peer == 0x7fff'ffff'ffff'ffffU);
}

}  // namespace turnpike::test
