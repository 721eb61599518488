// An owned range of mapped memory, zero until it is written.
#ifndef CSRC_BASE_MAPPING_H_
#define CSRC_BASE_MAPPING_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "csrc/base/status.h"

namespace ep {

class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  // Memory of this process alone. Pages cost nothing until they are touched, so a tensor can be
  // sized for the worst case. `what` names it in the error.
  static Status Private(size_t bytes, const std::string& what, Mapping* mapping);
  // The file's first `bytes`, shared with everyone who maps it.
  static Status Shared(int fd, size_t bytes, const std::string& what, Mapping* mapping);

  uint8_t* data() const { return data_; }
  size_t size() const { return size_; }
  template <class T>
  T* As() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  uint8_t* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace ep

#endif  // CSRC_BASE_MAPPING_H_
