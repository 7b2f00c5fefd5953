#include "base/result.h"

#include <string>

#include "catch.h"

namespace turnpike::test {

namespace {

enum class Problem { odd };

Result<int, Problem> half(int number) {
  if (number % 2 != 0) return Failure{Problem::odd};
  return number / 2;
}

}  // namespace

TEST_CASE("a result holds either the value or the reason there is none", "[base]") {
  CHECK(half(8).has_value());
  CHECK(*half(8) == 4);
  CHECK_FALSE(half(7).has_value());
  CHECK(half(7).error() == Problem::odd);
}

TEST_CASE("a result may hold a value that is only moved", "[base]") {
  const auto make = [](bool well) -> Result<std::unique_ptr<int>, std::string> {
    if (!well) return Failure{std::string{"unwell"}};
    return std::make_unique<int>(5);
  };
  CHECK(**make(true) == 5);
  CHECK(make(false).error() == "unwell");
}

}  // namespace turnpike::test
