package conduct

import (
	"slices"
	"testing"
)

func TestLaunchesTakeTurns(t *testing.T) {
	if got := turns(3); !slices.Equal(got, []int{0, 1, 1, 0, 0, 1}) {
		t.Errorf("turns %v", got)
	}
}
