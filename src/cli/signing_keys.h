// What commands sign with in the server's place: a shared secret, or an API key, of the
// configuration or of its store.
#pragma once

#include <string>

#include "auth/credential_book.h"
#include "cli/app.h"
#include "server/config.h"

namespace turnpike::cli {

/// The secret that time-limited credentials are made with: the first of auth.secrets, as in the
/// server, else the one of the store that signs now. The store is opened only when it is needed.
/// Throws CommandFailure: usage when there is none, and as open_store() does.
[[nodiscard]] std::string signing_secret(const server::Config& config, const Io& io);

/// The API key called `id`; when that is empty, the first of auth.api_keys, else of the store.
/// Throws as signing_secret() does.
[[nodiscard]] auth::Secret signing_api_key(const server::Config& config, const std::string& id,
                                           const Io& io);

}  // namespace turnpike::cli
