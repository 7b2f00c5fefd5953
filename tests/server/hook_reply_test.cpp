#include "server/hook_reply.h"

#include "catch.h"

namespace turnpike::server {
namespace {

HookReply read(long status, std::string_view body) {
  return read_hook_reply(status, body, "dora", "example.org");
}

}  // namespace

TEST_CASE("the hook is told who is asked for", "[server]") {
  CHECK(hook_question("do\"ra", "example.org") == R"({"username":"do\"ra","realm":"example.org"})");
}

TEST_CASE("the hook may say a password", "[server]") {
  const auto user = std::get<HookUser>(
      read(200, R"({"password":"explorer","ttl":30,"max_allocations":2,"bandwidth":4000000})"));
  using stun::PasswordAlgorithm;
  CHECK(user.md5 == auth::long_term_key(PasswordAlgorithm::md5, "dora", "example.org", "explorer"));
  CHECK(user.sha256 ==
        auth::long_term_key(PasswordAlgorithm::sha256, "dora", "example.org", "explorer"));
  CHECK(user.ttl == seconds{30});
  CHECK(user.limits == auth::UserLimits{2, 4'000'000});
}

TEST_CASE("the hook may say keys, and keep the password to itself", "[server]") {
  const auto user = std::get<HookUser>(
      read(200, R"({"keys":{"md5":"00112233445566778899aabbccddEEFF"},"future":1})"));
  CHECK(user.md5.size() == 16);
  CHECK(user.md5[15] == 0xff);
  CHECK(user.sha256.empty());
  CHECK_FALSE(user.ttl);
}

TEST_CASE("the hook may know no such user", "[server]") {
  CHECK(std::holds_alternative<HookNobody>(read(404, "whatever")));
  CHECK(std::get<HookNobody>(read(200, R"({"unknown":true,"ttl":5})")).ttl == seconds{5});
}

TEST_CASE("an answer that makes no sense lets nobody in", "[server]") {
  for (const char* body :
       {"", "[]", "{}", R"({"password":""})", R"({"password":5})",
        R"({"password":"x","keys":{"md5":"00112233445566778899aabbccddeeff"}})", R"({"keys":{}})",
        R"({"keys":{"md5":"0011"}})", R"({"keys":{"sha1":"00"}})", R"({"keys":"x"})",
        R"({"keys":{"md5":"g0112233445566778899aabbccddeeff"}})", R"({"password":"x","ttl":-1})",
        R"({"password":"x","ttl":99999999999})", R"({"password":"x","bandwidth":"4mbit"})",
        R"({"password":"x","max_allocations":1.5})", R"({"password":"x","password":"y"})"}) {
    CAPTURE(body);
    CHECK(std::holds_alternative<HookNonsense>(read(200, body)));
  }
  for (const long status : {0L, 201L, 302L, 401L, 500L}) {
    CAPTURE(status);
    CHECK(std::holds_alternative<HookNonsense>(read(status, R"({"password":"x"})")));
  }
}

}  // namespace turnpike::server
