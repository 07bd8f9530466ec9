// The small part of SQLite that the job store needs, with statuses instead of result codes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

struct sqlite3;
struct sqlite3_stmt;

namespace kwta::server {

class SqliteStatement;

// A connection. Not thread-safe.
class SqliteDatabase {
 public:
  // Opens `path`; creates the file if it is missing. Errors: DATA_LOSS (not a database, or damaged), UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path);
  ~SqliteDatabase();

  // Runs statements that return no rows.
  absl::Status Execute(const char* sql);
  absl::StatusOr<SqliteStatement> Prepare(const char* sql);

 private:
  friend class SqliteStatement;
  SqliteDatabase(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
  // Converts a result code to RESOURCE_EXHAUSTED, DATA_LOSS or UNAVAILABLE, with SQLite's message.
  absl::Status Failed(int code) const;

  const std::string path_;
  sqlite3* const handle_;
};

// A prepared statement that can be used repeatedly: bind, step, read, reset. REQUIRES: the database outlives it.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  SqliteStatement(SqliteStatement&& other) noexcept { *this = std::move(other); }
  SqliteStatement& operator=(SqliteStatement&& other) noexcept {
    std::swap(database_, other.database_);
    std::swap(statement_, other.statement_);
    return *this;
  }
  ~SqliteStatement();

  // Parameters count from 1. The bytes are copied.
  void BindText(int parameter, absl::string_view text);
  void BindBlob(int parameter, absl::string_view bytes);
  void BindInt(int parameter, int64_t value);

  // Returns true if there is a row to read, false at the end.
  absl::StatusOr<bool> Step();
  // Columns count from 0. Valid until the next Step or Reset.
  absl::string_view Blob(int column) const;
  int64_t Int(int column) const;

  // Prepares the statement to be bound and stepped again.
  void Reset();

 private:
  friend class SqliteDatabase;
  SqliteStatement(const SqliteDatabase* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}

  const SqliteDatabase* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace kwta::server
