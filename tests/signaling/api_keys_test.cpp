#include "signaling/api_keys.h"

#include "catch.h"

namespace turnpike::signaling::test {
namespace {

const std::string web_secret = "0123456789abcdef0123456789abcdef";
const std::string bot_secret = "fedcba9876543210fedcba9876543210";

FixedApiKeys two_keys() { return FixedApiKeys{{{"web", web_secret}, {"bot", bot_secret}}}; }

}  // namespace

TEST_CASE("an API key is found by its secret, and by nothing that is only like it", "[signaling]") {
  const FixedApiKeys keys = two_keys();
  REQUIRE(keys.find_presented(web_secret) != nullptr);
  CHECK(keys.find_presented(web_secret)->id == "web");
  REQUIRE(keys.find_presented(bot_secret) != nullptr);
  CHECK(keys.find_presented(bot_secret)->id == "bot");
  for (const std::string& wrong : {std::string{}, std::string{"web"}, web_secret + "0",
                                   web_secret.substr(1), "web." + web_secret}) {
    CHECK(keys.find_presented(wrong) == nullptr);
  }
  CHECK(FixedApiKeys{{}}.find_presented("") == nullptr);
}

TEST_CASE("a token signed by an API key verifies under the key's id", "[signaling]") {
  const FixedApiKeys keys = two_keys();
  const WallTime at{seconds{1'800'000'000}};
  Claims claims;
  claims.room = "demo";
  claims.expires = at + seconds{60};
  const ApiKey& bot = *keys.find_presented(bot_secret);
  const auto verified = verify_token(mint_token(claims, bot.id, bot.signing), keys, at);
  REQUIRE(verified);
  CHECK(verified->key_id == "bot");
  CHECK_FALSE(verify_token(mint_token(claims, "web", bot.signing), keys, at));
  CHECK_FALSE(verify_token(mint_token(claims, "other", bot.signing), keys, at));
}

TEST_CASE("what stands behind Bearer is letters, digits and a few signs", "[signaling]") {
  for (const char* const good : {"a", "aZ09-._~+/", "YQ==", "a="}) CHECK(is_bearer_token(good));
  for (const char* const bad : {"", "=", "a b", "a=b", "a,b", "\"a\"", "a\n", "\xc3\xa4"}) {
    CHECK_FALSE(is_bearer_token(bad));
  }
}

}  // namespace turnpike::signaling::test
