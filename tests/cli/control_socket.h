// A running server, as far as commands that change the store can see one: its control socket.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace turnpike::test {

/// Notes the first line of each request and answers 204. For one request at a time.
class ControlSocket {
 public:
  enum class Mood : std::uint8_t {
    answers,
    mute,  ///< takes connections and says nothing
  };

  explicit ControlSocket(const std::string& path, Mood mood = Mood::answers)
      : path_(path), mood_(mood), listener_(::socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw std::runtime_error("long path " + path);
    std::memcpy(address.sun_path, path.data(), path.size());
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 8) != 0) {
      throw std::runtime_error("listen " + path);
    }
    thread_ = std::thread{[this] { serve(); }};
  }
  ~ControlSocket() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    ::unlink(path_.c_str());
  }
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  /// What was asked since the last time: "POST /v1/store/changed HTTP/1.1".
  [[nodiscard]] std::vector<std::string> take() const {
    const std::lock_guard lock{mutex_};
    return std::exchange(requests_, {});
  }

 private:
  void serve() {
    std::vector<int> held;
    for (;;) {
      const int connection = ::accept(listener_, nullptr, nullptr);
      if (connection < 0) break;
      held.push_back(connection);
      if (mood_ == Mood::answers) answer(connection);
    }
    for (const int connection : held) ::close(connection);
  }

  void answer(int connection) const {
    std::string text;
    std::array<char, 1024> buffer{};
    while (text.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = ::read(connection, buffer.data(), buffer.size());
      if (count <= 0) return;
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    {
      const std::lock_guard lock{mutex_};
      requests_.push_back(text.substr(0, text.find('\r')));
    }
    const std::string reply = "HTTP/1.1 204 No Content\r\n\r\n";
    static_cast<void>(::write(connection, reply.data(), reply.size()) > 0);
  }

  const std::string path_;
  const Mood mood_;
  const int listener_;
  mutable std::mutex mutex_;
  mutable std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace turnpike::test
