package report

import (
	"fmt"
	"math"
)

// bits writes a value that was compared, as bits and as what they mean.
func bits(value uint64, encoding string) string {
	switch encoding {
	case "fp8":
		return fp8(value)
	case "bf16":
		return bf16(value)
	case "fp32":
		return fp32(value)
	case "source":
		return fmt.Sprintf("rank %d, token %d", value>>32, uint32(value))
	case "word":
		return fmt.Sprintf("0x%x", value)
	case "number":
		return fmt.Sprint(value)
	default:
		return fmt.Sprintf("0x%02x", value)
	}
}

func fp32(bits uint64) string {
	return fmt.Sprintf("0x%08x (%g)", bits, math.Float32frombits(uint32(bits)))
}

func bf16(bits uint64) string {
	return fmt.Sprintf("0x%04x (%g)", bits, math.Float32frombits(uint32(bits)<<16))
}

// fp8 decodes E4M3: four bits of exponent with a bias of 7, three of mantissa, no infinity, and
// NaN only where both are all ones.
func fp8(bits uint64) string {
	exponent, mantissa := int(bits>>3&0xf), float64(bits&7)
	value := math.Ldexp(1+mantissa/8, exponent-7)
	switch {
	case bits&0x7f == 0x7f:
		value = math.NaN()
	case exponent == 0:
		value = math.Ldexp(mantissa/8, -6)
	}
	if bits&0x80 != 0 {
		value = -value
	}
	return fmt.Sprintf("0x%02x (%g)", bits, value)
}
