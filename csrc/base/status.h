// What an operation of the core returns: success, or a kind that callers branch on, a text that
// says what was being done, to whom, and what to try.
#ifndef CSRC_BASE_STATUS_H_
#define CSRC_BASE_STATUS_H_

#include <cerrno>
#include <concepts>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "csrc/base/hints.h"

namespace ep {

enum class Code { kOk, kInvalid, kSystem, kTimeout, kProtocol, kAborted, kState };

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string text, ep_hint hint = EP_HINT_NONE)
      : code_(code), hint_(hint), text_(std::move(text)) {}

  // The last system call's failure: "<what>: <reason>".
  static Status FromErrno(const std::string& what) {
    return {Code::kSystem, what + ": " + std::strerror(errno)};
  }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& text() const { return text_; }
  ep_hint hint() const { return hint_; }

  // The same failure, of something larger: "<what>: <text>".
  Status In(const std::string& what) const {
    return ok() ? *this : Status(code_, what + ": " + text_, hint_);
  }
  // The same failure, which says what to try.
  Status Try(ep_hint hint) const { return {code_, text_, hint}; }

 private:
  Code code_ = Code::kOk;
  ep_hint hint_ = EP_HINT_NONE;
  std::string text_;
};

// A value, or why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  // Without `explicit`, so that functions return either.
  template <class U>
    requires std::convertible_to<U, T>
  Result(U&& value) : value_(std::forward<U>(value)) {}
  // Of a failure.
  Result(Status status) : status_(std::move(status)) {}
  Result(Code code, std::string text, ep_hint hint = EP_HINT_NONE)
      : status_(code, std::move(text), hint) {}

  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }

  // Of a success.
  T& operator*() & { return *value_; }
  T&& operator*() && { return *std::move(value_); }
  T* operator->() { return &*value_; }

 private:
  Status status_;
  std::optional<T> value_;
};

namespace internal {

inline Status FailureOf(Status&& status) { return std::move(status); }
template <class T>
Status FailureOf(Result<T>&& result) {
  return result.status();
}

inline void ValueOf(Status&&) {}
template <class T>
T ValueOf(Result<T>&& result) {
  return *std::move(result);
}

}  // namespace internal
}  // namespace ep

// Returns from the function with the failure of a Status or a Result; is the Result's value
// otherwise.
#define EP_TRY(...)                                          \
  __extension__({                                            \
    auto ep_tried = (__VA_ARGS__);                           \
    if (!ep_tried.ok()) [[unlikely]]                         \
      return ::ep::internal::FailureOf(std::move(ep_tried)); \
    ::ep::internal::ValueOf(std::move(ep_tried));            \
  })

#endif  // CSRC_BASE_STATUS_H_
