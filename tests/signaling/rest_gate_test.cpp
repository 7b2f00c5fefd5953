#include "signaling/rest_gate.h"

#include "catch.h"
#include "signaling/rest_house.h"

namespace turnpike::signaling::test {

TEST_CASE("the operator of the host needs no key, and brings none", "[signaling]") {
  RestHouse house;
  house.peer = Doors::Peer::operator_of_host;
  CHECK(house.ask_bare("GET", "/v1/node", "").status == 200);
  CHECK(house.ask_bare("GET", "/v1/rooms", "").status == 200);
  const Answer token =
      house.ask_bare("POST", "/v1/rooms/demo/tokens", "Content-Type: application/json\r\n", "{}");
  CHECK(token.status == 409);  // there is no key to sign with
}

TEST_CASE("a key in the query is looked at where the convention has it alone", "[signaling]") {
  RestHouse house;
  const std::string key = "key=" + std::string{api_secret};
  CHECK(house.ask_bare("GET", "/turn?service=turn&" + key, "").status == 200);
  CHECK(house.ask_bare("GET", "/v1/node?" + key, "").status == 401);
}

}  // namespace turnpike::signaling::test
