#include "signaling/offer_window.h"

#include <string>

#include "catch.h"

namespace turnpike::signaling::test {

namespace {

using namespace std::chrono_literals;

constexpr ConnectionId expert{1};
constexpr ConnectionId user{2};

/// A window and the time. What passes is "1 offer" for an offer of the expert.
struct Scene {
  explicit Scene(OfferWindow::Settings of = {}) : settings(of) {}

  std::string say(ConnectionId from, std::string_view type) {
    return say_text(from, R"({"type":")" + std::string{type} + R"("})", type);
  }
  std::string say_text(ConnectionId from, const std::string& text, std::string_view name) {
    names.emplace_back(text, name);
    window.on_text(from, make_frame(text), now, passed);
    return take();
  }
  std::string wait(milliseconds duration) {
    now += duration;
    window.on_deadline(now, passed);
    return take();
  }
  std::string take() {
    std::string all;
    for (const auto& [from, frame] : passed) {
      all += std::to_string(static_cast<std::uint64_t>(from)) + " ";
      for (const auto& [text, name] : names) {
        if (text == *frame) {
          all += name;
          break;
        }
      }
      all += "\n";
    }
    passed.clear();
    return all;
  }

  OfferWindow::Settings settings;
  OfferWindow window{settings};
  Instant now{100s};
  std::vector<OfferWindow::Passed> passed;
  std::vector<std::pair<std::string, std::string>> names;
};

}  // namespace

TEST_CASE("a text is what its type says", "[signaling]") {
  CHECK(classify(R"({"type":"offer","sdp":"v=0"})") == Utterance::offer);
  CHECK(classify(R"( { "sdp" : "{}" , "type" : "answer" } )") == Utterance::answer);
  CHECK(classify(R"({"type":"candidate","label":0})") == Utterance::candidate);
  CHECK(classify(R"({"type":"TXT","msg":"{\"type\":\"offer\"}"})") == Utterance::other);
  CHECK(classify(R"({"type":"OFFER"})") == Utterance::other);
}

TEST_CASE("a text that cannot be read is other", "[signaling][hostile]") {
  for (const std::string_view text :
       {"", "{", "offer", "[\"offer\"]", "\"offer\"", "null", R"({"type":1})",
        R"({"type":["offer"]})", R"({"msg":"offer"})", R"({"type":"offer"} x)",
        R"({"type":"offer","type":"TXT"})", "{\"type\":\"offer\",\"msg\":\"\xff\"}"}) {
    CAPTURE(text);
    CHECK(classify(text) == Utterance::other);
  }
  const std::string deep =
      R"({"type":"offer","a":)" + std::string(100, '[') + std::string(100, ']') + "}";
  CHECK(classify(deep) == Utterance::other);
  CHECK(classify(R"({"type":"offer","sdp":")" + std::string(70'000, 'a') + "\"}") ==
        Utterance::other);
}

TEST_CASE("an offer waits 300 ms, and its candidates with it", "[signaling]") {
  Scene scene;
  CHECK(scene.say(expert, "offer").empty());
  CHECK(scene.say(expert, "candidate").empty());
  CHECK(scene.window.next_deadline() == scene.now + 300ms);
  CHECK(scene.wait(299ms).empty());
  CHECK(scene.wait(1ms) == "1 offer\n1 candidate\n");
  CHECK_FALSE(scene.window.next_deadline());
  CHECK(scene.say(expert, "candidate") == "1 candidate\n");
}

TEST_CASE("everything else passes while an offer waits", "[signaling]") {
  Scene scene;
  CHECK(scene.say(expert, "offer").empty());
  CHECK(scene.say(expert, "TXT") == "1 TXT\n");
  CHECK(scene.say_text(expert, "SDP\n{ }", "no json") == "1 no json\n");
  CHECK(scene.say(user, "candidate") == "2 candidate\n");
  CHECK(scene.say(user, "SYS") == "2 SYS\n");
  CHECK(scene.wait(300ms) == "1 offer\n");
}

TEST_CASE("an offer that crosses a waiting one waits, and is discarded when its sender answers",
          "[signaling]") {
  Scene scene;
  CHECK(scene.say(expert, "offer").empty());
  CHECK(scene.wait(200ms).empty());
  CHECK(scene.say(user, "offer").empty());
  CHECK(scene.say(user, "candidate").empty());
  CHECK(scene.wait(100ms) == "1 offer\n");
  CHECK(scene.say(user, "answer") == "2 answer\n");
  CHECK_FALSE(scene.window.next_deadline());
  CHECK(scene.say(user, "candidate") == "2 candidate\n");
  CHECK(scene.wait(10s).empty());
}

TEST_CASE("an offer that comes while another is unanswered waits for a second", "[signaling]") {
  Scene scene;
  CHECK(scene.say(expert, "offer").empty());
  CHECK(scene.wait(300ms) == "1 offer\n");
  CHECK(scene.wait(5s).empty());
  CHECK(scene.say(user, "offer").empty());
  CHECK(scene.wait(999ms).empty());
  SECTION("and passes when its sender does not answer") {
    CHECK(scene.say(user, "candidate").empty());
    CHECK(scene.wait(1ms) == "2 offer\n2 candidate\n");
    CHECK(scene.say(expert, "answer") == "1 answer\n");
  }
  SECTION("and is discarded when its sender does") {
    CHECK(scene.say(user, "answer") == "2 answer\n");
    CHECK(scene.wait(1ms).empty());
  }
}

TEST_CASE("an answer ends the window: the next offer is a first one again", "[signaling]") {
  Scene scene;
  CHECK(scene.say(expert, "offer").empty());
  CHECK(scene.wait(300ms) == "1 offer\n");
  CHECK(scene.say(user, "answer") == "2 answer\n");
  CHECK(scene.say(user, "offer").empty());
  CHECK(scene.wait(300ms) == "2 offer\n");
}

TEST_CASE("who offers twice is not crossed by itself", "[signaling]") {
  Scene scene;
  CHECK(scene.say(expert, "offer").empty());
  CHECK(scene.wait(200ms).empty());
  CHECK(scene.say(expert, "offer").empty());
  CHECK(scene.wait(100ms) == "1 offer\n1 offer\n");
  CHECK(scene.say(expert, "offer").empty());
  CHECK(scene.wait(300ms) == "1 offer\n");
}

TEST_CASE("both go on in the order of their time when nobody looks for long", "[signaling]") {
  Scene scene;
  CHECK(scene.say(expert, "offer").empty());
  CHECK(scene.say(user, "offer").empty());
  CHECK(scene.wait(10s) == "1 offer\n2 offer\n");
}

TEST_CASE("when one party has gone nothing waits, and nothing is remembered", "[signaling]") {
  Scene scene;
  CHECK(scene.say(expert, "offer").empty());
  CHECK(scene.say(user, "offer").empty());
  scene.window.clear();
  CHECK_FALSE(scene.window.next_deadline());
  CHECK(scene.wait(10s).empty());
  CHECK(scene.say(user, "offer").empty());
  CHECK(scene.wait(300ms) == "2 offer\n");
}

TEST_CASE("a window of zero lets everything pass", "[signaling]") {
  OfferWindow::Settings settings;
  settings.first = 0ms;
  Scene scene{settings};
  CHECK(scene.say(expert, "offer") == "1 offer\n");
  CHECK(scene.say(user, "offer") == "2 offer\n");
}

TEST_CASE("what waits is bounded: beyond it all of that passes", "[signaling][hostile]") {
  OfferWindow::Settings settings;
  SECTION("texts") { settings.max_held_texts = 2; }
  SECTION("bytes") { settings.max_held_bytes = 50; }
  Scene scene{settings};
  CHECK(scene.say(expert, "offer").empty());
  CHECK(scene.say(expert, "candidate").empty());
  CHECK(scene.say(expert, "candidate") == "1 offer\n1 candidate\n1 candidate\n");
  CHECK_FALSE(scene.window.next_deadline());
}

}  // namespace turnpike::signaling::test
