// How commands speak to a running server: HTTP over its control socket, or over the network with an
// API key. With libcurl, which nothing else in cli includes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "cli/app.h"
#include "cli/configuration.h"

namespace CLI {
class App;
}  // namespace CLI

namespace turnpike::cli {

/// Which server is meant.
struct ControlOptions {
  std::string socket;    ///< empty: that of the configuration
  std::string url;       ///< "https://turn.example.com"; empty: the socket
  std::string key;       ///< "@file" or "-": the API key that goes with the url
  ConfigOptions config;  ///< where the socket is looked for
};

/// Adds --socket, --config, --url and --key; `options` outlives the tree.
void add_control_options(CLI::App& command, ControlOptions& options);

/// One server. Every failure is a CommandFailure with a sentence for the operator: 69 when nobody
/// answers, 4 when the server or the socket refuses whoever asks, 1 when the answer is no.
class ControlClient {
 public:
  ControlClient(const ControlOptions& options, const Io& io);

  /// The JSON that the server answers; null when it answers nothing. `body`: JSON, or empty.
  nlohmann::json ask(const std::string& method, const std::string& path,
                     const std::string& body = {}) const;

 private:
  std::string socket_;
  std::string url_;
  std::string key_;
};

/// Tells the server at `socket`, if there is one, that the store is different. True when it has
/// heard: otherwise it finds out by itself, or when it starts. Takes a second at most, and never
/// throws.
bool tell_store_changed(const std::string& socket);

}  // namespace turnpike::cli
