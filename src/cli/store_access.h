// How commands come by the store, and what they say when it fails.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "cli/app.h"
#include "cli/configuration.h"
#include "cli/exit_code.h"
#include "store/sqlite.h"

namespace CLI {
class App;
}  // namespace CLI

namespace turnpike::cli {

/// `--store PATH` and `--config FILE`.
struct StoreOptions {
  std::string store;  ///< "sqlite:PATH" or a path; empty: that of the configuration
  ConfigOptions config;
};

/// Adds both to `command`; `options` outlives the tree.
void add_store_options(CLI::App& command, StoreOptions& options);

/// The configuration, with `--store` in place of its store.url. Also one by which nobody could
/// authenticate: the users may be in the store, or about to be put there.
[[nodiscard]] server::Config find_store_config(const StoreOptions& options, const Io& io);

/// Where the store of `config` and its key are. Throws CommandFailure (78) when it has none.
[[nodiscard]] store::Location located_store(const server::Config& config, const Io& io);

/// Opens the store of `config`, or makes it when `if_absent` says so. It may be open in a running
/// server too. Throws CommandFailure: 78 for what is to be mended in files and settings, 69 when
/// trying again may help.
[[nodiscard]] std::unique_ptr<store::Store> open_store(const server::Config& config,
                                                       store::IfAbsent if_absent, const Io& io);
/// The same for commands that can do without one: null when there is none.
[[nodiscard]] std::unique_ptr<store::Store> open_store_if_there(const server::Config& config,
                                                                const Io& io);

/// An open store, and the configuration that goes with it.
struct OpenStore {
  server::Config config;
  std::unique_ptr<store::Store> store;
};

/// find_store_config() and open_store().
[[nodiscard]] OpenStore open_store(const StoreOptions& options, store::IfAbsent if_absent,
                                   const Io& io);

/// Who runs the command, as the audit log shows it: "uid 1000 (mina)".
[[nodiscard]] store::Author author_of(const Io& io);

/// Ends the command with the sentence of `error`.
[[noreturn]] void fail(const store::StoreError& error);

/// What the store answers, or the end of the command.
template <class T>
T answer_of(store::Stored<T> stored) {
  if (!stored) fail(stored.error());
  if constexpr (!std::is_void_v<T>) return std::move(*stored);
}

/// Tells the server of `config`, if one runs, that its store is different: it looks at once then,
/// instead of within its 250 ms. Nothing is said when there is none.
void tell_server(const server::Config& config);

/// What a change of the store answers, after the server was told of it; or the end of the command.
template <class T>
T changed(const OpenStore& open, store::Stored<T> stored) {
  if (!stored) fail(stored.error());
  tell_server(open.config);
  if constexpr (!std::is_void_v<T>) return std::move(*stored);
}

}  // namespace turnpike::cli
