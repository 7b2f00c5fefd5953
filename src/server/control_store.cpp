// The part of the control door that asks the store. Everything captured by a StoreWork is a copy:
// it runs on the store's thread.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "auth/credentials.h"
#include "auth/opaque_string.h"
#include "base/crypto.h"
#include "base/hexadecimal.h"
#include "server/control_door.h"
#include "server/control_reply.h"
#include "signaling/fields.h"
#include "signaling/http_target.h"
#include "signaling/json.h"
#include "signaling/rest_reply.h"

namespace turnpike::server {

using signaling::error_response;
using signaling::Json;
using signaling::json_response;
using signaling::ObjectWriter;
using signaling::query_value;
using signaling::Response;

namespace {

constexpr std::size_t longest_name = 508;  // of a user, in bytes (RFC 8489 §14.3)
constexpr std::size_t longest_id = 64;
constexpr std::size_t longest_reason = 256;
constexpr seconds longest_overlap{30 * 86'400};

Response failed(const store::StoreError& error) { return error_response(503, error.sentence); }

Response bad_request(std::string_view sentence) { return error_response(400, sentence); }

/// {"NAME":[…],"next":…}; `next` is there when there may be more.
template <class Element>
Response list_response(std::string_view name, const std::vector<Element>& elements,
                       std::string (*to_json)(const Element&), std::string_view next = {}) {
  signaling::ArrayWriter array;
  for (const Element& element : elements) array.raw(to_json(element));
  ObjectWriter out;
  out.raw(name, array.finish());
  if (!next.empty()) out.text("next", next);
  return json_response(200, out.finish());
}

/// The text of a field; nothing when it is there and is none. Missing: empty.
std::optional<std::string> text_field(const Json& body, const char* name) {
  const auto found = body.find(name);
  if (found == body.end()) return std::string{};
  if (!found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

/// Fields that are not known are refused: a typing error must not be taken for consent.
std::optional<std::string> unknown_field(const Json& body,
                                         std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : body.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) return name;
  }
  return std::nullopt;
}

std::optional<Response> refuse_unknown(const Json& body,
                                       std::initializer_list<std::string_view> known) {
  const auto name = unknown_field(body, known);
  if (!name) return std::nullopt;
  return bad_request("There is no field called " + *name + ".");
}

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= longest_id &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_' || c == '.';
         });
}

/// A whole number from the query; nothing when it is none.
std::optional<std::uint64_t> number_in_query(const std::string& query, std::string_view name,
                                             std::uint64_t otherwise) {
  const auto text = query_value(query, name);
  if (!text) return otherwise;
  std::uint64_t number = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

/// Puts the number at `name`, if there is one, into `limit`; null is none, so that the server's own
/// limit holds. False when there is something else.
template <class Number>
bool read_limit(const Json& body, const char* name, std::optional<Number>& limit) {
  const auto found = body.find(name);
  if (found == body.end()) return true;
  limit.reset();
  if (found->is_null()) return true;
  if (!found->is_number_unsigned()) return false;
  const auto value = found->get<std::uint64_t>();
  if (value > std::numeric_limits<Number>::max()) return false;
  limit = static_cast<Number>(value);
  return true;
}

/// {"maxAllocations":…,"bandwidth":…} over `limits`: what is not there stays. False as above.
bool read_limits(const Json& body, auth::UserLimits& limits) {
  return read_limit(body, "maxAllocations", limits.max_allocations) &&
         read_limit(body, "bandwidth", limits.bandwidth);
}

Response no_limits() {
  return bad_request("maxAllocations and bandwidth must be whole numbers, or null.");
}

std::string random_hex() {
  std::array<std::uint8_t, 32> bytes{};
  SecureRandom random;
  random.fill(bytes);
  return hex_of(bytes);
}

}  // namespace

// --- Asking --------------------------------------------------------------------------------------

ControlDoor::Reply ControlDoor::ask_store(const Call& call, StoreWork work) {
  return put_to_store({call.id}, std::move(work), false);
}

ControlDoor::Reply ControlDoor::change_store(const Call& call, StoreWork work,
                                             std::string revoked_user) {
  return put_to_store({call.id, std::move(revoked_user)}, std::move(work), true);
}

ControlDoor::Reply ControlDoor::put_to_store(StoreQuestion question, StoreWork work,
                                             bool may_change) {
  if (store_ == nullptr) return error_response(409, "This server has no store (store.url).");
  const std::uint64_t number = ++last_question_;
  store_questions_.emplace(number, std::move(question));
  store_->ask([number, may_change, work = std::move(work)](store::Store& store) {
    Response response = work(store);
    const bool has_changed = may_change && response.status < 300;
    return StoreAnswer{number, std::move(response), has_changed};
  });
  return std::nullopt;
}

void ControlDoor::on(StoreAnswer& answer, Now now) {
  if (answer.has_changed && hooks_.store_changed) hooks_.store_changed();
  const auto found = store_questions_.find(answer.question);
  if (found == store_questions_.end()) return;
  const StoreQuestion question = std::move(found->second);
  store_questions_.erase(found);
  if (question.revoked_user.empty() || answer.response.status >= 300) {
    return respond(question.client, std::move(answer.response), now);
  }
  auto refusal = ask_workers({question.client,
                              EndAllOrder{question.revoked_user, turn::CloseReason::revoked},
                              0,
                              {},
                              {},
                              true},
                             now);
  if (refusal) respond(question.client, *std::move(refusal), now);
}

void ControlDoor::record(const Call& call, std::string_view action, const std::string& subject) {
  if (store_ == nullptr) return;
  store_->ask([action, subject, author = author_of(call)](store::Store& store) {
    // An audit log that cannot be written keeps nobody from ending an allocation.
    (void)store.record(action, subject, {}, author);
    return StoreAnswer{0, Response{204}, false};
  });
}

// --- Users ---------------------------------------------------------------------------------------

/// Without a store nothing can be kept from coming back, and the answer says so.
ControlDoor::Reply ControlDoor::revoke_user(const Call& call) {
  if (auto refusal = refuse_unknown(call.body, {"reason"})) return refusal;
  const auto reason = text_field(call.body, "reason");
  if (!reason || !signaling::is_plain_text(*reason, longest_reason)) {
    return bad_request("reason must be text of at most 256 bytes.");
  }
  const std::string& name = call.parameters[0];
  if (store_ == nullptr) {
    return ask_workers({call.id, EndAllOrder{name, turn::CloseReason::revoked}, 0, {}, {}, false},
                       call.now);
  }
  store::Revocation revocation;
  revocation.name = name;
  revocation.reason = *reason;
  const auto work = [revocation, author = author_of(call)](store::Store& store) {
    const auto done = store.revoke(revocation, author);
    return done ? Response{200} : failed(done.error());
  };
  return change_store(call, work, name);
}

ControlDoor::Reply ControlDoor::restore_user(const Call& call) {
  return change_store(
      call, [name = call.parameters[0], author = author_of(call)](store::Store& store) {
        const auto done = store.restore(store::RevokedName::account, name, author);
        if (!done) return failed(done.error());
        return *done ? Response{204} : error_response(404, "That user is not revoked.");
      });
}

ControlDoor::Reply ControlDoor::list_revocations(const Call& call) {
  return ask_store(call, [now = call.now.wall](store::Store& store) {
    const auto found = store.revocations(now);
    if (!found) return failed(found.error());
    return list_response("revocations", *found, &revocation_json);
  });
}

ControlDoor::Reply ControlDoor::list_users(const Call& call) {
  const auto limit = signaling::page_size(call.request);
  if (!limit) return limit.error();
  const std::string after = query_value(call.request.query, "after").value_or(std::string{});
  return ask_store(call, [limit = *limit, after](store::Store& store) {
    auto users = store.users(after, limit + 1);
    if (!users) return failed(users.error());
    const bool is_last = users->size() <= limit;
    if (!is_last) users->pop_back();
    return list_response("users", *users, &user_json,
                         is_last ? std::string_view{} : std::string_view{users->back().name});
  });
}

ControlDoor::Reply ControlDoor::create_user(const Call& call) {
  if (auto refusal =
          refuse_unknown(call.body, {"name", "password", "maxAllocations", "bandwidth"})) {
    return refusal;
  }
  const auto name = text_field(call.body, "name");
  const auto prepared = name ? auth::opaque_string(*name) : std::nullopt;
  if (!prepared || prepared->size() > longest_name || prepared->find(':') != std::string::npos) {
    return bad_request("name must be text of at most 508 bytes, without colons.");
  }
  const auto password = text_field(call.body, "password");
  const auto secret = password ? auth::opaque_string(*password) : std::nullopt;
  if (!secret) return bad_request("password must be text without control characters.");
  store::StoredUser user;
  if (!read_limits(call.body, user.limits)) return no_limits();
  user.name = *prepared;
  user.realm = settings_.realm;
  user.md5 = auth::long_term_key(stun::PasswordAlgorithm::md5, user.name, user.realm, *secret);
  user.sha256 =
      auth::long_term_key(stun::PasswordAlgorithm::sha256, user.name, user.realm, *secret);
  return change_store(call, [user, author = author_of(call)](store::Store& store) {
    const auto added = store.add_user(user, author);
    if (!added) return failed(added.error());
    if (!*added) return error_response(409, "There is a user of that name.");
    const auto kept = store.find_user(user.name);
    if (!kept) return failed(kept.error());
    return json_response(201, user_json(kept->value_or(user)));
  });
}

ControlDoor::Reply ControlDoor::get_user(const Call& call) {
  return ask_store(call, [name = call.parameters[0]](store::Store& store) {
    const auto user = store.find_user(name);
    if (!user) return failed(user.error());
    if (!*user) return error_response(404, "There is no such user.");
    return json_response(200, user_json(**user));
  });
}

/// Allocations that it has follow within a second, by UserSource.
ControlDoor::Reply ControlDoor::change_user(const Call& call) {
  if (auto refusal = refuse_unknown(call.body, {"maxAllocations", "bandwidth"})) return refusal;
  if (call.body.empty()) return bad_request("Say what is to change: maxAllocations, bandwidth.");
  auth::UserLimits checked;
  if (!read_limits(call.body, checked)) return no_limits();
  return change_store(call, [name = call.parameters[0], body = call.body,
                             author = author_of(call)](store::Store& store) {
    const auto set_limits = [&body](store::StoredUser& user) {
      static_cast<void>(read_limits(body, user.limits));
    };
    const auto user = store.change_user(name, set_limits, author);
    if (!user) return failed(user.error());
    if (!*user) return error_response(404, "There is no such user.");
    return json_response(200, user_json(**user));
  });
}

/// It cannot come back; what it has goes on until it is revoked or ended.
ControlDoor::Reply ControlDoor::remove_user(const Call& call) {
  return change_store(
      call, [name = call.parameters[0], author = author_of(call)](store::Store& store) {
        const auto removed = store.remove_user(name, author);
        if (!removed) return failed(removed.error());
        return *removed ? Response{204} : error_response(404, "There is no such user.");
      });
}

// --- Secrets and API keys ------------------------------------------------------------------------

ControlDoor::Reply ControlDoor::list_secrets(const Call& call) {
  return ask_store(call, [](store::Store& store) {
    const auto secrets = store.secrets();
    if (!secrets) return failed(secrets.error());
    return list_response("secrets", *secrets, &secret_json);
  });
}

/// The new one signs at once; the others verify for `overlap` seconds more.
ControlDoor::Reply ControlDoor::rotate_secret(const Call& call) {
  if (auto refusal = refuse_unknown(call.body, {"id", "overlap"})) return refusal;
  const auto id = text_field(call.body, "id");
  if (!id || !is_id(*id)) return bad_request("id must be 1 to 64 letters, digits, -, _ and dots.");
  seconds overlap = longest_overlap;
  if (const auto found = call.body.find("overlap"); found != call.body.end()) {
    if (!found->is_number_unsigned() || *found > longest_overlap.count()) {
      return bad_request("overlap must be seconds, at most 2592000.");
    }
    overlap = seconds{found->get<std::int64_t>()};
  }
  store::StoredSecret secret;
  secret.id = *id;
  secret.value = random_hex();
  secret.not_before = call.now.wall;
  return change_store(
      call, [secret, end = call.now.wall + overlap, author = author_of(call)](store::Store& store) {
        const auto rotated = store.rotate_secret(secret, end, author);
        if (!rotated) return failed(rotated.error());
        if (!*rotated) return error_response(409, "There is a secret with that id.");
        ObjectWriter out;
        return json_response(201, out.text("id", secret.id).text("value", secret.value).finish());
      });
}

ControlDoor::Reply ControlDoor::remove_secret(const Call& call) {
  return change_store(
      call, [id = call.parameters[0], author = author_of(call)](store::Store& store) {
        const auto removed = store.remove_secret(id, author);
        if (!removed) return failed(removed.error());
        return *removed ? Response{204} : error_response(404, "There is no such secret.");
      });
}

ControlDoor::Reply ControlDoor::list_keys(const Call& call) {
  return ask_store(call, [](store::Store& store) {
    const auto keys = store.api_keys();
    if (!keys) return failed(keys.error());
    return list_response("keys", *keys, &key_json);
  });
}

ControlDoor::Reply ControlDoor::create_key(const Call& call) {
  if (auto refusal = refuse_unknown(call.body, {"id"})) return refusal;
  const auto id = text_field(call.body, "id");
  if (!id || !is_id(*id)) return bad_request("id must be 1 to 64 letters, digits, -, _ and dots.");
  return change_store(call, [id = *id, author = author_of(call)](store::Store& store) {
    const auto key = store.create_api_key(id, author);
    if (!key) return failed(key.error());
    if (!*key) return error_response(409, "There is a key with that id.");
    ObjectWriter out;
    return json_response(201, out.text("id", (*key)->id).text("secret", (*key)->secret).finish());
  });
}

ControlDoor::Reply ControlDoor::revoke_key(const Call& call) {
  return change_store(
      call, [id = call.parameters[0], author = author_of(call)](store::Store& store) {
        const auto revoked = store.revoke_api_key(id, author);
        if (!revoked) return failed(revoked.error());
        return *revoked ? Response{204} : error_response(404, "There is no such key.");
      });
}

// --- What was used, and what was changed ---------------------------------------------------------

/// Sums by account, or the records of one account or of all with `records=true`.
ControlDoor::Reply ControlDoor::list_usage(const Call& call) {
  const std::string& query = call.request.query;
  const auto limit = signaling::page_size(call.request);
  if (!limit) return limit.error();
  const auto from = number_in_query(query, "from", 0);
  const auto to = number_in_query(query, "to", INT32_MAX);
  const auto offset = number_in_query(query, "offset", 0);
  if (!from || !to || !offset || *from > INT32_MAX || *to > INT32_MAX) {
    return bad_request("from and to must be seconds since 1970, offset a whole number.");
  }
  const auto at = [](std::uint64_t time) { return WallTime{seconds{static_cast<int>(time)}}; };
  const store::TimeSpan span{at(*from), at(*to)};
  const std::string account = query_value(query, "account").value_or(std::string{});
  const bool wants_records = query_value(query, "records") == "true" || !account.empty();
  return ask_store(call, [=, limit = *limit, offset = *offset](store::Store& store) {
    if (wants_records) {
      const auto records = store.usage(span, account, offset, limit);
      if (!records) return failed(records.error());
      return list_response<store::UsageRecord>("records", *records, &usage_json);
    }
    const auto sums = store.usage_by_account(span, limit);
    if (!sums) return failed(sums.error());
    return list_response<store::UsageSum>("accounts", *sums, &usage_json);
  });
}

ControlDoor::Reply ControlDoor::list_changes(const Call& call) {
  const auto limit = signaling::page_size(call.request);
  if (!limit) return limit.error();
  const auto before = number_in_query(call.request.query, "before", INT64_MAX);
  if (!before) return bad_request("before must be the number of a change.");
  return ask_store(call, [before = *before, limit = *limit](store::Store& store) {
    const auto changes = store.audit(before, limit);
    if (!changes) return failed(changes.error());
    return list_response("changes", *changes, &change_json);
  });
}

}  // namespace turnpike::server
