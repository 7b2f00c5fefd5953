// What a Socket.IO server does about its clients' events, as data: the servers of tutorials need no
// code of their own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace turnpike::signaling {

enum class RuleAction : std::uint8_t {
  join,          ///< enter the room that the first argument names, tell the others `notify`
  relay,         ///< pass the event on to the others of a room
  codelab_join,  ///< join as the WebRTC codelab has it: created, join, joined, ready, full, log
  echo,          ///< send the arguments back as the event `notify`
  answer,        ///< give the arguments back in the ack
  greet,         ///< not an event: who connects is sent its own auth object as `notify`
};

enum class RoomArgument : std::uint8_t {
  none,  ///< all rooms that the sender is in
  last,  ///< the last argument names one of them, and is not passed on
};

struct Rule {
  std::vector<std::string> on{};  ///< names of events
  RuleAction action = RuleAction::relay;
  std::string notify{};  ///< an event; empty: none
  RoomArgument room = RoomArgument::none;
  std::optional<std::uint32_t> max{};  ///< how many a room takes
  /// The sender of a relayed event is sent ["Message from server:", log, its first argument] as the
  /// event "log"; empty: it is not.
  std::string log{};
};

/// The server of one application.
struct Profile {
  std::string name{};
  std::vector<std::string> namespaces{"/"};
  std::vector<Rule> rules{};
};

/// The Zoom clone: join_room, welcome, offer, answer, ice.
[[nodiscard]] Profile zoom_profile();
/// The WebRTC codelab: "create or join" and message, for two.
[[nodiscard]] Profile codelab_profile();
/// What the official test suite of Socket.IO v5 wants of a server.
[[nodiscard]] Profile echo_profile();

/// The profile of that name; nothing when there is none.
[[nodiscard]] std::optional<Profile> profile_named(std::string_view name);

/// The first rule for `event` of the profiles that serve `nsp`; nullptr when there is none.
[[nodiscard]] const Rule* find_rule(const std::vector<Profile>& profiles, std::string_view nsp,
                                    std::string_view event);
/// The first rule of theirs that greets.
[[nodiscard]] const Rule* find_greeting(const std::vector<Profile>& profiles, std::string_view nsp);
[[nodiscard]] bool serves(const std::vector<Profile>& profiles, std::string_view nsp);

}  // namespace turnpike::signaling
