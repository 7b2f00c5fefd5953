#include "store/key_file.h"

#include "base/crypto.h"
#include "catch.h"
#include "server/scratch_directory.h"
#include "store/failure.h"

namespace turnpike::test {

using namespace store;

namespace {

StoreError error_of(const std::string& path) {
  try {
    static_cast<void>(read_key_file(path));
  } catch (const StoreFailure& failure) {
    return failure.error();
  }
  return {Fault::unavailable, "no error"};
}

}  // namespace

TEST_CASE("a key is made once and read ever after", "[store]") {
  const ScratchDirectory directory;
  const std::string path = directory.path() + "/new/key";
  const AeadKey key = read_or_make_key_file(path);
  CHECK(key != AeadKey{});
  CHECK(read_or_make_key_file(path) == key);
  CHECK(read_key_file(path) == key);
  CHECK(read_or_make_key_file(directory.path() + "/other") != key);
}

TEST_CASE("what openssl writes is a key", "[store]") {
  const ScratchDirectory directory;  // openssl rand -base64 32
  const AeadKey key =
      read_key_file(directory.write("key", "5J8nYzU6N2q4bQGJr1RkzCz3vXoSvQd0m3m8lJ3wV0A=\n", 0640));
  CHECK(base64_encode(key) == "5J8nYzU6N2q4bQGJr1RkzCz3vXoSvQd0m3m8lJ3wV0A=");
}

TEST_CASE("what is no key is refused, and never shown", "[store]") {
  const ScratchDirectory directory;
  for (const std::string text :
       {"", "\n", "canary", "Y2FuYXJ5", "5J8nYzU6N2q4bQGJr1RkzCz3vXoSvQd0m3m8lJ3wV0A",
        "5J8nYzU6N2q4bQGJr1RkzCz3vXoSvQd0m3m8lJ3wV0A=\nmore"}) {
    CAPTURE(text);
    const StoreError error = error_of(directory.write("key", text));
    CHECK(error.fault == Fault::misconfigured);
    CHECK(error.sentence.find("openssl rand -base64 32") != std::string::npos);
    CHECK(error.sentence.find("canary") == std::string::npos);
  }
}

TEST_CASE("a key that others may read or change is refused", "[store]") {
  const ScratchDirectory directory;
  const std::string key = "5J8nYzU6N2q4bQGJr1RkzCz3vXoSvQd0m3m8lJ3wV0A=\n";
  for (const mode_t mode : {0604U, 0602U, 0620U, 0644U}) {
    const StoreError error = error_of(directory.write("key", key, mode));
    CHECK(error.fault == Fault::misconfigured);
    CHECK(error.sentence.find("run `chmod 600 ") != std::string::npos);
  }
}

TEST_CASE("a key file that is not there or no file is refused", "[store]") {
  const ScratchDirectory directory;
  CHECK(error_of(directory.path() + "/none").sentence.find("is not there") != std::string::npos);
  CHECK(error_of(directory.path()).sentence.find("cannot be read") != std::string::npos);
}

}  // namespace turnpike::test
