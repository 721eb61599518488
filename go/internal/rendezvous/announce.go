package rendezvous

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// announce tells all what each launcher said at a meeting: node 0 read it, so that not everybody has to.
func (m *Member) announce(ctx context.Context, what string, number int, said [][]byte) error {
	for i, chunk := range announced(number, said) {
		value, err := proto.Marshal(chunk)
		if err != nil {
			return err
		}
		if err := m.put(ctx, m.announceKey(what, i), value); err != nil {
			return err
		}
	}
	return nil
}

// announced packs what was said into chunks that fit into a request, if each part of it does.
func announced(number int, said [][]byte) []*epperfv1.Announcement {
	chunks, room := []*epperfv1.Announcement{{Number: uint32(number)}}, maxChunkBytes
	for _, value := range said {
		last := chunks[len(chunks)-1]
		if len(value) > room && len(last.Said) > 0 {
			last = &epperfv1.Announcement{Number: uint32(number)}
			chunks, room = append(chunks, last), maxChunkBytes
		}
		last.Said = append(last.Said, value)
		room -= len(value)
	}
	chunks[len(chunks)-1].Last = true
	return chunks
}

// told returns what was said at a meeting, by each launcher, or nil before all of it was announced.
func (m *Member) told(what string, number int) [][]byte {
	var said [][]byte
	for i := 0; ; i++ {
		value, _ := m.board.get(m.announceKey(what, i)) // node 0 may have left since
		var chunk epperfv1.Announcement
		if err := proto.Unmarshal(value, &chunk); err != nil || int(chunk.GetNumber()) != number {
			return nil
		}
		said = append(said, chunk.GetSaid()...)
		if chunk.GetLast() {
			break
		}
	}
	if len(said) != m.config.Nodes {
		return nil
	}
	return said
}

func (m *Member) announceKey(what string, i int) string {
	return fmt.Sprintf("%sall/%s/%d", m.prefix, what, i)
}
