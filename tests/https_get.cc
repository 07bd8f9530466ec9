#include "tests/https_get.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <memory>

namespace kwta::testing {

std::string HttpsGet(int port, const std::string& path, const HttpsIdentity& identity, const std::string& headers) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (SSL_CTX_load_verify_file(context.get(), identity.ca.c_str()) != 1) return "";
  if (!identity.certificate.empty() &&
      (SSL_CTX_use_certificate_chain_file(context.get(), identity.certificate.c_str()) != 1 ||
       SSL_CTX_use_PrivateKey_file(context.get(), identity.key.c_str(), SSL_FILETYPE_PEM) != 1)) {
    return "";
  }
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> connection(BIO_new_ssl_connect(context.get()), &BIO_free_all);
  BIO_set_conn_hostname(connection.get(), ("127.0.0.1:" + std::to_string(port)).c_str());
  if (BIO_do_handshake(connection.get()) != 1) return "";
  const std::string request =
      "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers + "\r\n";
  if (BIO_write(connection.get(), request.data(), static_cast<int>(request.size())) <= 0) return "";
  std::string answer;
  char block[4096];
  for (int count = 0; (count = BIO_read(connection.get(), block, sizeof(block))) > 0;) {
    answer.append(block, static_cast<size_t>(count));
  }
  return answer;
}

}  // namespace kwta::testing
