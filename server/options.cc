#include "server/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "command_line/completion.h"
#include "command_line/manual.h"
#include "command_line/suggest.h"
#include "command_line/usage_error.h"
#include "core/base/parse_number.h"
#include "core/base/version.h"
#include "server/address.h"
#include "server/options_file.h"
#include "server/placement/device_models.h"

namespace kwta::server {
namespace {

constexpr char kDescription[] =
    "Trains sparse encoders from jobs submitted over gRPC and serves their features.\n"
    "Every flag can also be given by the environment (--max-queue-rows as KWTA_MAX_QUEUE_ROWS) or in the file named "
    "by\n"
    "--config (max-queue-rows = 8192); a flag wins over the environment, the environment over the file.\n";

// What --manual and --completion print, instead of a server's start.
struct Printing {
  bool manual = false;
  std::string shell;
};

constexpr char kFooter[] =
    "\nExamples:\n"
    "  kwta-server\n"
    "      embedded defaults: state in ./kwta-data, gRPC on 127.0.0.1:8500, HTTP on 127.0.0.1:8501\n"
    "  kwta-server --state-dir /var/lib/kwta --listen 0.0.0.0:8500 --http 0.0.0.0:8501 --insecure --drain-delay 5\n"
    "      in a closed network without TLS: load balancers get 5 s to notice that the server drains\n"
    "  kwta-server --listen 127.0.0.1:0 --http 127.0.0.1:0 --ready-fd 3 3>ports.json\n"
    "      free ports, written to a file once the server is ready\n"
    "  KWTA_THREADS=2 kwta-server --config kwta.toml --data-dir /data/images\n"
    "\nExit codes: 0 stopped cleanly, 1 failed to start or to stop, 2 bad usage.\n";

// Returns an empty string if the server can listen on `address`, else what is wrong, as CLI11's validators do.
std::string CheckAddress(const std::string& address) { return std::string(ParseAddress(address).status().message()); }

std::string CheckDeviceModels(const std::string& models) {
  return std::string(ParseDeviceModels(models).status().message());
}

// Refuses standard error, where the log goes.
std::string RefuseLogDescriptor(const std::string& descriptor) {
  return descriptor == "2" ? "descriptor 2 is where the log goes; give one of your own, as in --ready-fd 3 3>file" : "";
}

// The only flag that may be repeated.
constexpr char kDataDirectoryFlag[] = "data-dir";

// Plugs our parser of option files into CLI11, whose own parsing of values is not used.
class OptionsFile final : public CLI::ConfigBase {
 public:
  // `known` are the keys that a file may have.
  explicit OptionsFile(std::vector<std::string> known) : known_(std::move(known)) {}

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    const std::string text{std::istreambuf_iterator<char>(input), std::istreambuf_iterator<char>()};
    const absl::StatusOr<std::vector<OptionsFileEntry>> entries = ParseOptionsFile(text);
    if (!entries.ok()) throw CLI::ConfigError(absl::StrCat("the file of --config, ", entries.status().message()));
    std::vector<CLI::ConfigItem> items;
    for (const OptionsFileEntry& entry : *entries) {
      if (std::find(known_.begin(), known_.end(), entry.key) == known_.end()) throw CLI::ConfigError(Unknown(entry));
      if (entry.is_array && entry.key != kDataDirectoryFlag) {
        throw CLI::ConfigError(absl::StrCat("the file of --config, line ", entry.line, ": '", entry.key,
                                            "' takes one value, not an array"));
      }
      if (!entry.values.empty()) items.push_back({{}, entry.key, entry.values});
    }
    return items;
  }

 private:
  std::string Unknown(const OptionsFileEntry& entry) const {
    const std::string guess = command_line::DidYouMean(entry.key, known_);
    return absl::StrCat("the file of --config, line ", entry.line, ": there is no option '", entry.key, "'",
                        guess.empty() ? "; kwta-server --help lists them" : guess);
  }

  std::vector<std::string> known_;
};

void AddOptions(CLI::App& app, Options& options) {
  const auto add = [&app](const char* flag, auto& target, const char* help) {
    return app.add_option(flag, target, help)
        ->capture_default_str()
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  };
  // Parses numbers before CLI11 does, which accepts "nan" as a number and 010 as 8.
  const auto count = [](auto low, auto high) { return NumberIn<decltype(low)>::Between(low, high); };
  const auto take = [](const auto& reader) { return reader.template As<CLI::Validator>(); };
  const CLI::Validator positive = take(count(int64_t{1}, int64_t{1} << 40));
  const CLI::Validator seconds = take(count(0.0, 86400.0).Of("seconds"));
  add("--state-dir", options.state_directory, "Directory of models, jobs, uploads and the job store")
      ->type_name("DIRECTORY")
      ->group("Where");
  add("--model-dir", options.model_directory,
      "Directory of models, which several servers may share; models in the state directory if not given")
      ->type_name("DIRECTORY")
      ->group("Where");
  add("--model-poll", options.model_poll_seconds,
      "Seconds between looks at the directory of models, besides those when something happens there")
      ->transform(take(count(0.1, 86400.0).Of("seconds")))
      ->group("Where");
  add("--listen", options.listen_address, "gRPC address, host:port; port 0 takes a free one")
      ->check(CheckAddress)
      ->group("Where");
  add("--http", options.http_address, "HTTP address of /metrics, /healthz and /readyz")
      ->check(CheckAddress)
      ->group("Where");
  add("--tls-cert", options.tls_certificate, "Certificate chain of the server, PEM; both ports then speak TLS only")
      ->type_name("FILE")
      ->group("Security");
  add("--tls-key", options.tls_key, "Its private key, PEM")->type_name("FILE")->group("Security");
  add("--tls-client-ca", options.tls_client_ca, "Certificates that must have signed those of clients, PEM")
      ->type_name("FILE")
      ->group("Security");
  add("--tls-reload-seconds", options.tls_reload_seconds, "Time until files that changed are read again")
      ->transform(take(count(1, 86'400).Of("seconds")))
      ->group("Security");
  add("--tokens", options.token_file, "File of bearer tokens, made by 'kwta token'; calls then need one")
      ->type_name("FILE")
      ->group("Security");
  app.add_flag("--insecure", options.insecure, "Listen beyond this machine without TLS, or for everybody")
      ->group("Security");
  app.add_flag("--insecure-http", options.insecure_http, "The same for the HTTP port, which then has no TLS")
      ->group("Security");
  app.add_option("--ready-fd", options.ready_descriptor,
                 "Descriptor that gets the ports as a line of JSON, and is closed, once the server is ready")
      ->transform(take(count(0, 1 << 20)))
      ->check(RefuseLogDescriptor)
      ->group("Where");
  app.add_option("--data-dir", options.data_directories,
                 "Further directory searched for data sets; repeatable (KWTA_DATA_DIR takes one)")
      ->type_name("DIRECTORY")
      ->group("Where");
  add("--backend", options.backend, "Backend that computes; the best one built in if not given")->group("Encoding");
  add("--threads", options.threads, "Threads of Encode; 0 takes every processor the process may use")
      ->transform(take(count(0, 1024)))
      ->group("Encoding");
  app.add_option("--device", options.device,
                 "Number of the device that computes, from 0; an error if there are devices but not this one")
      ->transform(take(count(0, 1023)))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->group("Encoding");
  add("--device-models", options.device_models,
      "Models that the device encodes if there is one: all, none, or names with commas between them")
      ->check(CheckDeviceModels)
      ->type_name("MODELS")
      ->group("Encoding");
  add("--device-memory", options.device_memory_bytes,
      "Memory of the device for models, such as 8GB; 0: four fifths of what is free at the start")
      ->transform(take(SizeIn::Between(0, uint64_t{1} << 60)))
      ->group("Encoding");
  add("--device-full", options.device_full,
      "What does not fit into the device's memory: the processor computes it, or refuse it")
      ->check(CLI::IsMember({"compute", "refuse"}))
      ->group("Encoding");
  add("--model-memory", options.model_memory_bytes, "Memory of model parameters, such as 8GB; 0: no limit")
      ->transform(take(SizeIn::Between(0, uint64_t{1} << 60)))
      ->group("Encoding");
  add("--oip-non-finite", options.oip_non_finite,
      "What NaN and infinity mean in requests of the Open Inference Protocol that do not say it")
      ->check(CLI::IsMember({"refuse", "zero"}))
      ->group("Encoding");
  add("--max-batch-rows", options.max_batch_rows, "Rows computed at once")->transform(positive)->group("Encoding");
  add("--max-queue-rows", options.max_queue_rows, "Rows that may wait")->transform(positive)->group("Encoding");
  add("--max-queue-bytes", options.max_queue_bytes, "Bytes of rows that may wait")
      ->transform(positive)
      ->group("Encoding");
  add("--max-queue-ms", options.max_queue_milliseconds,
      "Time that a call may have to wait before it is refused, if 8, or 32 rows, wait already; 0: any")
      ->transform(take(count(0.0, 86'400'000.0).Of("milliseconds")))
      ->group("Encoding");
  add("--batch-linger-ms", options.batch_linger_milliseconds, "Time that a batch waits for more rows; 0: none")
      ->transform(take(count(0.0, 60'000.0).Of("milliseconds")))
      ->group("Encoding");
  add("--max-message-bytes", options.max_message_bytes, "Largest message, either way")
      ->transform(take(count(int64_t{1024}, int64_t{2147483647}).Of("bytes")))
      ->group("Limits");
  app.add_flag("--accept-compression", options.accept_compression,
               "Take compressed messages, which are unpacked before the caller's token and their size are looked at")
      ->group("Limits");
  add("--max-upload-bytes", options.max_upload_bytes, "Largest data set uploaded")
      ->transform(positive)
      ->group("Limits");
  add("--max-concurrent-calls", options.max_concurrent_calls, "Calls served at once")
      ->transform(take(count(1, 1 << 20)))
      ->group("Limits");
  add("--max-connections", options.max_connections,
      "Connections to the gRPC port; 0: as many as the limit on descriptors leaves room for")
      ->transform(take(count(0, 1'000'000)))
      ->group("Limits");
  add("--max-connections-per-host", options.max_connections_per_host, "Those from one host; 0: three quarters of all")
      ->transform(take(count(0, 1'000'000)))
      ->group("Limits");
  add("--max-held-bytes", options.max_held_bytes,
      "Bytes of unfinished messages of all connections; beyond, the connection with the most is ended")
      ->transform(positive)
      ->group("Limits");
  add("--max-stream-messages", options.max_stream_messages,
      "Messages in flight on one EncodeStream, together of at most --max-message-bytes and one more")
      ->transform(take(count(1, 1 << 20)))
      ->group("Limits");
  add("--body-timeout-seconds", options.body_timeout_seconds,
      "Time in which a caller must send the message of its call")
      ->transform(take(count(0.1, 86400.0).Of("seconds")))
      ->group("Limits");
  add("--max-health-watchers", options.max_health_watchers,
      "Health watchers at once, which need no token; half of that of one host")
      ->transform(take(count(1, 1 << 20)))
      ->group("Limits");
  add("--max-running-jobs", options.max_running_jobs, "Training jobs at a time; 0 keeps all in the queue")
      ->transform(take(count(0, 1024)))
      ->group("Training");
  add("--max-queued-jobs", options.max_queued_jobs, "Training jobs that may wait")
      ->transform(take(count(1, 1'000'000)))
      ->group("Training");
  add("--trainer-niceness", options.trainer_niceness,
      "Nice level of training among other programs; it yields to Encode unless 0; 19: only on what nobody else wants")
      ->transform(take(count(0, 19)))
      ->group("Training");
  add("--trainer", options.trainer_path, "Program that trains; kwta-trainer beside this program if not given")
      ->type_name("FILE")
      ->group("Training");
  add("--trainer-stop-seconds", options.trainer_stop_seconds, "A trainer told to stop is killed after this")
      ->transform(seconds)
      ->group("Training");
  add("--drain-delay", options.drain_delay_seconds, "Seconds to go on serving after SIGTERM (5 under Kubernetes)")
      ->transform(seconds)
      ->group("Stopping");
  add("--drain-grace", options.drain_grace_seconds, "Seconds that calls in flight get after that")
      ->transform(seconds)
      ->group("Stopping");
  add("--log-level", options.log_level, "Least level that is logged")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}));
  add("--log-format", options.log_format, "text, or json: an object a line")->check(CLI::IsMember({"text", "json"}));
  app.add_flag("--check-config", options.check_config,
               "Say whether a server could start with these options, and exit: 0 it could, 1 or 2 not");
}

// Options about the command line itself, which neither the environment nor a file sets.
bool IsOfTheCommandLineAlone(const std::string& name) {
  return name == "help" || name == "version" || name == "check-config" || name == "manual" || name == "completion";
}

// Returns the keys that a file of options may have: the names of the flags.
std::vector<std::string> FileKeys(const CLI::App& app) {
  std::vector<std::string> keys;
  for (const CLI::Option* option : app.get_options()) {
    const std::string& name = option->get_lnames().at(0);
    if (!IsOfTheCommandLineAlone(name) && name != "config") keys.push_back(name);
  }
  return keys;
}

// For whoever makes a package.
void AddPrinting(CLI::App& app, Printing& printing) {
  app.add_flag("--manual", printing.manual, "Print the manual page")->group("");
  app.add_option("--completion", printing.shell, "Print the completion script of a shell")
      ->check(CLI::IsMember(command_line::Shells()))
      ->group("");
}

// Returns the text that `printing` names; empty if it names none.
std::string Print(const Printing& printing, const CLI::App& app) {
  if (!printing.shell.empty()) return command_line::Completion(app, printing.shell);
  if (!printing.manual) return "";
  return command_line::ManualPages(app, absl::StrCat("kwta ", kVersion), 8, {"kwta(1)"}).front().text;
}

bool IsLoopback(const std::string& address) {
  const absl::StatusOr<Address> parsed = ParseAddress(address);
  return parsed.ok() && parsed->is_loopback();
}

std::string Unprotected(const std::string& address, const char* flag) {
  return absl::StrCat("'", address, "' can be reached from other machines: give --tls-cert and --tls-key, and ",
                      "--tokens or --tls-client-ca, or say ", flag);
}

// Returns an empty string if the options are consistent, else what is wrong.
std::string CheckSecurity(const Options& options) {
  if (options.tls_certificate.empty() != options.tls_key.empty()) return "--tls-cert and --tls-key go together";
  if (!options.tls_client_ca.empty() && options.tls_certificate.empty()) return "--tls-client-ca needs --tls-cert";
  if (options.insecure) return "";
  const bool known_callers = !options.token_file.empty() || !options.tls_client_ca.empty();
  const bool secure = known_callers && !options.tls_certificate.empty();
  if (!secure && !IsLoopback(options.listen_address)) return Unprotected(options.listen_address, "--insecure");
  if (!secure && !options.insecure_http && !IsLoopback(options.http_address)) {
    return Unprotected(options.http_address, "--insecure-http");
  }
  return "";
}

// Returns the flags that the environment sets. They go before those of the command line, since the last one counts.
// (CLI11 reads the environment too, but its configuration file then wins over it.)
std::vector<std::string> EnvironmentFlags(const CLI::App& app, const std::set<std::string>& given) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    const std::string name = option->get_lnames().at(0);
    if (IsOfTheCommandLineAlone(name)) continue;
    if (given.count(name) != 0) continue;
    const std::string variable = absl::StrCat("KWTA_", absl::AsciiStrToUpper(absl::StrReplaceAll(name, {{"-", "_"}})));
    const char* value = std::getenv(variable.c_str());
    if (value != nullptr && *value != '\0') flags.push_back(absl::StrCat("--", name, "=", value));
  }
  return flags;
}

}  // namespace

CommandLine ParseCommandLine(int argc, const char* const* argv) {
  CommandLine result;
  CLI::App app(kDescription, "kwta-server");
  app.footer(kFooter);
  app.set_version_flag("--version", absl::StrCat("kwta-server ", kVersion));
  app.set_config("--config", "", "File of options, key = value in TOML's form")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->type_name("FILE");
  app.allow_config_extras(CLI::config_extras_mode::error);
  AddOptions(app, result.options);
  Printing printing;
  AddPrinting(app, printing);
  app.config_formatter(std::make_shared<OptionsFile>(FileKeys(app)));

  std::vector<std::string> arguments(argv + 1, argv + argc);
  std::set<std::string> given;
  for (const std::string& argument : arguments) {
    if (absl::StartsWith(argument, "--")) given.insert(argument.substr(2, argument.find('=') - 2));
  }
  for (std::string& flag : EnvironmentFlags(app, given)) arguments.insert(arguments.begin(), std::move(flag));
  try {
    command_line::Parse(app, arguments);
    result.text = Print(printing, app);
    if (!result.text.empty()) {
      result.done = true;
      return result;
    }
    const std::string wrong = CheckSecurity(result.options);
    if (!wrong.empty()) throw CLI::ValidationError(wrong);
  } catch (const CLI::ParseError& error) {
    result.done = true;
    if (error.get_exit_code() == 0) {  // --help, --version
      std::ostringstream out, err;
      app.exit(error, out, err);
      result.text = out.str();
      return result;
    }
    result.exit_code = 2;
    result.text = absl::StrCat("kwta-server: ", command_line::UsageErrorText(app, arguments, error),
                               "\nRun 'kwta-server --help' for its options.\n");
  }
  return result;
}

}  // namespace kwta::server
