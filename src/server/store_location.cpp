#include "server/store_location.h"

#include <filesystem>
#include <optional>

namespace turnpike::server {
namespace {

/// What systemd hands over with LoadCredential= or LoadCredentialEncrypted=.
std::optional<std::string> credential(const std::map<std::string, std::string>& environment) {
  const auto directory = environment.find("CREDENTIALS_DIRECTORY");
  if (directory == environment.end() || directory->second.empty()) return std::nullopt;
  std::string path = directory->second + "/turnpike-store-key";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  return path;
}

}  // namespace

store::Location store_location(const Config::Store& store,
                               const std::map<std::string, std::string>& environment) {
  if (!store.key_file.empty()) return {store.path, store.key_file};
  return {store.path, credential(environment).value_or(store.path + ".key")};
}

}  // namespace turnpike::server
