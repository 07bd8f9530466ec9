// Options of a client.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace kwta::client {

// When and how often the client retries a call that failed with UNAVAILABLE. It never retries another code. The n-th
// pause is drawn from the upper half of min(initial_backoff * 2^(n-1), max_backoff), so that clients do not return in
// step.
struct RetryOptions {
  int attempts = 5;  // Attempts in all; 1 switches retries off.
  absl::Duration initial_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(2);
};

// Second attempts of a slow Encode that is a single request. The client makes them over another connection, and to
// another server if the address names several. The first answer counts; the other attempt is cancelled. This cuts the
// tail that one slow server or a lost packet causes, at the price of encoding some rows twice.
struct HedgeOptions {
  // How long to wait for an answer before the second attempt, such as the usual p95; nullopt: never.
  std::optional<absl::Duration> delay;
  // The largest share of calls, 0 .. 1, that may have a second attempt.
  double max_fraction = 0.05;
};

// PEM files, read when the client is made.
struct TlsOptions {
  bool on = false;
  std::string ca;                // signs the server's certificate; empty: the system's authorities
  std::string certificate, key;  // the client's, if the server wants one
};

struct Options {
  // HOST:PORT of a server, or any other name that gRPC resolves. Several addresses, IP:PORT,IP:PORT, must belong to
  // servers that serve the same. Calls go in turn to all servers that the address leads to, and to the remaining ones
  // if some are away. The client reaches other machines through the proxy of http_proxy, but never servers on this
  // machine.
  std::string address = "127.0.0.1:8500";
  TlsOptions tls;
  // Sent with every call, without surrounding white space. Without TLS anybody on the way can read it. If a header
  // cannot carry it, for example because of a line end, every call fails with that error.
  std::string token;
  // File with the token, read when the client is made; empty: use `token`. If it cannot be read, every call fails with
  // that error.
  std::string token_file;
  // Time for a call, retries included, unless the call sets its own.
  absl::Duration default_deadline = absl::Seconds(60);
  // Largest message sent or received. The server has its own limit, by default the same.
  int64_t max_message_bytes = int64_t{56} << 20;
  RetryOptions retry;
  HedgeOptions hedge;
};

// Options of a single call.
struct CallOptions {
  // Time for the call, retries included; Options.default_deadline if not set.
  std::optional<absl::Duration> deadline;
};

}  // namespace kwta::client
