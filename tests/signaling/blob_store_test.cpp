#include "signaling/blob_store.h"

#include <set>

#include "base/seeded_random.h"
#include "catch.h"

namespace turnpike::signaling::test {

namespace {

using namespace std::chrono_literals;
using turnpike::test::SeededRandom;

const IpAddress mina = IpAddress::v4(0xc6336407);
const IpAddress jun = IpAddress::v4(0xc6336408);
constexpr Instant start{1000s};
/// A file of which three fit into a room that holds `three_of_them`.
const std::string file(9 * 1024, 'a');
constexpr std::size_t three_of_them = 30 * 1024;

struct Fixture {
  explicit Fixture(BlobStore::Settings settings = {}) : store(settings, random) {}
  std::string put(std::string_view room, const IpAddress& source = mina, Instant at = start) {
    const auto name = store.put(room, source, file, at);
    return name ? *name : std::string{};
  }
  SeededRandom random{7};
  BlobStore store;
};

}  // namespace

TEST_CASE("a file's type is read off its first bytes, and is never one that a browser runs",
          "[signaling]") {
  using namespace std::string_view_literals;
  CHECK(BlobType::of("\x89PNG\r\n\x1a\n..").content_type == "image/png");
  CHECK(BlobType::of("\xff\xd8\xff\xe0").content_type == "image/jpeg");
  CHECK(BlobType::of("GIF89a..").content_type == "image/gif");
  CHECK(BlobType::of("GIF87a").extension == "gif");
  CHECK(BlobType::of("RIFF\0\0\0\0WEBPVP8 "sv).content_type == "image/webp");
  for (const std::string_view bytes :
       {"", "\x89PN", "<svg xmlns='http://www.w3.org/2000/svg'/>", "<html>", "GIF8", "RIFF",
        "RIFF....WAVE", "RIFF....WEB", "%PDF-1.7"}) {
    CAPTURE(bytes);
    CHECK(BlobType::of(bytes).content_type == "application/octet-stream");
    CHECK_FALSE(BlobType::of(bytes).is_image);
  }
}

TEST_CASE("a file is found by its room and name until its time is over", "[signaling]") {
  Fixture fixture;
  const std::string name = fixture.put("demo");
  CHECK(name.size() == 32 + 4);
  CHECK(name.ends_with(".bin"));
  REQUIRE(fixture.store.find("demo", name, start) != nullptr);
  CHECK(fixture.store.find("demo", name, start)->bytes == file);
  CHECK(fixture.store.find("other", name, start) == nullptr);
  CHECK(fixture.store.find("demo", "", start) == nullptr);
  CHECK(fixture.store.next_deadline() == start + 10min);
  CHECK(fixture.store.find("demo", name, start + 10min - 1ns) != nullptr);
  CHECK(fixture.store.find("demo", name, start + 10min) == nullptr);
  fixture.store.on_deadline(start + 10min);
  CHECK(fixture.store.size() == 0);
  CHECK(fixture.store.total_bytes() == 0);
  CHECK_FALSE(fixture.store.next_deadline());
}

TEST_CASE("names of files are never the same", "[signaling]") {
  Fixture fixture;
  std::set<std::string> names;
  for (int i = 0; i < 1000; ++i) names.insert(fixture.put("demo"));
  CHECK(names.size() == 1000);
}

TEST_CASE("a full room loses its oldest files, and no other room's", "[signaling]") {
  BlobStore::Settings settings;
  settings.max_room_bytes = three_of_them;
  Fixture fixture{settings};
  const std::string elsewhere = fixture.put("other");
  const std::string first = fixture.put("demo");
  const std::string second = fixture.put("demo");
  const std::string third = fixture.put("demo");
  CHECK(fixture.store.find("demo", first, start) != nullptr);
  CHECK_FALSE(fixture.put("demo").empty());
  CHECK(fixture.store.find("demo", first, start) == nullptr);
  CHECK(fixture.store.find("demo", second, start) != nullptr);
  CHECK(fixture.store.find("other", elsewhere, start) != nullptr);
  const std::string large(three_of_them - BlobStore::overhead_bytes, 'b');
  const auto name = fixture.store.put("demo", mina, large, start);
  REQUIRE(name);
  CHECK(fixture.store.size() == 2);
  CHECK(fixture.store.put("demo", mina, large + "b", start).error() ==
        BlobStore::Refusal::too_large);
  CHECK(fixture.store.find("demo", *name, start) != nullptr);
}

TEST_CASE("an address, and all of them, may have only so much here", "[signaling][hostile]") {
  BlobStore::Settings settings;
  settings.max_source_bytes = three_of_them;
  settings.max_bytes = three_of_them + 10 * 1024;
  Fixture fixture{settings};
  for (const char* const room : {"a", "b", "c"}) CHECK_FALSE(fixture.put(room).empty());
  CHECK(fixture.store.put("d", mina, "x", start).error() == BlobStore::Refusal::source_full);
  CHECK_FALSE(fixture.put("d", jun).empty());
  CHECK(fixture.store.put("d", jun, "x", start).error() == BlobStore::Refusal::store_full);
  CHECK_FALSE(fixture.put("d", jun, start + 10min).empty());  // those of before are over
  CHECK(fixture.store.size() == 1);
}

TEST_CASE("the smallest files are bounded too", "[signaling][hostile]") {
  BlobStore::Settings settings;
  settings.max_bytes = 10 * BlobStore::overhead_bytes;
  Fixture fixture{settings};
  for (int i = 0; i < 10; ++i) CHECK(fixture.store.put("demo", mina, "", start));
  CHECK_FALSE(fixture.store.put("demo", mina, "", start));
}

}  // namespace turnpike::signaling::test
