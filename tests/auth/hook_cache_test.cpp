// What the server remembers of its operator's hook, in virtual time.
#include "auth/hook_cache.h"

#include "catch.h"

namespace turnpike::auth {
namespace {

using Step = HookCache::Step;
using namespace std::chrono_literals;

constexpr Instant start{1'000'000s};

UserKeys some_keys() {
  UserKeys keys;
  keys.md5.emplace(bytes_of(std::string_view{"0123456789abcdef"}));
  return keys;
}

HookCache::Settings settings() {
  HookCache::Settings settings;
  settings.capacity = 64;
  settings.hash_seed = HashSeed{7};
  return settings;
}

/// Five failures in a row, about somebody else.
void break_down(HookCache& cache, Instant now) {
  for (int i = 0; i < 5; ++i) {
    CHECK(cache.on_question("other", now).step == Step::ask);
    CHECK_FALSE(cache.on_failure("other", now));
  }
}

}  // namespace

TEST_CASE("the hook is asked once, and its answer holds for its time", "[auth]") {
  HookCache cache{settings()};
  CHECK(cache.on_question("dora", start).step == Step::ask);
  const auto answer = cache.on_answer("dora", some_keys(), {.max_allocations = 2}, {}, start);
  CHECK(answer.keys);
  CHECK(answer.valid_until == start + 60s);
  const auto again = cache.on_question("dora", start + 59s);
  CHECK(again.step == Step::answer);
  CHECK(again.answer.keys);
  CHECK(again.answer.limits.max_allocations == 2U);
  CHECK(again.answer.valid_until == start + 60s);
  CHECK(cache.on_question("dora", start + 60s).step == Step::ask);
  CHECK(cache.on_question("boots", start).step == Step::ask);
}

TEST_CASE("that there is no such user is remembered for a shorter time", "[auth]") {
  HookCache cache{settings()};
  const auto answer = cache.on_answer("mallory", std::nullopt, {}, {}, start);
  CHECK_FALSE(answer.keys);
  CHECK(cache.on_question("mallory", start + 9s).step == Step::answer);
  CHECK(cache.on_question("mallory", start + 10s).step == Step::ask);
}

TEST_CASE("the hook may want to be asked sooner, and not later", "[auth]") {
  HookCache cache{settings()};
  cache.on_answer("dora", some_keys(), {}, 5s, start);
  CHECK(cache.on_question("dora", start + 5s).step == Step::ask);
  cache.on_answer("dora", some_keys(), {}, 86400s, start);
  CHECK(cache.on_question("dora", start + 60s).step == Step::ask);
  CHECK(cache.on_answer("dora", some_keys(), {}, 0s, start).valid_until == start + 1s);
  CHECK(cache.on_question("dora", start).step == Step::ask);
}

TEST_CASE("while the hook does not answer, what it said before stands in", "[auth]") {
  HookCache cache{settings()};
  cache.on_answer("dora", some_keys(), {}, {}, start);
  const Instant later = start + 60s;
  CHECK(cache.on_question("dora", later).step == Step::ask);
  const auto old = cache.on_failure("dora", later);
  REQUIRE(old);
  CHECK(old->keys);
  CHECK(old->valid_until == later + 5s);
  CHECK_FALSE(cache.on_failure("dora", start + 60s + 3600s));
  CHECK_FALSE(cache.on_failure("boots", later));
}

TEST_CASE("it is known whether anything could stand in", "[auth]") {
  HookCache cache{settings()};
  CHECK_FALSE(cache.may_stand_in(start));
  static_cast<void>(cache.on_answer("mallory", std::nullopt, {}, {}, start));
  CHECK_FALSE(cache.may_stand_in(start));
  static_cast<void>(cache.on_answer("dora", some_keys(), {}, {}, start));
  static_cast<void>(cache.on_answer("boots", some_keys(), {}, 1s, start + 5s));
  CHECK(cache.may_stand_in(start + 60s + 3599s));
  CHECK_FALSE(cache.may_stand_in(start + 60s + 3600s));
}

TEST_CASE("that there was no such user never stands in", "[auth]") {
  HookCache cache{settings()};
  cache.on_answer("mallory", std::nullopt, {}, {}, start);
  CHECK_FALSE(cache.on_failure("mallory", start + 10s));
}

TEST_CASE("a hook that fails again and again is left alone, and tried now and then", "[auth]") {
  HookCache cache{settings()};
  cache.on_answer("dora", some_keys(), {}, {}, start);
  const Instant broken = start + 100s;
  break_down(cache, broken);
  CHECK_FALSE(cache.is_asking(broken));
  CHECK(cache.on_question("boots", broken).step == Step::fail);
  const auto old = cache.on_question("dora", broken);
  CHECK(old.step == Step::answer);
  CHECK(old.answer.keys);

  const Instant trial = broken + 10s;
  CHECK(cache.on_question("boots", trial).step == Step::ask);
  CHECK(cache.on_question("swiper", trial).step == Step::fail);  // one trial at a time
  CHECK_FALSE(cache.on_failure("boots", trial + 2s));
  CHECK(cache.on_question("boots", trial + 11s).step == Step::fail);
  CHECK(cache.on_question("boots", trial + 12s).step == Step::ask);
  cache.on_answer("boots", some_keys(), {}, {}, trial + 12s);
  CHECK(cache.is_asking(trial + 12s));
  CHECK(cache.on_question("swiper", trial + 12s).step == Step::ask);
}

TEST_CASE("failures count only in a row", "[auth]") {
  HookCache cache{settings()};
  for (int i = 0; i < 20; ++i) {
    CHECK(cache.on_question("other", start).step == Step::ask);
    if (i % 4 == 3) {
      cache.on_answer("other", std::nullopt, {}, 0s, start);
    } else {
      CHECK_FALSE(cache.on_failure("other", start));
    }
  }
  CHECK(cache.is_asking(start));
}

}  // namespace turnpike::auth
