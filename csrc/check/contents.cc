#include "csrc/check/contents.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace ep {
namespace {

std::span<const uint8_t> Bytes(const void* data, uint64_t bytes) {
  return {static_cast<const uint8_t*>(data), bytes};
}

}  // namespace

Contents::Pieces Contents::RowsOfBlocks(const uint8_t* rows, uint64_t row_bytes) const {
  Pieces pieces;
  for (const Block& block : tensors_->Blocks()) {
    pieces.push_back({rows + block.first * row_bytes, block.rows * row_bytes});
  }
  return pieces;
}

Contents::Pieces Contents::PiecesOf(Tensor tensor) const {
  const Shape& shape = tensors_->shape();
  const DispatchInput input = tensors_->Input(dispatched_);
  const uint64_t bf16_row = sizeof(Bf16) * shape.hidden;
  const uint64_t selections = uint64_t{input.tokens} * shape.topk;
  switch (tensor) {
    case Tensor::kX:
      return {ep::Bytes(tensors_->token_rows[dispatched_].data(), input.tokens * bf16_row)};
    case Tensor::kTopkIdx: return {ep::Bytes(input.topk_idx, selections * sizeof(int32_t))};
    case Tensor::kTopkWeights: return {ep::Bytes(input.topk_weights, selections * sizeof(float))};
    case Tensor::kRecvCount:
      return {ep::Bytes(tensors_->counts(), shape.experts_per_rank * sizeof(uint32_t))};
    case Tensor::kRecvX:
      return RowsOfBlocks(tensors_->received.Row(0), tensors_->received.row_bytes());
    case Tensor::kRecvScales:
      if (shape.dtype != Dtype::kFp8) return {};
      return RowsOfBlocks(tensors_->scales.Row(0), tensors_->scales.row_bytes());
    case Tensor::kRecvSrc:
      return RowsOfBlocks(tensors_->sources.Row(0), tensors_->sources.row_bytes());
    case Tensor::kExpertOut: return RowsOfBlocks(tensors_->expert_rows[combined_].data(), bf16_row);
    case Tensor::kCombined: return {ep::Bytes(tensors_->combined.Row(0), input.tokens * bf16_row)};
  }
  return {};
}

uint64_t Contents::Bytes(Tensor tensor) const {
  uint64_t bytes = 0;
  for (const auto piece : PiecesOf(tensor)) bytes += piece.size();
  return bytes;
}

Status Contents::Copy(Tensor tensor, uint64_t offset, std::span<uint8_t> to) const {
  const uint64_t bytes = Bytes(tensor);
  if (offset > bytes || to.size() > bytes - offset) {
    return {Code::kInvalid, "copy a tensor: " + std::to_string(to.size()) + " bytes from byte " +
                                std::to_string(offset) + " on of " + std::to_string(bytes)};
  }
  for (std::span<const uint8_t> piece : PiecesOf(tensor)) {
    if (offset >= piece.size()) {
      offset -= piece.size();
      continue;
    }
    const uint64_t count = std::min<uint64_t>(piece.size() - offset, to.size());
    if (count > 0) std::memcpy(to.data(), piece.data() + offset, count);
    to = to.subspan(count);
    offset = 0;
  }
  return {};
}

}  // namespace ep
