#include "cli/control_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <cerrno>
#include <memory>

#include "cli/exit_code.h"
#include "cli/secret_option.h"

namespace turnpike::cli {
namespace {

using Json = nlohmann::json;

constexpr std::size_t max_answer_bytes = 64 << 20;

/// How long to wait for a server.
struct Patience {
  long connect_ms;
  long answer_ms;
};
constexpr Patience for_answers{5'000, 30'000};
constexpr Patience for_courtesy{500, 1'000};  // nothing depends on it

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Exchange {
  CURLcode result = CURLE_OK;
  long os_error = 0;
  long status = 0;
  std::string body;
};

std::size_t take_answer(char* bytes, std::size_t size, std::size_t count, void* body) {
  std::string& answer = *static_cast<std::string*>(body);
  if (answer.size() + size * count > max_answer_bytes) return 0;  // libcurl gives up
  answer.append(bytes, size * count);
  return size * count;
}

/// One request; `socket` empty: over the network, where certificates are verified.
Exchange exchange(const std::string& method, const std::string& url, const std::string& socket,
                  const std::string& key, const std::string& body, const Patience& patience) {
  static const CURLcode set_up = curl_global_init(CURL_GLOBAL_DEFAULT);
  Exchange done;
  const std::unique_ptr<CURL, EasyDeleter> easy{curl_easy_init()};
  if (set_up != CURLE_OK || !easy) return {CURLE_FAILED_INIT, 0, 0, {}};
  std::unique_ptr<curl_slist, ListDeleter> headers{
      curl_slist_append(nullptr, "Content-Type: application/json")};
  const std::string authorization = "Authorization: Bearer " + key;
  if (!key.empty()) (void)curl_slist_append(headers.get(), authorization.c_str());
  CURL* const handle = easy.get();
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method.c_str());
  if (!socket.empty()) {
    curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
    curl_easy_setopt(handle, CURLOPT_PROXY, "");
  }
  if (method == "POST") {
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(body.size()));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, body.c_str());
  }
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, patience.connect_ms);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, patience.answer_ms);
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &take_answer);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &done.body);
  done.result = curl_easy_perform(handle);
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &done.status);
  curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &done.os_error);
  return done;
}

CommandFailure unreachable_socket(const std::string& socket, const Exchange& failed) {
  if (failed.os_error == EACCES || failed.os_error == EPERM) {
    return {ExitCode::refused,
            fmt::format("permission denied: be root or the server's own user to use {}", socket)};
  }
  // The server ends the connection of a user that it does not know.
  if (failed.result != CURLE_COULDNT_CONNECT && failed.result != CURLE_OPERATION_TIMEDOUT) {
    return {ExitCode::refused,
            fmt::format("the server at {} ended the connection: be root or its own user", socket)};
  }
  return {ExitCode::unavailable,
          fmt::format("no server is running here (socket {}); start one, or say which with "
                      "--socket, --config or --url",
                      socket)};
}

/// What an answer other than 2xx says.
CommandFailure refusal(long status, const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  std::string sentence = fmt::format("the server answered with status {}", status);
  if (json.is_object() && json.contains("error") && json["error"].is_object()) {
    sentence = json["error"].value("message", sentence);
  }
  if (status == 422 && json.is_object() && json.contains("errors")) {
    sentence = "nothing was changed:";  // a reload of a configuration with all this wrong
    for (const Json& error : json["errors"]) {
      sentence += "\n" + (error.is_string() ? error.get<std::string>() : error.dump());
    }
  }
  if (status == 401) {
    return {ExitCode::refused, sentence + " Give the server's API key: --key @FILE"};
  }
  if (status == 403 || status == 421) return {ExitCode::refused, sentence};
  return {status >= 500 ? ExitCode::unavailable : ExitCode::no, sentence};
}

std::string checked_url(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  const bool is_plain = url.starts_with("http://");
  if (!url.starts_with("https://") && !is_plain) {
    throw CommandFailure{ExitCode::usage,
                         "--url: write where the server is, for example https://turn.example.com"};
  }
  const bool is_here = url.starts_with("http://127.") || url.starts_with("http://localhost") ||
                       url.starts_with("http://[::1]");
  if (is_plain && !is_here) {
    throw CommandFailure{ExitCode::usage,
                         "--url: the API key must not go over the network in plain; use https://"};
  }
  return url;
}

}  // namespace

void add_control_options(CLI::App& command, ControlOptions& options) {
  command
      .add_option("--socket", options.socket,
                  "The server's control socket; default: that of the configuration")
      ->type_name("PATH");
  command
      .add_option("-c,--config", options.config.file,
                  "Configuration that names the socket; default: /etc/turnpike/turnpike.toml")
      ->type_name("FILE");
  auto* const url =
      command
          .add_option("--url", options.url, "A server elsewhere, as in https://turn.example.com")
          ->type_name("URL");
  command.add_option("--key", options.key, "Its API key: a file, or - for standard input")
      ->type_name("@FILE|-")
      ->needs(url);
}

ControlClient::ControlClient(const ControlOptions& options, const Io& io) {
  if (!options.url.empty()) {
    url_ = checked_url(options.url);
    if (options.key.empty()) {
      throw CommandFailure{ExitCode::usage, "--url needs the server's API key: --key @FILE"};
    }
    key_ = secret_from_option(options.key, "--key", io);
    return;
  }
  url_ = "http://localhost";
  socket_ = options.socket;
  if (!socket_.empty()) return;
  const FoundConfig found = require_config(options.config, QuickstartSecret::leave_out, io);
  socket_ = found.loaded.config.control.socket;
  if (socket_.empty()) {
    throw CommandFailure{ExitCode::unavailable,
                         "the configuration has no control.socket, so no command reaches its "
                         "server; use --url and --key"};
  }
}

Json ControlClient::ask(const std::string& method, const std::string& path,
                        const std::string& body) const {
  const Exchange done = exchange(method, url_ + path, socket_, key_, body, for_answers);
  if (done.result != CURLE_OK) {
    if (!socket_.empty()) throw unreachable_socket(socket_, done);
    throw CommandFailure{ExitCode::unavailable, fmt::format("{} cannot be reached: {}", url_,
                                                            curl_easy_strerror(done.result))};
  }
  if (done.status < 200 || done.status >= 300) throw refusal(done.status, done.body);
  if (done.body.empty()) return nullptr;
  Json json = Json::parse(done.body, nullptr, false);
  if (json.is_discarded()) {
    throw CommandFailure{ExitCode::unavailable, "what answers there is no turnpike server"};
  }
  return json;
}

bool tell_store_changed(const std::string& socket) {
  if (socket.empty()) return false;
  const Exchange done = exchange("POST", "http://localhost/v1/store/changed", socket, std::string{},
                                 std::string{}, for_courtesy);
  return done.result == CURLE_OK && done.status == 204;
}

}  // namespace turnpike::cli
