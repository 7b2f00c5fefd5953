// Users that are not in the configuration: their first request waits until somebody has said who
// they are.
#include "catch.h"
#include "turn/world.h"

namespace turnpike::test {

namespace {

WorldSettings asking(std::uint8_t workers = 1) {
  WorldSettings settings;
  settings.asks_for_users = true;
  settings.mobility = true;
  settings.workers = workers;
  return settings;
}

constexpr const char* home_address = "198.51.100.7:4000";

}  // namespace

TEST_CASE("the request of a user who is not known waits, and is answered when he is",
          "[turn][rfc8489-9.2.4]") {
  World world{asking()};
  auto dora = world.client(home_address).is("dora", "explorer");
  dora.log_in();
  const Reply first = dora.allocate();
  CHECK(first.code() == silence);
  CHECK(first.reason == Reason::parked);
  CHECK(world.asked() == std::vector<std::string>{"dora"});
  CHECK(world.balance().allocations == 0);

  CHECK(world.answer_user("dora", "explorer") == Reason::answered_allocate);
  CHECK(dora.receive().value().code() == ok);
  CHECK(dora.refresh().code() == ok);  // nobody is asked again
  CHECK(world.asked().empty());
}

TEST_CASE("a user whom nobody knows is refused, and asked for once", "[turn][rfc8489-9.2.4]") {
  World world{asking()};
  auto mallory = world.client(home_address).is("mallory", "guess");
  mallory.log_in();
  CHECK(mallory.allocate().reason == Reason::parked);
  CHECK(world.answer_user("mallory", std::nullopt) == Reason::refused_unknown_user);
  CHECK(mallory.receive().value().code() == 401);
  CHECK(mallory.request_once(Method::allocate).code() == 401);
  CHECK(world.asked().empty());
}

TEST_CASE("the answer says what the password is, and another one is refused",
          "[turn][rfc8489-9.2.4]") {
  World world{asking()};
  auto dora = world.client(home_address).is("dora", "guess");
  dora.log_in();
  CHECK(dora.allocate().reason == Reason::parked);
  CHECK(world.answer_user("dora", "explorer") == Reason::refused_wrong_password);
  CHECK(dora.receive().value().code() == 401);
}

TEST_CASE("a retransmission meanwhile waits too, and one allocation comes of it",
          "[turn][rfc8656-7.2]") {
  World world{asking()};
  auto dora = world.client(home_address).is("dora", "explorer");
  dora.log_in();
  CHECK(dora.allocate().reason == Reason::parked);
  CHECK(dora.repeat().reason == Reason::parked);
  CHECK(world.answer_user("dora", "explorer") == Reason::answered_allocate_again);
  CHECK(dora.receive().value().code() == ok);
  CHECK(dora.receive().value().code() == ok);
  CHECK(world.balance().allocations == 1);
}

TEST_CASE("what was said is forgotten when it may not be true any more", "[turn]") {
  World world{asking()};
  auto dora = world.client(home_address).is("dora", "explorer");
  dora.log_in();
  CHECK(dora.allocate().reason == Reason::parked);
  world.answer_user("dora", "explorer");
  CHECK(dora.receive().value().code() == ok);
  world.server().forget_users();
  CHECK(dora.refresh().reason == Reason::parked);
  CHECK(world.answer_user("dora", "another") == Reason::refused_wrong_password);
  CHECK(dora.receive().value().code() == 401);
}

TEST_CASE("a user who moves to another worker is asked for there", "[turn][rfc8016]") {
  World world{asking(2)};
  auto dora = world.client(home_address).is("dora", "explorer");
  dora.log_in();
  CHECK(dora.allocate(with_raw(0x8030, {})).reason == Reason::parked);
  world.answer_user("dora", "explorer");
  const Reply allocated = dora.receive().value();
  const std::string ticket = allocated.text(AttributeType{0x8030});

  auto away = world.client("198.51.100.99:5000").at(1).is("dora", "explorer");
  away.log_in();
  CHECK(away.refresh(600s, with_raw(0x8030, copy_of(bytes_of(ticket)))).reason == Reason::parked);
  CHECK(world.asked() == std::vector<std::string>{"dora"});

  // Home knows her no more by the time the move comes there, and asks as well.
  world.server(0).forget_users();
  CHECK(world.answer_user("dora", "explorer") == Reason::relayed_to_home);
  CHECK(world.asked() == std::vector<std::string>{"dora"});
  CHECK(world.balance().guests == 1);
  world.advance(5s);  // longer than those find their answers who have been let go

  SECTION("and has the answer") {
    CHECK(world.answer_user("dora", "explorer") == Reason::answered_move);
    CHECK(away.receive().value().code() == ok);
    CHECK(away.permit("8.8.8.8").code() == ok);
    CHECK(away.send("8.8.8.8:5000", "x") == Reason::relayed_to_peer);
    CHECK(world.balance().guests == 1);
  }
  SECTION("and hears that there is no such user") {
    CHECK(world.answer_user("dora", std::nullopt) == Reason::refused_wrong_user);
    CHECK(away.receive().value().code() == 441);
    CHECK(world.balance().guests == 0);
  }
  SECTION("and hears nothing") {
    world.give_up_user("dora");
    CHECK(world.balance().guests == 0);
    CHECK(world.asked().empty());
  }
}

}  // namespace turnpike::test
