// Plays the trainer. The model's name says what it does:
//   good      reports three epochs and a bundle         failing   reports that it failed
//   crashing  is killed by a signal                      silent    says something on stderr and exits with code 7
//   garbage   writes what is no report                   nosy      reports what it inherited, as its failure
//   patient   reports progress and waits for SIGTERM, then leaves a checkpoint; with a checkpoint it is good
//   stubborn  reports progress and ignores SIGTERM       leaving   leaves a child that holds the pipe, exits with code
//   0
//   starved   leaves a checkpoint and has no memory; with a checkpoint it is good
//   unlucky   is killed the first time, and good after that
//   hunted    is killed after it left a checkpoint, but good if it got that of another job
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/io/model_bundle.h"
#include "google/protobuf/util/delimited_message_util.h"
#include "kwta/v1/job.pb.h"

namespace kwta {
namespace {

void Send(const v1::TrainerReport& report) { google::protobuf::util::SerializeDelimitedToFileDescriptor(report, 3); }

void SendProgress(uint32_t epoch) {
  v1::TrainerReport report;
  report.mutable_progress()->set_epochs_done(epoch);
  report.mutable_progress()->set_epochs(3);
  report.mutable_progress()->set_loss(10.0 / (epoch + 1));
  Send(report);
}

int BeGood(const v1::TrainerTask& task) {
  for (uint32_t epoch = 1; epoch <= 3; ++epoch) SendProgress(epoch);
  ModelBundle bundle;
  bundle.description.set_format(1);
  bundle.description.set_name(task.spec().model());
  bundle.description.set_job_id(task.job_id());
  bundle.tensors.emplace("atoms", Tensor(DType::kF32, {2, 2}));
  if (!WriteModelBundle(task.work_directory() + "/bundle", bundle).ok()) return 1;
  v1::TrainerReport report;
  report.mutable_finished()->set_loss(1);
  Send(report);
  return 0;
}

int Fail(int code, const std::string& message) {
  v1::TrainerReport report;
  report.mutable_failed()->set_code(code);
  report.mutable_failed()->set_message(message);
  Send(report);
  return 0;
}

int BePatient(const v1::TrainerTask& task) {
  const std::string checkpoint = task.work_directory() + "/checkpoint";
  if (std::ifstream(checkpoint)) return BeGood(task);
  SendProgress(1);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  int signal = 0;
  sigwait(&signals, &signal);
  std::ofstream(checkpoint) << "here";
  v1::TrainerReport report;
  report.set_interrupted(true);
  Send(report);
  return 0;
}

std::string WhatWasInherited() {
  std::string found = "descriptors";
  DIR* directory = opendir("/proc/self/fd");
  const int own = dirfd(directory);
  while (const dirent* entry = readdir(directory)) {
    if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != own) absl::StrAppend(&found, " ", entry->d_name);
  }
  closedir(directory);
  return absl::StrCat(found, ", nice ", getpriority(PRIO_PROCESS, 0),
                      sched_getscheduler(0) == SCHED_IDLE ? ", idle" : "");
}

int Play(const v1::TrainerTask& task) {
  const std::string& role = task.spec().model();
  if (role == "good") return BeGood(task);
  if (role == "failing") return Fail(5, "there are no such rows");
  if (role == "crashing") return raise(SIGKILL);
  if (role == "silent") {
    std::cerr << "out of ideas" << std::endl;
    return 7;
  }
  if (role == "garbage") {
    const std::string bytes(64, '\xff');
    if (write(3, bytes.data(), bytes.size()) < 0) return 1;
    pause();
  }
  if (role == "nosy") return Fail(9, WhatWasInherited());
  if (role == "patient") return BePatient(task);
  if (role == "unlucky") {
    const std::string checkpoint = task.work_directory() + "/checkpoint";
    if (std::ifstream(checkpoint)) return BeGood(task);
    std::ofstream(checkpoint) << "here";
    return raise(SIGKILL);
  }
  if (role == "hunted") {
    const std::string checkpoint = task.work_directory() + "/checkpoint";
    std::string owner;
    if (std::ifstream(checkpoint) >> owner && owner != task.job_id()) return BeGood(task);
    std::ofstream(checkpoint) << task.job_id();
    return raise(SIGKILL);
  }
  if (role == "starved") {
    const std::string checkpoint = task.work_directory() + "/checkpoint";
    if (std::ifstream(checkpoint)) return BeGood(task);
    std::ofstream(checkpoint) << "here";
    return Fail(8, "no device memory for 4096 bytes");
  }
  if (role == "stubborn") {
    signal(SIGTERM, SIG_IGN);
    SendProgress(1);
    for (;;) pause();
  }
  if (role == "leaving") {
    if (fork() == 0) {
      alarm(20);  // dies by itself
      pause();
    }
    return 0;
  }
  return 1;
}

}  // namespace
}  // namespace kwta

int main() {
  // Blocked before anything is reported, so that no signal can come too early.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigset_t inherited;
  sigprocmask(SIG_SETMASK, nullptr, &inherited);
  if (sigismember(&inherited, SIGTERM) == 1) return 2;
  kwta::v1::TrainerTask task;
  if (!task.ParseFromIstream(&std::cin)) return 1;
  if (task.spec().model() == "patient") sigprocmask(SIG_BLOCK, &signals, nullptr);
  return kwta::Play(task);
}
