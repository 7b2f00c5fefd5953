#include "client/transaction.h"

#include <vector>

#include "catch.h"

using namespace turnpike;
using client::RetransmissionTimers;
using client::Transaction;
using Step = Transaction::Step;

namespace {

constexpr Instant start{std::chrono::hours{1}};
constexpr stun::TransactionId an_id{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

std::int64_t since_start(Instant instant) {
  return std::chrono::duration_cast<milliseconds>(instant - start).count();
}

/// Runs an unanswered transaction and gives the times of its transmissions, then that of its end.
std::vector<std::int64_t> schedule(RetransmissionTimers timers) {
  Transaction transaction{an_id, timers};
  transaction.on_start(start);
  std::vector<std::int64_t> times{0};
  while (const auto deadline = transaction.next_deadline()) {
    times.push_back(since_start(*deadline));
    const Step step = transaction.on_deadline(*deadline);
    CHECK(step == (transaction.next_deadline() ? Step::send_again : Step::timed_out));
  }
  return times;
}

}  // namespace

TEST_CASE("an unanswered request is sent at the times of RFC 8489 §6.2.1",
          "[client][rfc8489-6.2.1]") {
  CHECK(schedule({}) == std::vector<std::int64_t>{0, 500, 1500, 3500, 7500, 15500, 31500, 39500});
}

TEST_CASE("RTO, Rc and Rm can be configured", "[client][rfc8489-6.2.1]") {
  CHECK(schedule({milliseconds{100}, 3, 4}) == std::vector<std::int64_t>{0, 100, 300, 700});
  CHECK(schedule({milliseconds{100}, 1, 16}) == std::vector<std::int64_t>{0, 1600});
}

TEST_CASE("nothing is due before the start, between deadlines and after the end", "[client]") {
  Transaction transaction{an_id};
  CHECK_FALSE(transaction.next_deadline());
  CHECK(transaction.on_deadline(start) == Step::wait);
  transaction.on_start(start);
  CHECK(transaction.on_deadline(start + milliseconds{499}) == Step::wait);
  CHECK(transaction.transmissions() == 1);
  (void)transaction.on_response(start + milliseconds{499});
  CHECK_FALSE(transaction.next_deadline());
  CHECK(transaction.on_deadline(start + milliseconds{500}) == Step::wait);
}

TEST_CASE("a late wake-up sends once and waits in full", "[client]") {
  Transaction transaction{an_id};
  transaction.on_start(start);
  CHECK(transaction.on_deadline(start + seconds{5}) == Step::send_again);
  CHECK(since_start(*transaction.next_deadline()) == 6000);
}

TEST_CASE("only the response with the transaction's id matches, and only once", "[client]") {
  Transaction transaction{an_id};
  CHECK_FALSE(transaction.matches(an_id));
  transaction.on_start(start);
  stun::TransactionId other = an_id;
  other.back() ^= 1;
  CHECK(transaction.matches(an_id));
  CHECK_FALSE(transaction.matches(other));
  (void)transaction.on_response(start + milliseconds{20});
  CHECK_FALSE(transaction.matches(an_id));
}

TEST_CASE("a round-trip time is measured only without retransmission (Karn)",
          "[client][rfc8489-6.2.1]") {
  Transaction answered{an_id};
  answered.on_start(start);
  CHECK(answered.on_response(start + milliseconds{20}) == nanoseconds{milliseconds{20}});

  Transaction repeated{an_id};
  repeated.on_start(start);
  (void)repeated.on_deadline(start + milliseconds{500});
  CHECK_FALSE(repeated.on_response(start + milliseconds{520}));
}
