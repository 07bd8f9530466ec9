#include "server/security/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/files/files.h"
#include "tests/temporary_directory.h"

namespace kwta::server {
namespace {

using ::testing::HasSubstr;

// The files are looked at for every connection.
class CertificatesTest : public ::testing::Test {
 protected:
  CertificatesTest() {
    Install("server-a.pem", "server.pem");
    Install("server-a.key", "server.key");
    Install("ca-a.pem", "clients.pem");
  }

  void Install(const std::string& source, const std::string& name) {
    std::filesystem::copy_file(KWTA_TEST_DATA "/tls/" + source, directory_.File(name),
                               std::filesystem::copy_options::overwrite_existing);
  }
  std::string Read(const std::string& name) { return ReadFile(directory_.File(name), 1 << 20).value(); }

  absl::StatusOr<std::unique_ptr<Certificates>> Open() {
    Certificates::Events events;
    events.taken = [this](absl::Time expires) { taken_.push_back(expires); };
    events.looked = [this](const absl::Status& status) { looks_.push_back(status); };
    return Certificates::Open({directory_.File("server.pem"), directory_.File("server.key"),
                               directory_.File("clients.pem"), /*reload_seconds=*/0},
                              std::move(events), [this] { return now_; });
  }

  TemporaryDirectory directory_;
  absl::Time now_ = absl::Now();
  std::vector<absl::Time> taken_;
  std::vector<absl::Status> looks_;
};

TEST_F(CertificatesTest, AreTakenAgainWhenTheyChange) {
  const auto certificates = Open().value();
  const auto first = certificates->Current();
  EXPECT_EQ(first->certificate, Read("server.pem"));
  EXPECT_EQ(certificates->Current(), first) << "the same object";
  ASSERT_EQ(taken_.size(), 1u);
  EXPECT_GT(taken_[0], now_);
  Install("server-b.pem", "server.pem");
  Install("server-b.key", "server.key");
  EXPECT_NE(certificates->Current(), first);
  EXPECT_EQ(certificates->Current()->certificate, Read("server.pem"));
  EXPECT_EQ(taken_.size(), 2u);
  EXPECT_TRUE(looks_.empty()) << "nothing was wrong";
}

// What files may hold when they are looked at: the pair before must go on, and be told of, in every case.
struct Damage {
  const char* name;
  const char* file;
  std::function<std::string(const std::string&)> change;
  const char* words;
};

class DamagedCertificatesTest : public CertificatesTest, public ::testing::WithParamInterface<Damage> {};

TEST_P(DamagedCertificatesTest, ChangeNothingAndAreTold) {
  const auto certificates = Open().value();
  const auto good = certificates->Current();
  const std::string before = Read(GetParam().file);
  directory_.Write(GetParam().file, GetParam().change(before));
  EXPECT_EQ(certificates->Current(), good);
  EXPECT_EQ(certificates->Current(), good);
  ASSERT_EQ(looks_.size(), 1u) << "told once";
  EXPECT_THAT(std::string(looks_[0].message()), HasSubstr(GetParam().words));
  EXPECT_THAT(std::string(looks_[0].message()), HasSubstr(directory_.File(GetParam().file)));
  EXPECT_FALSE(Open().ok()) << "nor does a server start with them";
  directory_.Write(GetParam().file, before);
  EXPECT_EQ(certificates->Current(), good);
  ASSERT_EQ(looks_.size(), 2u);
  EXPECT_TRUE(looks_[1].ok());
}

std::string EmptyFile(const std::string&) { return ""; }
std::string WordsOnly(const std::string&) { return "hello"; }
std::string BeginOnly(const std::string&) { return "-----BEGIN CERTIFICATE-----\n"; }
std::string HalfOf(const std::string& text) { return text.substr(0, text.size() / 2); }
std::string Garbled(const std::string& text) {
  std::string changed = text;
  changed.replace(changed.size() / 2, 8, "AAAAAAAA");
  return changed;
}
std::string ThenHalf(const std::string& text) { return text + HalfOf(text); }
std::string OtherKey(const std::string&) { return ReadFile(KWTA_TEST_DATA "/tls/server-b.key", 1 << 20).value(); }

INSTANTIATE_TEST_SUITE_P(
    All, DamagedCertificatesTest,
    ::testing::Values(Damage{"EmptyCertificate", "server.pem", &EmptyFile, "is not in PEM form"},
                      Damage{"WordsForACertificate", "server.pem", &WordsOnly, "is not in PEM form"},
                      Damage{"HalfACertificate", "server.pem", &HalfOf, "damaged or cut short"},
                      Damage{"OnlyTheBeginning", "server.pem", &BeginOnly, "damaged or cut short"},
                      Damage{"AChainCutShort", "server.pem", &ThenHalf, "certificate 2 of"},
                      Damage{"AKeyForACertificate", "server.pem", &OtherKey, "holds no certificate"},
                      Damage{"EmptyKey", "server.key", &EmptyFile, "is not in PEM form"},
                      Damage{"HalfAKey", "server.key", &HalfOf, "no certificate and its key"},
                      Damage{"AnotherKey", "server.key", &OtherKey, "no certificate and its key"},
                      Damage{"GarbledKey", "server.key", &Garbled, "no certificate and its key"},
                      Damage{"EmptyAuthorities", "clients.pem", &EmptyFile, "is not in PEM form"},
                      Damage{"HalfTheAuthorities", "clients.pem", &HalfOf, "damaged or cut short"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(CertificatesTest, AFileThatIsGoneChangesNothing) {
  const auto certificates = Open().value();
  const auto good = certificates->Current();
  std::filesystem::remove(directory_.File("server.key"));
  EXPECT_EQ(certificates->Current(), good);
  ASSERT_EQ(looks_.size(), 1u);
  EXPECT_EQ(looks_[0].code(), absl::StatusCode::kNotFound);
}

TEST_F(CertificatesTest, DatesCountWhenFilesAreTaken) {
  const auto certificates = Open().value();
  const absl::Time expires = taken_[0];
  const auto good = certificates->Current();
  Install("server-b.pem", "server.pem");
  Install("server-b.key", "server.key");
  now_ = expires + absl::Hours(24 * 365 * 100);
  EXPECT_EQ(certificates->Current(), good) << "the new one has expired";
  ASSERT_EQ(looks_.size(), 1u);
  EXPECT_EQ(looks_[0].code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(looks_[0].message()), HasSubstr("expired at"));
  now_ = absl::UnixEpoch();
  EXPECT_EQ(certificates->Current(), good);
  ASSERT_EQ(looks_.size(), 2u);
  EXPECT_THAT(std::string(looks_[1].message()), HasSubstr("is not valid before"));
}

}  // namespace
}  // namespace kwta::server
