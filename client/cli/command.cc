#include "client/cli/command.h"

#include <cstdlib>

namespace kwta::client::cli {

Options ServerOf(const GlobalOptions& global) {
  Options options;
  options.address = global.server;
  options.default_deadline = absl::Seconds(global.timeout_seconds);
  options.tls = global.tls;
  options.tls.on = global.tls.on || !global.tls.ca.empty() || !global.tls.certificate.empty();
  options.token_file = global.token_file;
  const char* token = std::getenv("KWTA_TOKEN");
  if (token != nullptr && global.token_file.empty()) options.token = token;
  return options;
}

std::unique_ptr<Client> Connect(const GlobalOptions& global) { return std::make_unique<Client>(ServerOf(global)); }

}  // namespace kwta::client::cli
