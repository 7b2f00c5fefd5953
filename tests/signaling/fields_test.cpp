#include "signaling/fields.h"

#include "catch.h"

namespace turnpike::signaling::test {

TEST_CASE("fields that are there are read", "[signaling]") {
  const Json object =
      Json::parse(R"({"t":"x","b":true,"n":7,"f":2.0,"l":["a","b"],"o":{"k":1},"z":null})");
  FieldReader fields{object};
  CHECK(fields.text("t", 1) == "x");
  CHECK(fields.required_text("t", 1) == "x");
  CHECK(fields.boolean("b") == true);
  CHECK(fields.number("n") == 7);
  CHECK(fields.number("f") == 2);
  CHECK(fields.texts("l", 2, 1) == std::vector<std::string>{"a", "b"});
  CHECK(*fields.object("o") == Json::parse(R"({"k":1})"));
  CHECK(*fields.find("n") == 7);
  CHECK(fields.ok());
}

TEST_CASE("fields that are missing or null are nothing, and that is no mistake", "[signaling]") {
  const Json object = Json::parse(R"({"z":null})");
  FieldReader fields{object};
  for (const char* const name : {"z", "missing"}) {
    CHECK_FALSE(fields.text(name, 9));
    CHECK_FALSE(fields.boolean(name));
    CHECK_FALSE(fields.number(name));
    CHECK_FALSE(fields.texts(name, 9, 9));
    CHECK(fields.object(name) == nullptr);
    CHECK(fields.find(name) == nullptr);
  }
  CHECK(fields.ok());
  CHECK(fields.required_text("z", 9).empty());
  CHECK(fields.problem() == "z is missing or empty");
}

TEST_CASE("the first mistake is remembered", "[signaling]") {
  const Json object = Json::parse(R"({"a":1,"b":"x"})");
  FieldReader fields{object};
  CHECK_FALSE(fields.text("a", 9));
  CHECK_FALSE(fields.boolean("b"));
  CHECK_FALSE(fields.ok());
  CHECK(fields.problem() == "a must be text of at most 9 bytes without control characters");
}

TEST_CASE("fields of the wrong type are mistakes", "[signaling]") {
  const Json object =
      Json::parse(R"({"text":"x","number":-1,"real":1.5,"huge":1e300,"list":["a",1],"flag":1})");
  const auto fails = [&object](const auto& read) {
    FieldReader fields{object};
    read(fields);
    return !fields.ok();
  };
  CHECK(fails([](FieldReader& f) { (void)f.text("number", 9); }));
  CHECK(fails([](FieldReader& f) { (void)f.boolean("flag"); }));
  CHECK(fails([](FieldReader& f) { (void)f.number("number"); }));
  CHECK(fails([](FieldReader& f) { (void)f.number("real"); }));
  CHECK(fails([](FieldReader& f) { (void)f.number("huge"); }));
  CHECK(fails([](FieldReader& f) { (void)f.number("text"); }));
  CHECK(fails([](FieldReader& f) { (void)f.texts("list", 9, 9); }));
  CHECK(fails([](FieldReader& f) { (void)f.texts("text", 9, 9); }));
  CHECK(fails([](FieldReader& f) { (void)f.object("list"); }));
}

TEST_CASE("what is no object has no fields", "[signaling]") {
  const Json array = Json::array({1});
  FieldReader fields{array};
  CHECK_FALSE(fields.ok());
  CHECK_FALSE(fields.text("a", 9));
  CHECK(fields.find("a") == nullptr);
}

TEST_CASE("plain text is short and has no control characters", "[signaling]") {
  CHECK(is_plain_text("", 0));
  CHECK(is_plain_text("미나 é ~", 12));
  CHECK_FALSE(is_plain_text("abc", 2));
  for (const char c : {'\0', '\n', '\x1f', '\x7f'}) CHECK_FALSE(is_plain_text({&c, 1}, 9));
}

}  // namespace turnpike::signaling::test
