#include "core/io/datasets/cifar_binary.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/files/files.h"

namespace kwta {
namespace {

constexpr int64_t kImageBytes = 3 * 32 * 32;
constexpr int64_t kRowBytes = 1 + kImageBytes;
constexpr int kClasses = 10;

absl::StatusOr<int64_t> RowsOf(const InputFile& file) {
  if (file.size() == 0) {
    return absl::InvalidArgumentError(absl::StrCat("'", file.path(), "' is empty; it holds no rows to use"));
  }
  if (file.size() % kRowBytes != 0) {
    return absl::DataLossError(absl::StrCat("'", file.path(), "' is cut short or no batch of CIFAR-10: it has ",
                                            file.size(), " bytes, expected a multiple of ", kRowBytes));
  }
  return static_cast<int64_t>(file.size() / kRowBytes);
}

struct Batches {
  std::vector<InputFile> files;
  int64_t rows = 0;  // of all files
};

absl::StatusOr<Batches> OpenBatches(const std::vector<std::string>& paths) {
  Batches batches;
  for (const std::string& path : paths) {
    KWTA_ASSIGN_OR_RETURN(InputFile file, InputFile::Open(path));
    KWTA_ASSIGN_OR_RETURN(const int64_t rows, RowsOf(file));
    batches.files.push_back(std::move(file));
    batches.rows += rows;
  }
  return batches;
}

}  // namespace

std::vector<std::string> CifarBatchNames(bool test) {
  if (test) return {"test_batch.bin"};
  return {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"};
}

absl::StatusOr<DatasetSummary> SummariseCifarBatches(const std::vector<std::string>& paths) {
  KWTA_ASSIGN_OR_RETURN(const Batches batches, OpenBatches(paths));
  return DatasetSummary{batches.rows, {3, 32, 32}, DTypeName(DType::kU8), true, kClasses, {}};
}

absl::StatusOr<StoredRows> ReadCifarBatches(const std::vector<std::string>& paths) {
  KWTA_ASSIGN_OR_RETURN(const Batches batches, OpenBatches(paths));
  const int64_t rows = batches.rows;
  if (rows > static_cast<int64_t>(kMaxDatasetBytes) / kImageBytes) {
    return absl::InvalidArgumentError(absl::StrCat("'", paths[0], "' and its like have ", rows, " rows; at most ",
                                                   kMaxDatasetBytes / kImageBytes, " are accepted"));
  }
  Tensor images(DType::kU8, {rows, 3, 32, 32});
  std::vector<int32_t> labels;
  labels.reserve(rows);
  uint8_t* out = images.as<uint8_t>();
  std::vector<uint8_t> row(kRowBytes);
  for (const InputFile& file : batches.files) {
    for (uint64_t offset = 0; offset < file.size(); offset += kRowBytes) {
      KWTA_RETURN_IF_ERROR(file.ReadAt(offset, row.data(), row.size()));
      if (row[0] >= kClasses) {
        return absl::DataLossError(absl::StrCat("'", file.path(), "' has label ", row[0], " at row ",
                                                offset / kRowBytes, "; expected 0 to ", kClasses - 1));
      }
      labels.push_back(row[0]);
      out = std::copy(row.begin() + 1, row.end(), out);
    }
    KWTA_RETURN_IF_ERROR(file.CheckUnchanged());
  }
  return RowsOfTensor(paths[0], std::move(images), std::move(labels));
}

}  // namespace kwta
