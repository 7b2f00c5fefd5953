#include "signaling/static_files.h"

#include "catch.h"
#include "signaling/responses.h"

namespace turnpike::signaling::test {

namespace {

StaticFiles files() {
  return StaticFiles{{
      {"/turnpike.js", "text/javascript; charset=utf-8", bytes_of("plain"), bytes_of("gz"),
       bytes_of("brotli")},
      {"/demo/index.html", "text/html; charset=utf-8", bytes_of("<p>demo")},
      {"/assets/a1b2.css", "text/css", bytes_of("p{}"), bytes_of("gz"), {}, true},
  }};
}

Request get(std::string_view path, std::vector<Header> headers = {}) {
  return {.method = Method::get, .path = std::string{path}, .headers = std::move(headers)};
}

}  // namespace

TEST_CASE("a file is answered with type, tag and safety", "[signaling]") {
  const Response response = files().answer(get("/demo/index.html")).value();
  CHECK(response.status == 200);
  CHECK(response.body == "<p>demo");
  CHECK(header_of(response, "Content-Type") == "text/html; charset=utf-8");
  CHECK(header_of(response, "Cache-Control") == "no-cache");
  CHECK(header_of(response, "Content-Security-Policy") == "frame-ancestors 'none'");
  CHECK(header_of(response, "Vary") == "none");
  CHECK(files().answer(get("/demo/"))->body == "<p>demo");
}

TEST_CASE("what is not in the table is not there", "[signaling]") {
  for (const std::string path : {"/", "/demo", "/turnpike.js/", "/TURNPIKE.js", "/turnpike.js.gz",
                                 "/../turnpike.js", "/%2e%2e/turnpike.js", "*", ""}) {
    CAPTURE(path);
    CHECK_FALSE(files().answer(get(path)));
  }
}

TEST_CASE("the smallest coding that the client takes", "[signaling][rfc9110-12.5.3]") {
  const auto [accepted, coding, body] = GENERATE(table<std::string, std::string, std::string>({
      {"gzip, deflate, br", "br", "brotli"},
      {"gzip", "gzip", "gz"},
      {"BR;q=0.1", "br", "brotli"},
      {"br;q=0, gzip", "gzip", "gz"},
      {"br; q=0.000, *", "gzip", "gz"},
      {"*", "br", "brotli"},
      {"*;q=0", "none", "plain"},
      {"identity", "none", "plain"},
      {"", "none", "plain"},
      {"brotli, xgzip", "none", "plain"},
  }));
  CAPTURE(accepted);
  const Response response =
      files().answer(get("/turnpike.js", {{"Accept-Encoding", accepted}})).value();
  CHECK(header_of(response, "Content-Encoding") == coding);
  CHECK(header_of(response, "Vary") == "Accept-Encoding");
  CHECK(response.body == body);
}

TEST_CASE("a client that has it is told so", "[signaling][rfc9110-13.1.2]") {
  const std::string plain = header_of(*files().answer(get("/turnpike.js")), "ETag");
  const std::string zipped =
      header_of(*files().answer(get("/turnpike.js", {{"Accept-Encoding", "gzip"}})), "ETag");
  CHECK(plain.size() == 18);
  CHECK(zipped != plain);
  const auto status = [&](std::string_view tags) {
    return files().answer(get("/turnpike.js", {{"If-None-Match", std::string{tags}}}))->status;
  };
  CHECK(status(plain) == 304);
  CHECK(status("\"other\", W/" + plain) == 304);
  CHECK(status("*") == 304);
  CHECK(status(zipped) == 200);
  CHECK(status("\"other\"") == 200);
  const Response response = files().answer(get("/turnpike.js", {{"If-None-Match", plain}})).value();
  CHECK(response.body.empty());
  CHECK(header_of(response, "ETag") == plain);
  CHECK(header_of(response, "Vary") == "Accept-Encoding");
}

TEST_CASE("the tag is of the content", "[signaling]") {
  const StaticFiles other{{{"/turnpike.js", "text/javascript", bytes_of("other")}}};
  CHECK(header_of(*files().answer(get("/turnpike.js")), "ETag") !=
        header_of(*other.answer(get("/turnpike.js")), "ETag"));
}

TEST_CASE("files named by their content are cached for ever", "[signaling]") {
  CHECK(header_of(*files().answer(get("/assets/a1b2.css")), "Cache-Control") ==
        "public, max-age=31536000, immutable");
}

}  // namespace turnpike::signaling::test
