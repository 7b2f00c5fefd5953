// What workers tell the thread that serves HTTP, and when it is woken for it.
#include "server/control_inbox.h"

#include "catch.h"

namespace turnpike::server {
namespace {

/// A reader who is never asleep: that it would have been woken shows in its poller.
struct Reader {
  Reader() { inbox.attach(poller); }
  void opened() { inbox.on_opened({}, {}); }
  void closed() { inbox.on_closed({}, turn::CloseReason::expired, {}); }
  [[nodiscard]] bool is_woken() { return !poller.poll().empty(); }

  net::Poller poller;
  ControlInbox inbox;
};

}  // namespace

TEST_CASE("openings and ends are no news while nobody wants them", "[server][control]") {
  Reader reader;
  reader.opened();
  reader.closed();
  CHECK_FALSE(reader.is_woken());
  CHECK(reader.inbox.collect().empty());

  reader.inbox.want_allocations(true);
  reader.opened();
  CHECK(reader.is_woken());
  CHECK(reader.inbox.collect().size() == 1);

  reader.inbox.want_allocations(false);
  reader.closed();
  CHECK(reader.inbox.collect().empty());
  CHECK(reader.inbox.lost() == 0);
}

TEST_CASE("many openings and ends wake the reader once, until it comes and finds nothing",
          "[server][control]") {
  Reader reader;
  reader.inbox.want_allocations(true);
  reader.opened();
  CHECK(reader.is_woken());
  reader.closed();
  CHECK_FALSE(reader.is_woken());
  CHECK(reader.inbox.collect().size() == 2);

  reader.opened();  // the reader comes again by itself
  CHECK_FALSE(reader.is_woken());
  CHECK(reader.inbox.collect().size() == 1);

  CHECK(reader.inbox.collect().empty());  // it came again, and does not any more
  reader.closed();
  CHECK(reader.is_woken());
  CHECK(reader.inbox.collect().size() == 1);
}

TEST_CASE("an answer wakes the reader whether or not it comes by itself", "[server][control]") {
  Reader reader;
  reader.inbox.want_allocations(true);
  reader.opened();
  REQUIRE(reader.is_woken());
  REQUIRE(reader.inbox.collect().size() == 1);
  reader.closed();
  REQUIRE_FALSE(reader.is_woken());
  reader.inbox.deliver(WorkerAnswer{});
  CHECK(reader.is_woken());
  reader.inbox.deliver(WorkerAnswer{});
  CHECK_FALSE(reader.is_woken());
  const auto news = reader.inbox.collect();
  REQUIRE(news.size() == 3);
  CHECK(std::holds_alternative<ClosedNews>(news.front()));
}

TEST_CASE("openings and ends that find no room are counted, and answers are never lost",
          "[server][control]") {
  Reader reader;
  reader.inbox.want_allocations(true);
  for (std::size_t i = 0; i < ControlInbox::max_waiting + 2; ++i) reader.opened();
  reader.inbox.deliver(WorkerAnswer{});
  CHECK(reader.inbox.lost() == 2);
  CHECK(reader.inbox.collect().size() == ControlInbox::max_waiting + 1);
}

}  // namespace turnpike::server
