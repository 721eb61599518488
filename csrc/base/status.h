// What an operation of the core returns: success, or a kind that callers branch on and a text
// that says what was being done, to whom, and what to try.
#ifndef CSRC_BASE_STATUS_H_
#define CSRC_BASE_STATUS_H_

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace ep {

enum class Code { kOk, kInvalid, kSystem, kTimeout, kProtocol, kAborted, kState };

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string text) : code_(code), text_(std::move(text)) {}

  // The last system call's failure: "<what>: <reason>".
  static Status FromErrno(const std::string& what) {
    return {Code::kSystem, what + ": " + std::strerror(errno)};
  }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& text() const { return text_; }

 private:
  Code code_ = Code::kOk;
  std::string text_;
};

}  // namespace ep

#endif  // CSRC_BASE_STATUS_H_
