// How a client behaves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"

namespace kwta::client {

// When and how often a call that failed with UNAVAILABLE is made again. No other code is ever retried. The n-th pause
// is drawn from the upper half of min(initial_backoff * 2^(n-1), max_backoff), so that clients do not return in step.
struct RetryOptions {
  int attempts = 5;  // Calls in all; 1 switches retries off.
  absl::Duration initial_backoff = absl::Milliseconds(100);
  absl::Duration max_backoff = absl::Seconds(2);
};

// Second attempts of an Encode that is one request and slow to answer: over another connection, and to another server
// if the address names several. The first answer counts, and the other attempt is cancelled. It cuts the tail that one
// slow server or a lost packet makes, at the price of some rows encoded twice.
struct HedgeOptions {
  // Time without an answer after which the second attempt is made, such as the usual p95; nullopt: never.
  std::optional<absl::Duration> delay;
  // Share of the calls that may have one at most, 0 .. 1.
  double max_fraction = 0.05;
};

// Files in PEM form, read when the client is made.
struct TlsOptions {
  bool on = false;
  std::string ca;                // who must have signed the server's certificate; empty: the system's
  std::string certificate, key;  // of the client, if the server wants one
};

struct Options {
  // HOST:PORT of a server, or any other name that gRPC resolves; several addresses, IP:PORT,IP:PORT, are of servers
  // that serve the same. Calls go to all servers that the address leads to in turn, and to those left when some are
  // away. Servers elsewhere are reached through the proxy that http_proxy names, servers on this machine never.
  std::string address = "127.0.0.1:8500";
  TlsOptions tls;
  // Sent with every call, without the white space around it. Without TLS whoever is on the way can read it. What no
  // header can carry, such as a line's end, is the error of every call.
  std::string token;
  // File with the token, read when the client is made; empty: `token` is used. That it cannot be read is the error of
  // every call.
  std::string token_file;
  // Time that a call may take, retries included, unless it says otherwise.
  absl::Duration default_deadline = absl::Seconds(60);
  // Largest message sent or received. The server has a limit of its own, by default the same.
  int64_t max_message_bytes = int64_t{64} << 20;
  RetryOptions retry;
  HedgeOptions hedge;
};

// What a single call may say for itself.
struct CallOptions {
  // Time that the call may take, retries included; Options.default_deadline if it is not set.
  std::optional<absl::Duration> deadline;
};

}  // namespace kwta::client
