// NIXL's shared library, opened at run time, and what it says of itself.
//
// A root is a folder with the layout of NIXL's wheel, such as Python's site-packages, or one with
// libnixl_capi.so itself. Both NIXL and UCX load further parts, which are looked for beside it
// unless NIXL_PLUGIN_DIR and UCX_MODULE_DIR say otherwise.
#ifndef CSRC_NIXL_LIBRARY_H_
#define CSRC_NIXL_LIBRARY_H_

#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "csrc/base/fd.h"
#include "csrc/base/status.h"
#include "csrc/nixl/capi.h"
#include "csrc/nixl/protocols.h"
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
  // How it writes; empty unless UCX_PROTO_INFO=y has it say so.
  std::vector<PutProtocol> puts;
};

// One a process, and for as long as it lives: the loader, the environment and UCX's log are the
// process's, and UCX leaves handlers behind. Calls may come from any thread.
class Library {
 public:
  // Where to look. A root that is named must be good; then the candidates in their order; then the
  // loader's own folders.
  struct Options {
    std::string root;
    std::vector<std::string> candidates;
    // Variables to set where the user has not. They hold for the agents that are made before the
    // next Load.
    std::vector<Setting> settings;
  };

  // Loads the library, or finds it loaded, and applies the settings. Before the first call there
  // should be no thread that reads the environment.
  static Status Load(const Options& options, std::shared_ptr<const Library>* library);

  const capi::Functions& functions() const { return functions_; }

  // Ok, or what NIXL says, what UCX logged last, and what is set that decides which ways UCX has.
  Status Check(capi::Code code, const std::string& what) const;

  // An agent is made: how much UCX has logged so far. EndLog when it is gone; once all are, what
  // UCX has logged is forgotten, so that a process which makes agents again and again does not
  // grow.
  size_t BeginLog() const;
  void EndLog() const;
  // As it is now; of UCX's log what is behind `log_begin`.
  Description Describe(size_t log_begin = 0) const;
  // All variables of NIXL and UCX that hold, ours and the user's.
  std::vector<Setting> Settings() const;

 private:
  explicit Library(std::string path) : path_(std::move(path)) {}

  Status Open(const std::vector<std::string>& candidates);
  void Apply(const std::vector<Setting>& settings);

  const std::string path_;
  std::string opened_;
  capi::Functions functions_ = {};
  Fd log_;  // not ok where the user directs UCX's log
  std::vector<Setting> always_;

  mutable std::mutex mutex_;  // guards what follows, and the environment
  std::vector<Setting> held_;
  mutable int agents_ = 0;
  mutable size_t forgotten_ = 0;  // of the log, from its begin
};

}  // namespace ep::nixl

#endif  // CSRC_NIXL_LIBRARY_H_
