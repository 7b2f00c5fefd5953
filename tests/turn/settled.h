// A world with one allocation that has a permission and a channel, for the tests of snapshots.
#pragma once

#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

struct Settled {
  Settled() {
    REQUIRE(alice.allocate().code() == ok);
    REQUIRE(alice.permit("8.8.8.8").code() == ok);
    REQUIRE(alice.bind_channel(0x4000, "9.9.9.9:5000").code() == ok);
  }

  World world;
  Client alice = world.client("198.51.100.7:4000");
};

}  // namespace turnpike::test
