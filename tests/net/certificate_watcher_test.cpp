#include "net/certificate_watcher.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "catch.h"
#include "net/certificates.h"
#include "net/tls_test_client.h"

namespace turnpike::net {
namespace {

/// A watcher of files with a P-256 pair.
class Watched {
 public:
  Watched()
      : files{KeyKind::p256},
        first{files.load().value()},
        watcher_{files.certificate(), files.key(), first} {
    REQUIRE(silent());
  }

  CertificateWatcher::Outcome poll() {
    ++tick_;
    return watcher_.poll({today, false});
  }
  /// Nothing new.
  bool silent() {
    const auto outcome = poll();
    return outcome.context == nullptr && outcome.error.empty();
  }
  /// Gives both files a time of their own: writes in one tick of the kernel's clock look the same.
  void touch() const {
    for (const std::string& file : {files.certificate(), files.key()}) {
      const std::array<timespec, 2> times{timespec{1'800'000'000 + tick_, 0},
                                          timespec{1'800'000'000 + tick_, 0}};
      REQUIRE(utimensat(AT_FDCWD, file.c_str(), times.data(), 0) == 0);
    }
  }

  CertificateFiles files;
  std::shared_ptr<const TlsContext> first;

 private:
  CertificateWatcher watcher_;
  time_t tick_ = 0;
};

bool contains(const std::string& text, std::string_view piece) {
  return text.find(piece) != std::string::npos;
}

int key_type(const TlsTestClient& client) {
  const CertificatePtr certificate{SSL_get1_peer_certificate(client.ssl())};
  return EVP_PKEY_get_base_id(X509_get0_pubkey(certificate.get()));
}

}  // namespace

TEST_CASE("files that stay as they are cause nothing", "[net]") {
  Watched watched;
  CHECK(watched.silent());
  watched.touch();
  CHECK(watched.silent());
}

TEST_CASE("a changed pair is for new sessions; live ones go on with the old", "[net][L12]") {
  Watched watched;
  TlsPair live{watched.first};
  live.connect();
  CHECK(key_type(live.client) == EVP_PKEY_EC);
  watched.first.reset();

  watched.files.write_pair(KeyKind::rsa_2048);
  watched.touch();
  const auto outcome = watched.poll();
  CHECK(outcome.error.empty());
  REQUIRE(outcome.context != nullptr);
  CHECK(watched.silent());

  TlsPair fresh{outcome.context};
  fresh.connect();
  CHECK(key_type(fresh.client) == EVP_PKEY_RSA);

  live.client.send("still here");
  live.exchange();
  CHECK(live.received == "still here");
  live.server_sends("so am I");
  live.to_client();
  CHECK(live.client.received == "so am I");
}

TEST_CASE("a pair renamed into place is noticed by its inodes", "[net]") {
  Watched watched;
  CertificateFiles renewed{KeyKind::rsa_2048};
  REQUIRE(std::rename(renewed.certificate().c_str(), watched.files.certificate().c_str()) == 0);
  REQUIRE(std::rename(renewed.key().c_str(), watched.files.key().c_str()) == 0);
  CHECK(watched.poll().context != nullptr);
  CHECK(watched.silent());
}

TEST_CASE("a broken pair is reported once and the next good one is taken", "[net][L12]") {
  Watched watched;
  const std::string certificate = make_certificate(shared_key(KeyKind::rsa_2048));
  std::string says;
  SECTION("half of the certificate") {
    watched.files.write_certificate(certificate.substr(0, certificate.size() / 2));
    says = "broken PEM block";
  }
  SECTION("nothing yet") {
    watched.files.write_certificate("");
    says = "no PEM certificate";
  }
  SECTION("the certificate before its key") {
    watched.files.write_certificate(certificate);
    says = "does not belong to";
  }
  watched.touch();
  const auto broken = watched.poll();
  CHECK(broken.context == nullptr);
  CHECK(contains(broken.error, says));
  CHECK(watched.silent());
  CHECK(watched.silent());

  watched.files.write_pair(KeyKind::rsa_2048);
  watched.touch();
  const auto repaired = watched.poll();
  CHECK(repaired.error.empty());
  CHECK(repaired.context != nullptr);
  CHECK(watched.silent());
}

TEST_CASE("a file that is gone is reported once and taken when it is back", "[net][L12]") {
  Watched watched;
  unlink(watched.files.key().c_str());
  const auto gone = watched.poll();
  CHECK(gone.context == nullptr);
  CHECK(contains(gone.error, "No such file"));
  CHECK(watched.silent());

  watched.files.write_pair(KeyKind::rsa_2048);
  CHECK(watched.poll().context != nullptr);
  CHECK(watched.silent());
}

TEST_CASE("each change to another broken pair is reported", "[net]") {
  Watched watched;
  watched.files.write_certificate("x");
  watched.touch();
  CHECK_FALSE(watched.poll().error.empty());
  watched.files.write_certificate("y");
  watched.touch();
  CHECK_FALSE(watched.poll().error.empty());
  CHECK(watched.silent());
}

TEST_CASE("a pair that goes back to what it was is no change", "[net]") {
  Watched watched;
  std::string certificate;
  {
    std::ifstream stream{watched.files.certificate()};
    certificate.assign(std::istreambuf_iterator<char>{stream}, {});
  }
  watched.files.write_certificate("x");
  watched.touch();
  CHECK_FALSE(watched.poll().error.empty());
  watched.files.write_certificate(certificate);
  watched.touch();
  CHECK(watched.silent());
}

TEST_CASE("what changed before the first poll is noticed", "[net]") {
  CertificateFiles files{KeyKind::p256};
  const auto old = files.load().value();
  files.write_pair(KeyKind::rsa_2048);
  CertificateWatcher watcher{files.certificate(), files.key(), old};
  CHECK(watcher.poll({today, false}).context != nullptr);
}

TEST_CASE("an expired pair is not taken, unless that is allowed", "[net][L11]") {
  CertificateFiles files{KeyKind::p256};
  CertificateWatcher watcher{files.certificate(), files.key(), files.load().value()};
  files.write_pair(KeyKind::rsa_2048);
  SECTION("refused") {
    const auto outcome = watcher.poll({valid_until + seconds{1}, false});
    CHECK(outcome.context == nullptr);
    CHECK(contains(outcome.error, "expired on"));
  }
  SECTION("allowed") { CHECK(watcher.poll({valid_until + seconds{1}, true}).context != nullptr); }
}

}  // namespace turnpike::net
