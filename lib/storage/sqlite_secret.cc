#include "storage/sqlite_secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "storage/key_hash.h"
#include "storage/sqlite_open.h"

namespace llmrouter::storage {
namespace {

constexpr size_t kSecretBytes = 32;
constexpr size_t kLeastText = 32;   // characters in a file that a person may have written
constexpr size_t kMostText = 4096;

Error failed(const std::string& path, const std::string& what, int code) {
  char text[128];
  return Error(ErrorCode::kStorage, path + ": " + what + ": " + strerror_r(code, text, sizeof(text)));
}

struct File {
  explicit File(int descriptor) : fd(descriptor) {}
  ~File() {
    if (fd >= 0) ::close(fd);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  const int fd;
};

std::string hex(const unsigned char* bytes, size_t size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * size + 1);
  for (size_t i = 0; i < size; ++i) {
    text += kDigits[bytes[i] >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

bool write_all(int fd, const std::string& text) {
  for (size_t at = 0; at < text.size();) {
    const ssize_t n = ::write(fd, text.data() + at, text.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

// So that the new name survives a power cut.
void sync_directory(const std::string& path) {
  const File file(::open(directory_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.fd >= 0) ::fsync(file.fd);
}

}  // namespace

Result<std::optional<Secret>> read_secret_file(const std::string& path, Logger& logger) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) {
    if (errno == ENOENT) return std::optional<Secret>();
    return failed(path, "the secret key cannot be read", errno);
  }
  struct stat about;
  if (fstat(file.fd, &about) == 0 && (about.st_mode & 077) != 0) {
    logger.log(LogLevel::kWarn, "others may read the secret key: chmod 600 it, and make new keys if others could log in here", {{"path", path}});
  }
  std::string text(kMostText, '\0');
  size_t size = 0;
  while (size < text.size()) {
    const ssize_t n = ::read(file.fd, text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed(path, "the secret key cannot be read", errno);
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r' || text[size - 1] == ' ')) --size;
  Secret all(std::move(text));  // wiped when it goes
  if (size < kLeastText || size == kMostText) {
    return Error(ErrorCode::kStorage, path + ": is damaged: a secret key has " + std::to_string(kLeastText) + " to " +
                                          std::to_string(kMostText - 1) + " characters. Put back the one this store was made with");
  }
  return std::optional<Secret>(Secret(all.reveal().substr(0, size)));
}

Result<Secret> make_secret_file(const std::string& path, Logger& logger) {
  unsigned char bytes[kSecretBytes];
  unsigned char suffix[8];
  if (!random_bytes(bytes, sizeof(bytes)) || !random_bytes(suffix, sizeof(suffix))) {
    return Error(ErrorCode::kStorage, "the system gives no random bytes");
  }
  const Secret line(hex(bytes, sizeof(bytes)) + '\n');
  const std::string draft = path + ".new-" + hex(suffix, sizeof(suffix));
  {
    const File file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.fd < 0) return failed(draft, "the secret key cannot be written", errno);
    if (!write_all(file.fd, line.reveal()) || ::fsync(file.fd) != 0) {
      const int code = errno;
      ::unlink(draft.c_str());
      return failed(path, "the secret key cannot be written", code);
    }
  }
  // A link does not replace what is there, as a rename would: the first of two processes wins. File systems without links have to rename.
  int code = ::link(draft.c_str(), path.c_str()) == 0 ? 0 : errno;
  const bool no_links = code == EPERM || code == EOPNOTSUPP || code == ENOSYS;
  if (no_links) code = ::rename(draft.c_str(), path.c_str()) == 0 ? 0 : errno;
  if (!no_links || code != 0) ::unlink(draft.c_str());
  if (code != 0 && code != EEXIST) return failed(path, "the secret key cannot be written", code);
  sync_directory(path);
  auto made = read_secret_file(path, logger);
  if (!made) return std::move(made).error();
  if (!*made) return failed(path, "the secret key is gone again", ENOENT);
  return std::move(**made);
}

}  // namespace llmrouter::storage
