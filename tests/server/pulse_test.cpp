#include "server/pulse.h"

#include "catch.h"

using namespace turnpike;
using namespace turnpike::server;

TEST_CASE("a pulse beats once every thread has taken a turn since the last beat", "[server]") {
  RelaxedCounter first;
  RelaxedCounter second;
  Pulse pulse;
  int woken = 0;
  pulse.watch(first, [] {});
  pulse.watch(second, [&] { ++woken; });

  CHECK_FALSE(pulse.beats());
  CHECK(woken == 1);
  ++first;
  CHECK_FALSE(pulse.beats());  // the second is missing, and asked again
  CHECK(woken == 2);
  ++second;
  CHECK(pulse.beats());
  CHECK(woken == 3);  // for the next time
  CHECK_FALSE(pulse.beats());
}

TEST_CASE("a thread that moved before and hangs now stops the pulse", "[server]") {
  RelaxedCounter hanging;
  RelaxedCounter working;
  Pulse pulse;
  pulse.watch(hanging, [] {});
  pulse.watch(working, [&] { ++working; });
  ++hanging;
  ++working;
  CHECK(pulse.beats());
  for (int i = 0; i < 5; ++i) CHECK_FALSE(pulse.beats());
}

TEST_CASE("idle threads that turn when woken beat every time", "[server]") {
  RelaxedCounter idle;
  Pulse pulse;
  pulse.watch(idle, [&] { ++idle; });
  CHECK_FALSE(pulse.beats());
  for (int i = 0; i < 5; ++i) CHECK(pulse.beats());
  CHECK(Pulse{}.beats());
}
