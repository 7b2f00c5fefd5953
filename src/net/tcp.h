// TCP sockets, listening and connected. What the bytes mean is not known here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/result.h"

namespace turnpike::net {

/// Why a read or a write moved no bytes.
enum class StreamStop : std::uint8_t {
  would_block,  ///< later, when the Poller says so
  ended,        ///< the other side has closed, or the connection broke
};

/// One connected, non-blocking socket; owns the descriptor.
class TcpSocket {
 public:
  explicit TcpSocket(int descriptor) : descriptor_(descriptor) {}
  /// Begins to connect from `from`, on which a TcpListener with `shares_with_connects` may listen.
  /// The outcome is there once the socket is writable. Error: what the kernel says at once.
  [[nodiscard]] static Result<TcpSocket, std::error_code> connect(const Endpoint& from,
                                                                  const Endpoint& to);
  ~TcpSocket();
  TcpSocket(TcpSocket&& other) noexcept;
  TcpSocket& operator=(TcpSocket&& other) noexcept;

  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// Why connecting has failed; nothing when it has not.
  [[nodiscard]] std::error_code take_error();

  /// Reads up to out.size() bytes; how many, at least one.
  [[nodiscard]] Result<std::size_t, StreamStop> read(MutableByteView out);
  /// Writes what the kernel takes; how many bytes that were, at least one.
  [[nodiscard]] Result<std::size_t, StreamStop> write(ByteView bytes);
  /// Lets the kernel find out when the other side has vanished without a word: reads end then, a
  /// minute after the last sign of life.
  void keep_alive();
  /// Sends FIN: nothing more is written, what the other side still sends can be read.
  void finish_writing();

 private:
  int descriptor_;
};

/// A new connection.
struct Accepted {
  TcpSocket socket;
  Endpoint client;
  Endpoint local;
};

/// How to open a TcpListener.
struct TcpListenerOptions {
  Endpoint bind;
  bool reuse_port = false;  ///< several workers share the address (SO_REUSEPORT)
  /// TcpSocket::connect() may use the address too. Nobody else listens there: the address must be
  /// free when it is opened.
  bool shares_with_connects = false;
};

/// One listening socket. IPv6 listeners take no IPv4 connections.
class TcpListener {
 public:
  /// Error: what the kernel says.
  [[nodiscard]] static Result<TcpListener, std::error_code> open(const TcpListenerOptions& options);
  ~TcpListener();
  TcpListener(TcpListener&& other) noexcept;
  TcpListener& operator=(TcpListener&& other) noexcept;

  [[nodiscard]] const Endpoint& local() const { return local_; }
  [[nodiscard]] int descriptor() const { return descriptor_; }

  /// The next waiting connection. Error: `operation_would_block` when there is none; EMFILE and the
  /// like when this host has no room for one more. Connections that broke while waiting are
  /// skipped.
  [[nodiscard]] Result<Accepted, std::error_code> accept();

 private:
  explicit TcpListener(int descriptor) : descriptor_(descriptor) {}

  int descriptor_;
  Endpoint local_;
};

}  // namespace turnpike::net
