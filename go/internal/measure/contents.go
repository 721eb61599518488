package measure

// A Tensor is one of those that a pair of dispatch and combine leaves behind, as csrc/abi/ep.h
// numbers them. docs/method.md has their types and shapes.
type Tensor int

// The tensors, in the order in which they come about.
const (
	X Tensor = iota + 1
	TopkIdx
	TopkWeights
	RecvCount
	RecvX
	RecvScales
	RecvSrc
	ExpertOut
	Combined
)

// Contents is what the last pair of dispatch and combine left behind on one rank. Each tensor is
// consecutive bytes; the rows of an expert follow those of the one before.
type Contents interface {
	// TensorBytes returns the size of a tensor.
	TensorBytes(tensor Tensor) (uint64, error)
	// CopyTensor copies as many bytes as to holds, from byte offset of the tensor on.
	CopyTensor(tensor Tensor, offset uint64, to []byte) error
}
