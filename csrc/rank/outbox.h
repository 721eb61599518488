// Gathers the words that a rank's workers raise for a peer in one operation, until the message that
// they announce is whole, and sends it then.
#ifndef CSRC_RANK_OUTBOX_H_
#define CSRC_RANK_OUTBOX_H_

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "csrc/protocol/error.h"
#include "csrc/protocol/message.h"
#include "csrc/protocol/rank.h"
#include "csrc/rank/messages.h"
#include "csrc/region/link.h"

namespace ep {

class Outbox {
 public:
  // Both outlive the outbox.
  Outbox(const RankContext* context, Link* link) : context_(*context), link_(*link) {
    const uint32_t chunks = context_.shape.Chunks();
    for (uint32_t peer = 0; peer < context_.shape.ranks; ++peer) {
      dispatches_.push_back({.words = std::vector<RaisedWord>(1 + chunks)});
      combines_.push_back({.words = std::vector<RaisedWord>(chunks)});
    }
  }

  // Adds one word of an operation, which raises each of its words once. Any worker may call it;
  // what workers stored before they did is in the message.
  void Add(const Message& message) {
    const bool dispatch = message.op == Op::kDispatch;
    Gathered& of = (dispatch ? dispatches_ : combines_)[message.peer];
    uint32_t rows = 0;
    {
      const std::lock_guard lock(mutex_);
      of.words[IndexOf(message)] = {message.Offset(context_.layout, context_.rank),
                                    message.Value()};
      of.rows = std::max(of.rows, message.slots.end);  // the counts' slots are all of them
      if (++of.count < of.words.size()) return;
      of.count = 0;
      rows = std::exchange(of.rows, 0);
    }
    // Nobody has another word for this peer before the message has arrived.
    const uint32_t bank = BankOf(message.epoch);
    link_.Send(message.peer,
               dispatch
                   ? DispatchExtents(context_.shape, context_.layout, bank, context_.rank, rows)
                   : CombineExtents(context_.layout, bank, context_.rank, rows),
               of.words);
  }

 private:
  struct Gathered {
    std::vector<RaisedWord> words;  // a dispatch's counts, and the chunks'
    size_t count = 0;               // of words that are there
    uint32_t rows = 0;              // up to the last of them
  };

  static size_t IndexOf(const Message& message) {
    if (message.chunk == Message::kCounts) return 0;
    return message.op == Op::kDispatch ? 1 + message.chunk : message.chunk;
  }

  const RankContext& context_;
  Link& link_;
  std::mutex mutex_;                  // guards what is gathered
  std::vector<Gathered> dispatches_;  // one a peer
  std::vector<Gathered> combines_;
};

}  // namespace ep

#endif  // CSRC_RANK_OUTBOX_H_
