#include "client/cli/command.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/version.h"
#include "core/files/files.h"

namespace kwta::client::cli {
namespace {

constexpr uint64_t kMaxTokenBytes = 4096;

constexpr char kFooter[] = R"(Examples:
  kwta train --model fashion --units 1000 --k 25 --data fashion-mnist --watch
  kwta encode --model fashion --input batch.npy --output codes.npz
  kwta status
'kwta COMMAND --help' explains a command. Global options may stand before or after it.

Exit codes: 0 success; 1 a call or a file failed; 2 wrong usage; 3 the job that was watched failed or was
cancelled; 4 the server cannot be reached; 5 a reproduction did not come out as the papers claim; 130 interrupted (a
job that was being watched goes on).)";

}  // namespace

Options ServerOf(const GlobalOptions& global) {
  Options options;
  options.address = global.server;
  options.default_deadline = absl::Seconds(global.timeout_seconds);
  options.tls = global.tls;
  options.tls.on = global.tls.on || !global.tls.ca.empty() || !global.tls.certificate.empty();
  if (!global.token_file.empty()) {
    const absl::StatusOr<std::string> text = ReadFile(global.token_file, kMaxTokenBytes);
    if (!text.ok()) ReportFailure(text.status(), global);
    if (text.ok()) options.token = std::string(absl::StripAsciiWhitespace(*text));
  } else if (const char* token = std::getenv("KWTA_TOKEN")) {
    options.token = token;
  }
  return options;
}

std::unique_ptr<Client> Connect(const GlobalOptions& global) { return std::make_unique<Client>(ServerOf(global)); }

ExitCode ReportFailure(const absl::Status& status, const GlobalOptions& global) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      std::cerr << "kwta: the server at " << global.server << " cannot be reached (" << status.message()
                << "); start one with 'kwta-server', or name another with --server HOST:PORT or KWTA_SERVER\n";
      return kUnreachable;
    case absl::StatusCode::kDeadlineExceeded:
      std::cerr << "kwta: no answer in time (" << status.message() << "); --timeout SECONDS allows more than "
                << global.timeout_seconds << " s\n";
      return kFailed;
    case absl::StatusCode::kResourceExhausted:
      std::cerr << "kwta: " << status.message()
                << " (if a message was too large or the queue was full, a smaller --rows-per-request helps)\n";
      return kFailed;
    default:
      std::cerr << "kwta: " << status.message() << " (" << absl::StatusCodeToString(status.code()) << ")\n";
      return kFailed;
  }
}

ExitCode ReportUsage(const std::string& message) {
  std::cerr << "kwta: " << message << "\n";
  return kUsage;
}

std::unique_ptr<CLI::App> BuildCommandLine(GlobalOptions* global, Action* action) {
  auto app = std::make_unique<CLI::App>("Trains sparse encoders on a kwta server and encodes with them.", "kwta");
  app->footer(kFooter);
  app->set_version_flag("--version", absl::StrCat("kwta ", kVersion));
  app->require_subcommand(1);
  app->fallthrough();
  app->add_option("--server", global->server, "Address of the server")
      ->envname("KWTA_SERVER")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app->add_flag("--tls", global->tls.on, "Speak TLS, trusting the certificates that the system trusts");
  app->add_option("--tls-ca", global->tls.ca, "Speak TLS, trusting these certificates, PEM")
      ->envname("KWTA_TLS_CA")
      ->type_name("FILE");
  app->add_option("--tls-cert", global->tls.certificate, "Certificate to show to the server, PEM")
      ->envname("KWTA_TLS_CERT")
      ->type_name("FILE");
  app->add_option("--tls-key", global->tls.key, "Its private key, PEM")->envname("KWTA_TLS_KEY")->type_name("FILE");
  app->add_option("--token-file", global->token_file, "File with the token to send; KWTA_TOKEN holds one itself")
      ->envname("KWTA_TOKEN_FILE")
      ->type_name("FILE");
  app->add_flag("--json", global->json, "Print JSON for programs instead of text");
  app->add_option("--timeout", global->timeout_seconds, "Seconds that a call may take")
      ->check(CLI::PositiveNumber)
      ->type_name("SECONDS")
      ->capture_default_str();
  AddTrain(*app, action);
  AddEncode(*app, action);
  AddEvaluate(*app, action);
  AddStatus(*app, action);
  AddJobs(*app, action);
  AddWatch(*app, action);
  AddCancel(*app, action);
  AddModels(*app, action);
  AddDelete(*app, action);
  AddUpload(*app, action);
  AddLoad(*app, action);
  AddReproduce(*app, action);
  AddToken(*app, action);
  return app;
}

}  // namespace kwta::client::cli
