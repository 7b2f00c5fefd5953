#include "signaling/socketio_rules.h"

#include <algorithm>

namespace turnpike::signaling {
namespace {

template <class List>
bool has_name(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

template <class Predicate>
const Rule* find_first(const std::vector<Profile>& profiles, std::string_view nsp,
                       Predicate is_wanted) {
  for (const Profile& profile : profiles) {
    if (!has_name(profile.namespaces, nsp)) continue;
    const auto found = std::find_if(profile.rules.begin(), profile.rules.end(), is_wanted);
    if (found != profile.rules.end()) return &*found;
  }
  return nullptr;
}

}  // namespace

Profile zoom_profile() {
  Rule enter;
  enter.on = {"join_room"};
  enter.action = RuleAction::join;
  enter.notify = "welcome";
  Rule negotiate;
  negotiate.on = {"offer", "answer", "ice"};
  negotiate.room = RoomArgument::last;
  return {"zoom", {"/"}, {enter, negotiate}};
}

Profile codelab_profile() {
  Rule enter;
  enter.on = {"create or join"};
  enter.action = RuleAction::codelab_join;
  enter.max = 2;
  Rule message;
  message.on = {"message"};
  message.log = "Client said: ";
  return {"codelab", {"/"}, {enter, message}};
}

Profile echo_profile() {
  Rule greet;
  greet.action = RuleAction::greet;
  greet.notify = "auth";
  Rule message;
  message.on = {"message"};
  message.action = RuleAction::echo;
  message.notify = "message-back";
  Rule acknowledged;
  acknowledged.on = {"message-with-ack"};
  acknowledged.action = RuleAction::answer;
  return {"echo", {"/", "/custom"}, {greet, message, acknowledged}};
}

std::optional<Profile> profile_named(std::string_view name) {
  for (const auto& make : {zoom_profile, codelab_profile, echo_profile}) {
    Profile profile = make();
    if (profile.name == name) return profile;
  }
  return std::nullopt;
}

const Rule* find_rule(const std::vector<Profile>& profiles, std::string_view nsp,
                      std::string_view event) {
  return find_first(profiles, nsp, [event](const Rule& rule) { return has_name(rule.on, event); });
}

const Rule* find_greeting(const std::vector<Profile>& profiles, std::string_view nsp) {
  return find_first(profiles, nsp,
                    [](const Rule& rule) { return rule.action == RuleAction::greet; });
}

bool serves(const std::vector<Profile>& profiles, std::string_view nsp) {
  return std::any_of(profiles.begin(), profiles.end(),
                     [nsp](const Profile& profile) { return has_name(profile.namespaces, nsp); });
}

}  // namespace turnpike::signaling
