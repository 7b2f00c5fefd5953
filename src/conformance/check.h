// One rule of an RFC as a black box sees it. This header is also how one writes a check.
//
//   void allocate_twice(Session& session) {            // a free function in rfcNNNN_….cpp
//     Flow& flow = session.open();                     // a new connection of --transport
//     session.allocate(flow);                          // what is only preparation ends the check
//                                                      // by itself when it cannot be done
//     const Reply again = flow.request(Method::allocate, [](auto& message) {…});
//     expect_error(again, 437);                        // what the rule is about
//   }
//
// Return: passed. fail(expected, got), expect…(): failed. not_supported(why): the server lacks an
// optional feature and says so (440, 442, 420 on an optional attribute). not_tried(why): nothing
// can be concluded from here. All of them leave by an exception that only the runner catches, so a
// check cleans nothing up: the runner deletes every allocation, redeems reservations, closes every
// flow.
//
// - Where the text leaves a choice, accept every choice. Strength is that of the very sentence the
//   check rests on: `must` fails the run, `should` and `advice` only warn.
// - Silence: flow.expect_silence(bytes, "what was sent"); never wait for a fixed time.
// - Data that should arrive: session.relay_to_peer() and relay_to_client(), which repeat.
// - Raw bytes: flow.build…() gives them, flow.ask() and flow.send() take them; send() on a stream
//   takes any piece. flow.signature() may be changed and passed to request_as().
// - More connections: session.open({.transport = …, .alpn = …, .as_second_user = …}); answers from
//   another source: {.any_source = true} and Reply::from(). TCP peers: Socket::listen(), tcp().
// - `applies` says over which transports; waiting for minutes needs session.settings().slow.
//
// Add the check to its file's list; catalogue.cpp knows the lists. The name is an interface:
// scripts select by it. Then run it against Turnpike and against coturn, and note in
// docs/conformance.md what coturn fails, with the RFC's sentence.
#pragma once

#include <span>
#include <string_view>

#include "conformance/session.h"

namespace turnpike::conformance {

/// How the rule is worded.
enum class Strength : std::uint8_t {
  must,    ///< MUST, or no other behaviour fits the text
  should,  ///< SHOULD, RECOMMENDED
  advice,  ///< no sentence of an RFC: what experience recommends
};

/// Transports a check is for, as bits.
enum class Applies : std::uint8_t {
  udp = 1,
  tcp = 2,
  tls = 4,
  dtls = 8,
  datagrams = udp | dtls,
  streams = tcp | tls,
  secured = tls | dtls,
  everywhere = udp | tcp | tls | dtls,
};
[[nodiscard]] constexpr bool applies_to(Applies applies, Transport transport) {
  const auto bits = static_cast<unsigned>(applies);
  return ((bits >> static_cast<unsigned>(transport)) & 1U) != 0;
}

struct Check {
  std::string_view name;     ///< kebab-case, unique, stable
  std::string_view lines;    ///< of CONFORMANCE.md: "12, 14"
  std::string_view section;  ///< "RFC 8656 §7.2"
  std::string_view rule;     ///< one sentence
  Strength strength = Strength::must;
  Applies applies = Applies::everywhere;
  void (*run)(Session& session) = nullptr;
};

/// All checks, in the order of RFCs and sections.
[[nodiscard]] std::span<const Check> catalogue();

/// True when `name` matches `pattern`, in which * stands for anything.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name);

}  // namespace turnpike::conformance
