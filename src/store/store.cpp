#include "store/store.h"

namespace turnpike::store {

const StoredSecret* signing_secret(std::span<const StoredSecret> secrets, WallTime when) {
  const StoredSecret* best = nullptr;
  for (const StoredSecret& secret : secrets) {
    if (!secret.is_valid_at(when)) continue;
    if (best == nullptr || secret.not_before >= best->not_before) best = &secret;
  }
  return best;
}

std::string_view to_string(RevokedName kind) {
  return kind == RevokedName::username ? "username" : "account";
}

}  // namespace turnpike::store
