// NIXL's shared library, opened at run time, and what it says of itself.
//
// A root is a folder with the layout of NIXL's wheel, such as Python's site-packages, or one with
// libnixl_capi.so itself. Both NIXL and UCX load further parts, which are looked for beside it
// unless NIXL_PLUGIN_DIR and UCX_MODULE_DIR say otherwise.
#ifndef CSRC_NIXL_LIBRARY_H_
#define CSRC_NIXL_LIBRARY_H_

#include <memory>
#include <string>
#include <vector>

#include "csrc/base/fd.h"
#include "csrc/base/status.h"
#include "csrc/nixl/capi.h"
#include "csrc/nixl/settings.h"

namespace ep::nixl {

// What was loaded, and what UCX made of it.
struct Description {
  std::string library;      // the file
  std::string ucx_version;  // empty before there is a backend
  // UCX's loadable modules in this process, such as "cma". One that is missing is no error to UCX:
  // it takes a slower way.
  std::vector<std::string> modules;
  // What UCX chose for each set of endpoints, in its words. Empty where the user directs UCX's log.
  std::vector<std::string> transports;
};

class Library {
 public:
  // Where to look. A root that is named must be good; then the candidates in their order; then the
  // loader's own folders.
  struct Options {
    std::string root;
    std::vector<std::string> candidates;
    // Variables to set where the user has not.
    std::vector<Setting> settings;
  };

  // The library is never unloaded: UCX's threads and exit handlers outlive whoever used it. One
  // set of settings holds for a process, that of the first call.
  static Status Load(const Options& options, std::shared_ptr<const Library>* library);

  const capi::Functions& functions() const { return functions_; }

  // Ok, or what NIXL says, and what UCX logged last.
  Status Check(capi::Code code, const std::string& what) const;

  Description Describe() const;
  // All variables of NIXL and UCX that hold, ours and the user's.
  std::vector<Setting> Settings() const { return nixl::Settings(settings_); }

 private:
  Library() = default;

  std::string LogTail() const;

  std::string path_;
  capi::Functions functions_ = {};
  std::vector<Setting> settings_;
  Fd log_;  // not ok where the user directs UCX's log
};

}  // namespace ep::nixl

#endif  // CSRC_NIXL_LIBRARY_H_
