// The REST API behind its door, keys and rooms and all: each line of the input is a request, as
// "METHOD target body", asked with the API key; one that begins with "!" comes without. Every
// answer is framed, has a status that the documents list, and is JSON where it has a body; whoever
// has no key learns nothing.

#include <array>
#include <string>

#include "catch.h"
#include "signaling/rest_body.h"
#include "signaling/rest_house.h"
#include "signaling/rest_request.h"

namespace {

using namespace turnpike;
using namespace turnpike::signaling;
using turnpike::signaling::test::Answer;
using turnpike::signaling::test::RestHouse;

std::string_view take_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

void check_answer(const Answer& answer) {
  constexpr std::array<int, 16> known{200, 201, 204, 400, 401, 403, 404, 405,
                                      408, 409, 413, 414, 415, 422, 429, 431};
  constexpr std::array<int, 4> ours{500, 501, 503, 505};
  const auto is_among = [&](const auto& list) {
    return std::find(list.begin(), list.end(), answer.status) != list.end();
  };
  if (answer.status == 0) {
    PROMISE(answer.head.empty());  // waits for more
    return;
  }
  PROMISE(is_among(known) || is_among(ours));
  PROMISE(answer.status != 500);
  if (answer.status == 204) PROMISE(answer.body.empty());
}

void check_json(const Answer& answer) {
  if (answer.header("Content-Type").find("json") == std::string::npos || answer.body.empty())
    return;
  if (answer.header("Transfer-Encoding") != "none") return;
  PROMISE(!answer.json.is_null());
  const bool is_error = answer.status >= 400;
  PROMISE(answer.json.contains("error") == is_error);
}

/// The readers of bodies by themselves: what they accept keeps to its bounds.
void check_bodies(std::string_view text) {
  const auto body = parse_json(text, bounds::json_depth);
  if (!body) return;
  if (const auto room = parse_new_room(*body)) {
    PROMISE(!room->id.empty() && room->id.size() <= bounds::room_bytes);
    PROMISE(is_addressable(room->id));
    PROMISE(!room->max || (*room->max >= 1 && *room->max <= max_peers_cap));
    PROMISE(parse_json(room->meta_json, bounds::json_depth));
  }
  if (const auto token = parse_token_request(*body, seconds{86400}, seconds{7200})) {
    PROMISE(!token->ttl || (*token->ttl >= seconds{1} && *token->ttl <= seconds{86400}));
    PROMISE(!token->claims.ice_ttl || *token->claims.ice_ttl <= seconds{7200});
    PROMISE(token->claims.subject.size() <= bounds::subject_bytes);
  }
  if (const auto message = parse_server_message(*body)) {
    PROMISE(!message->event.empty() && message->event.size() <= bounds::event_bytes);
    PROMISE(parse_json(message->data_json, bounds::json_depth));
  }
  if (const auto credential = parse_credential_request(*body, seconds{3600})) {
    PROMISE(!credential->ttl || *credential->ttl <= seconds{3600});
  }
  (void)parse_room_change(*body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size > 4000) return 0;
  std::string_view input = text_of({bytes, size});
  RestHouse house;
  (void)house.join("demo");
  for (int requests = 0; !input.empty() && requests < 20; ++requests) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    const bool has_key = !line.starts_with('!');
    if (!has_key) line.remove_prefix(1);
    const std::string_view method = take_word(line);
    const std::string_view target = take_word(line);
    const Answer answer =
        has_key ? house.ask(method, target, line)
                : house.ask_bare(method, target, "Content-Type: application/json\r\n", line);
    check_answer(answer);
    check_json(answer);
    if (!has_key && answer.status != 0)
      PROMISE(answer.status >= 400 || target == "/v1/openapi.json");
    check_bodies(line);
  }
  return 0;
}
