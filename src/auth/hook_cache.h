// What the operator's hook has said of users, and whether it is worth asking again.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "auth/name_cache.h"
#include "auth/user_answer.h"

namespace turnpike::auth {

/// Remembers answers, stands in with old ones while the hook does not answer, and leaves a hook
/// alone that has failed several times in a row: then one question is let through now and again,
/// and the first that is answered ends the pause (a circuit breaker).
class HookCache {
 public:
  struct Settings {
    seconds ttl{60};           ///< how long a user is known, unless the hook says less
    seconds negative_ttl{10};  ///< how long it is known that there is no such user
    seconds stale_ttl{3600};   ///< how long after that an answer may stand in for a missing one
    seconds stale_retry{5};    ///< how long it then does, before the hook is asked again
    unsigned failures_to_pause = 5;  ///< in a row
    seconds pause{10};
    std::size_t capacity = 65'536;  ///< users
    HashSeed hash_seed;
  };
  explicit HookCache(const Settings& settings)
      : settings_(settings), known_(settings.capacity, settings.hash_seed) {}

  enum class Step : std::uint8_t {
    ask,     ///< the hook; then on_answer() or on_failure()
    answer,  ///< as `answer` says
    fail,    ///< there is no knowing
  };
  struct Decision {
    Step step;
    UserAnswer answer{};
  };
  [[nodiscard]] Decision on_question(std::string_view username, Instant now);

  /// The hook has said: keys and limits, or that there is no such user. `ttl`: how long that holds
  /// by its own word. Returns the answer to pass on.
  UserAnswer on_answer(std::string_view username, std::optional<UserKeys> keys,
                       const UserLimits& limits, std::optional<seconds> ttl, Instant now);
  /// The hook has not answered, or nothing that makes sense. Returns an old answer, if there is
  /// one.
  [[nodiscard]] std::optional<UserAnswer> on_failure(std::string_view username, Instant now);

  /// False while the hook is left alone.
  [[nodiscard]] bool is_asking(Instant now) const {
    return !paused_until_ || *paused_until_ <= now;
  }
  /// False: no user is remembered whose old answer could stand in for a missing one.
  [[nodiscard]] bool may_stand_in(Instant now) const { return stands_in_until_ > now; }

 private:
  struct Known {
    UserAnswer answer;
    Instant stale_until;
  };
  [[nodiscard]] std::optional<UserAnswer> stand_in(std::string_view username, Instant now);

  const Settings settings_;
  NameCache<Known> known_;
  Instant stands_in_until_{};            // of the answer that may do so longest
  unsigned failures_ = 0;                // in a row
  std::optional<Instant> paused_until_;  // set from the first pause until the next answer
};

}  // namespace turnpike::auth
