package conduct

import (
	"bytes"
	"testing"
	"time"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestASoakSaysHowFarItIsEveryTenSeconds(t *testing.T) {
	var stderr bytes.Buffer
	seconds := int64(0)
	say := soakProgress(&stderr, func() time.Time { return time.Unix(seconds, 0) })
	for epochs := uint64(0); seconds <= 25; epochs += 100 {
		say(&epperfv1.SoakCount{Epochs: epochs, Checked: epochs / 10, Rows: epochs * 4, Rounds: 2})
		seconds++
	}
	want := "soak: round 2, 1000 epochs, 100 checked in full, 4000 rows, 0 wrong after 10s\n" +
		"soak: round 2, 2000 epochs, 200 checked in full, 8000 rows, 0 wrong after 20s\n"
	if stderr.String() != want {
		t.Errorf("said\n%swant\n%s", &stderr, want)
	}
}
