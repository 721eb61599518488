// Owned objects of NIXL's library.
#ifndef CSRC_NIXL_HANDLE_H_
#define CSRC_NIXL_HANDLE_H_

#include <memory>

#include "csrc/nixl/capi.h"

namespace ep::nixl {

// The function that destroys is the library's, so it is known at run time alone.
template <class T>
struct Destroy {
  capi::Code (*destroy)(T*) = nullptr;
  void operator()(T* object) const { destroy(object); }
};

template <class T>
using Handle = std::unique_ptr<T, Destroy<T>>;

// Calls `create` with `arguments` and a place for the object.
template <class T, class... Parameters, class... Arguments>
capi::Code Make(Handle<T>* handle, capi::Code (*destroy)(T*), capi::Code (*create)(Parameters...),
                Arguments... arguments) {
  T* made = nullptr;
  const capi::Code code = create(arguments..., &made);
  if (code == capi::kSuccess) *handle = Handle<T>(made, {destroy});
  return code;
}

}  // namespace ep::nixl

#endif  // CSRC_NIXL_HANDLE_H_
