// Forms that are put aside as they come: the fields are noted, the bytes go to memory and then to a file without a name.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "llmrouter/body.h"
#include "wire/multipart.h"

namespace llmrouter {
namespace {

constexpr int kInsufficientStorage = 507;

Error disk_error(const char* what, int fault) {
  Error error(ErrorCode::kIo, std::string("the upload could not be ") + what + ": " + std::generic_category().message(fault));
  if (fault == ENOSPC || fault == EDQUOT || fault == EFBIG) error.status = kInsufficientStorage;
  return error;
}

class TemporaryFile {
 public:
  TemporaryFile() = default;
  TemporaryFile(TemporaryFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  TemporaryFile& operator=(TemporaryFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~TemporaryFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  bool is_open() const noexcept { return fd_ >= 0; }

  // Errors as errno, 0: none. Where the file system has no files without a name, one is taken away at once.
  int open(const std::string& directory) {
    fd_ = ::open(directory.c_str(), O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd_ >= 0) return 0;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return errno;
    std::string path = directory + "/llmrouter-XXXXXX";
    fd_ = ::mkostemp(path.data(), O_CLOEXEC);
    if (fd_ < 0) return errno;
    return ::unlink(path.c_str()) == 0 ? 0 : errno;
  }

  int append(std::string_view bytes) noexcept {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno;
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return 0;
  }

  ssize_t read(size_t offset, char* to, size_t count) const noexcept {
    for (;;) {
      const ssize_t n = ::pread(fd_, to, count, static_cast<off_t>(offset));
      if (n >= 0 || errno != EINTR) return n;
    }
  }

 private:
  int fd_ = -1;
};

class PutAside final : public BodySource {
 public:
  PutAside(std::string memory, TemporaryFile file, size_t size, Result<std::shared_ptr<const Form>> form)
      : memory_(std::move(memory)), file_(std::move(file)), size_(size), form_(std::move(form)) {}

  size_t size() const noexcept override { return size_; }
  Result<std::shared_ptr<const Form>> form() const override { return form_; }

  Result<size_t> read(size_t offset, char* to, size_t count) const override {
    if (!file_.is_open()) return offset < memory_.size() ? memory_.copy(to, count, offset) : 0;
    const ssize_t n = file_.read(offset, to, count);
    if (n < 0) return disk_error("read again", errno);
    return static_cast<size_t>(n);
  }

 private:
  const std::string memory_;
  const TemporaryFile file_;
  const size_t size_;
  const Result<std::shared_ptr<const Form>> form_;
};

}  // namespace

struct FormUpload::Impl {
  Impl(std::string_view boundary, UploadOptions given) : reader(boundary), options(std::move(given)) {}

  wire::FormReader reader;
  UploadOptions options;
  std::string memory;
  TemporaryFile file;
  size_t size = 0;
  bool failed = false;
  Error disk;  // kNone: the form is at fault, if anything

  void drop() {
    failed = true;
    memory = std::string();
    file = TemporaryFile();
  }

  int keep(std::string_view bytes) {
    if (!file.is_open()) {
      if (memory.size() + bytes.size() <= options.memory) {
        memory.append(bytes);
        return 0;
      }
      if (const int fault = file.open(options.directory)) return fault;
      if (const int fault = file.append(memory)) return fault;
      memory = std::string();
    }
    return file.append(bytes);
  }
};

FormUpload::FormUpload(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
FormUpload::~FormUpload() = default;

Result<std::unique_ptr<FormUpload>> FormUpload::begin(std::string_view content_type, UploadOptions options) {
  const auto boundary = wire::form_boundary(content_type);
  if (!boundary) return Error(ErrorCode::kUnsupportedMediaType, "content-type: expected multipart/form-data with a boundary");
  return std::unique_ptr<FormUpload>(new FormUpload(std::make_unique<Impl>(*boundary, std::move(options))));
}

void FormUpload::feed(std::string_view bytes) {
  Impl& s = *impl_;
  if (s.failed) return;
  if (!s.reader.feed(bytes)) return s.drop();
  if (const int fault = s.keep(bytes)) {
    s.disk = disk_error("put aside", fault);
    return s.drop();
  }
  s.size += bytes.size();
}

std::shared_ptr<const BodySource> FormUpload::finish() {
  Impl& s = *impl_;
  auto read = [&s]() -> Result<std::shared_ptr<const Form>> {
    if (s.disk.code != ErrorCode::kNone) return s.disk;
    auto form = s.reader.finish();
    if (!form) return std::move(form).error();
    return std::shared_ptr<const Form>(std::make_shared<Form>(std::move(*form)));
  };
  auto form = read();
  if (!form) s.drop();
  return std::make_shared<PutAside>(std::move(s.memory), std::move(s.file), form ? s.size : 0, std::move(form));
}

}  // namespace llmrouter
