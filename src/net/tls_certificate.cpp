#include "net/tls_certificate.h"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>

#include "base/endpoint.h"
#include "net/tls_openssl.h"

namespace turnpike::net {
namespace {

using X509Ptr = std::unique_ptr<X509, FreeWith<X509_free>>;
using StorePtr = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;

WallTime wall_time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return WallTime{seconds{::timegm(&parts)}};
}

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::vector<std::string> names_in(X509* certificate) {
  std::vector<std::string> names;
  const NamesPtr all{static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type == GEN_DNS) names.push_back(text_of(name->d.dNSName));
    if (name->type != GEN_IPADD) continue;
    const std::string bytes = text_of(name->d.iPAddress);
    if (bytes.size() != 4 && bytes.size() != 16) continue;
    const Family family = bytes.size() == 4 ? Family::ipv4 : Family::ipv6;
    names.push_back(IpAddress::from_bytes(family, bytes_of(bytes)).to_string());
  }
  return names;
}

bool is_for(X509* certificate, const std::string& name) {
  if (IpAddress::parse(name)) return X509_check_ip_asc(certificate, name.c_str(), 0) == 1;
  return X509_check_host(certificate, name.data(), name.size(), 0, nullptr) == 1;
}

/// Goes on where only the dates are wrong: they are told apart.
int ignore_dates(int ok, X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  if (error != X509_V_ERR_CERT_HAS_EXPIRED && error != X509_V_ERR_CERT_NOT_YET_VALID) return ok;
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

std::string chain_problem_of(X509* certificate, STACK_OF(X509) * others) {
  const StorePtr store{X509_STORE_new()};
  const StoreContextPtr context{X509_STORE_CTX_new()};
  if (!store || !context || X509_STORE_set_default_paths(store.get()) != 1 ||
      X509_STORE_CTX_init(context.get(), store.get(), certificate, others) != 1) {
    return "the system's certificates cannot be read";
  }
  X509_STORE_CTX_set_default(context.get(), "ssl_server");
  X509_STORE_CTX_set_verify_cb(context.get(), ignore_dates);
  if (X509_verify_cert(context.get()) == 1) return "";
  return X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
}

}  // namespace

Result<CertificateFacts, std::string> inspect_certificate(const std::string& file,
                                                          const std::string& name) {
  const BioPtr bio{BIO_new_file(file.c_str(), "r")};
  if (!bio) return Failure<std::string>{file + " cannot be read"};
  const X509Ptr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
  if (!certificate) return Failure<std::string>{file + " has no certificate in PEM form"};
  STACK_OF(X509)* const others = sk_X509_new_null();
  while (X509* const other = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    sk_X509_push(others, other);
  }
  CertificateFacts facts;
  facts.not_before = wall_time_of(X509_get0_notBefore(certificate.get()));
  facts.not_after = wall_time_of(X509_get0_notAfter(certificate.get()));
  facts.names = names_in(certificate.get());
  facts.is_for_name = is_for(certificate.get(), name);
  facts.chain_problem = chain_problem_of(certificate.get(), others);
  sk_X509_pop_free(others, X509_free);
  return facts;
}

}  // namespace turnpike::net
