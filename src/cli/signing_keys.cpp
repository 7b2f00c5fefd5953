#include "cli/signing_keys.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "cli/exit_code.h"
#include "cli/store_access.h"
#include "server/config_value.h"

namespace turnpike::cli {
namespace {

CommandFailure usage(const std::string& sentence) { return {ExitCode::usage, sentence}; }

/// Where else has been looked in vain.
std::string place_of(const server::Config& config, const store::Store* store) {
  if (config.store.path.empty()) return "it has no store";
  if (store == nullptr) return fmt::format("there is no store at {}", config.store.path);
  return fmt::format("the store {} has none either", config.store.path);
}

std::optional<auth::Secret> key_in(const std::vector<auth::Secret>& keys, const std::string& id) {
  const auto key = std::find_if(keys.begin(), keys.end(), [&](const auth::Secret& one) {
    return id.empty() || one.id == id;
  });
  return key == keys.end() ? std::nullopt : std::optional{*key};
}

std::vector<auth::Secret> keys_of(store::Store& store) {
  std::vector<auth::Secret> keys;
  for (store::StoredApiKey& key : answer_of(store.api_keys())) {
    keys.push_back({std::move(key.id), std::move(key.signing)});
  }
  return keys;
}

}  // namespace

std::string signing_secret(const server::Config& config, const Io& io) {
  if (!config.auth.secrets.empty()) return config.auth.secrets.front().value;
  const auto store = open_store_if_there(config, io);
  if (store != nullptr) {
    const auto secrets = answer_of(store->secrets());
    const auto* const signing = store::signing_secret(secrets, io.now);
    if (signing != nullptr) return signing->value;
  }
  throw usage(
      fmt::format("the configuration has no shared secret under auth.secrets, and {}; "
                  "`turnpike secret add` makes one, or give --secret @FILE",
                  place_of(config, store.get())));
}

auth::Secret signing_api_key(const server::Config& config, const std::string& id, const Io& io) {
  if (auto key = key_in(config.auth.api_keys, id)) return *std::move(key);
  const auto store = open_store_if_there(config, io);
  if (store != nullptr) {
    if (auto key = key_in(keys_of(*store), id)) return *std::move(key);
  }
  const std::string name = id.empty() ? "" : " called " + server::in_quotes(id);
  throw usage(
      fmt::format("the configuration has no API key{} under auth.api_keys, and {}; "
                  "`turnpike key create` makes one, or give --key @FILE",
                  name, place_of(config, store.get())));
}

}  // namespace turnpike::cli
