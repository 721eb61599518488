package session

import (
	"fmt"

	"github.com/epperf/epperf/go/internal/samples"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// maxSamplesPerMessage keeps a message below MaxMessageBytes: a duration has at most ten bytes.
const maxSamplesPerMessage = 256 << 10

// Samples reports what a pass left, as several messages where it is long.
func (c *Conn) Samples(of *epperfv1.Samples) error {
	for part := range samples.Split(of, maxSamplesPerMessage) {
		err := c.send(&epperfv1.FromRank{Kind: &epperfv1.FromRank_Samples{Samples: part}})
		if err != nil {
			return fmt.Errorf("report samples: %w", err)
		}
	}
	return nil
}

// Result reports how this rank ended a case.
func (c *Conn) Result(result *epperfv1.RankResult) error {
	err := c.send(&epperfv1.FromRank{Kind: &epperfv1.FromRank_Result{Result: result}})
	if err != nil {
		return fmt.Errorf("report result: %w", err)
	}
	return nil
}
