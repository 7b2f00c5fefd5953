#include "signaling/webhook.h"

#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("the webhook is asked in JSON", "[signaling]") {
  CHECK(to_json({"demo", "tok\"en", "Mina", R"({"cam":true})", IpAddress::v4(0xc0000201),
                 "https://app.example"}) ==
        R"({"type":"join","room":"demo","token":"tok\"en","name":"Mina","meta":{"cam":true},)"
        R"("address":"192.0.2.1","origin":"https://app.example"})");
}

TEST_CASE("the webhook's answer is read", "[signaling]") {
  const auto full = parse_webhook_answer(
      R"({"allow":true,"name":"Mina","role":"owner","max":3,"iceTtl":120,"more":[1]})");
  REQUIRE(full);
  CHECK(full->allow);
  CHECK(full->name == "Mina");
  CHECK(full->role == Role::owner);
  CHECK(full->max == 3);
  CHECK(full->ice_ttl == seconds{120});

  const auto bare = parse_webhook_answer(R"({"allow":false})");
  REQUIRE(bare);
  CHECK_FALSE(bare->allow);
  CHECK(bare->role == Role::member);
  CHECK_FALSE(bare->max);
  CHECK_FALSE(bare->ice_ttl);
  CHECK(parse_webhook_answer(R"({"allow":true,"max":1000})")->max == 64);
}

TEST_CASE("an answer that makes no sense is none", "[signaling]") {
  const auto body = GENERATE(as<std::string>{}, "", "ok", "[]", "{}", R"({"allow":"yes"})",
                             R"({"allow":1})", R"({"allow":null})", R"({"allow":true,"name":7})",
                             R"({"allow":true,"role":"admin"})", R"({"allow":true,"max":0})",
                             R"({"allow":true,"iceTtl":0})", R"({"allow":true,"iceTtl":"1h"})",
                             R"({"allow":true,"allow":false})");
  CAPTURE(body);
  CHECK_FALSE(parse_webhook_answer(body));
}

TEST_CASE("an answer is not read without end", "[signaling]") {
  const std::string start = R"({"allow":true,"x":")";
  CHECK(parse_webhook_answer(start + std::string(16'384 - start.size() - 2, 'x') + "\"}"));
  CHECK_FALSE(parse_webhook_answer(start + std::string(16'384 - start.size() - 1, 'x') + "\"}"));
}

}  // namespace turnpike::signaling::test
