#include "turn/peer_connection.h"

#include "catch.h"
#include "turn/spelled.h"

namespace turnpike::turn {
namespace {

using spelled::endpoint;

PeerConnection& add(PeerConnectionTable& table) {
  PeerConnection& connection = table.create(5, endpoint("203.0.113.9:80"));
  connection.state = PeerConnection::State::waiting;
  return connection;
}

}  // namespace

TEST_CASE("a connection is found by its id until it is gone", "[turn][rfc6062]") {
  PeerConnectionTable table;
  PeerConnection& connection = add(table);
  const PeerConnectionId id = connection.id();
  CHECK(table.find(id) == &connection);
  CHECK(&table.at(id.slot) == &connection);
  CHECK(connection.allocation == 5);
  CHECK(connection.peer == endpoint("203.0.113.9:80"));
  CHECK(table.size() == 1);
  table.destroy(connection);
  CHECK(table.find(id) == nullptr);
  CHECK(table.size() == 0);
}

TEST_CASE("an id is never used again, its slot is", "[turn][rfc6062]") {
  PeerConnectionTable table;
  PeerConnection& first = add(table);
  const PeerConnectionId old = first.id();
  first.number = 7;
  table.destroy(first);
  PeerConnection& second = add(table);
  CHECK(second.slot == old.slot);
  CHECK(second.number == 0);
  CHECK_FALSE(second.id() == old);
  CHECK(table.find(old) == nullptr);
}

TEST_CASE("ids of nothing find nothing", "[turn][rfc6062]") {
  PeerConnectionTable table;
  CHECK(table.find({0, 0}) == nullptr);
  add(table);
  CHECK(table.find({1, 0}) == nullptr);
  CHECK(table.find({0, 1}) == nullptr);
}

}  // namespace turnpike::turn
