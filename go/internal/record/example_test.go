package record_test

import (
	"fmt"

	"github.com/epperf/epperf/go/internal/record"
)

// A record has what every rank measured, duration by duration.
func ExampleRead() {
	kept, err := record.Read("../../../testdata/records/h100x2-dispatch-expert.epperf")
	if err != nil {
		fmt.Println(err)
		return
	}
	for rank := range kept.Header.GetPlan().GetCases()[0].GetRanks() {
		left := kept.Rank(0, int(rank))
		timed := left.Pass(0)
		fmt.Printf("rank %d: %d iterations, the last took %d ns; %d rows checked\n",
			rank, len(timed), timed[len(timed)-1], left.Result.GetCheck().GetRows())
	}
	// Output:
	// rank 0: 50 iterations, the last took 170048 ns; 612922 rows checked
	// rank 1: 50 iterations, the last took 170432 ns; 607686 rows checked
}
