package rendezvous

import (
	"context"
	"fmt"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const (
	// maxChunkBytes bounds one chunk: a third of what etcd takes as one request.
	maxChunkBytes = 512 << 10
	// gatherTimeout bounds the gathering. What it moves is bounded, but not by --timeout, which
	// may be over in the moment in which the last rank ends.
	gatherTimeout = 30 * time.Second
)

// Give puts what this launcher's ranks reported since the last time where node 0 finds it, and returns
// once node 0 has it: what is below this launcher's lease is there only as long as the launcher is. No
// entry may be larger than a chunk.
func (m *Member) Give(ctx context.Context, entries []*epperfv1.Entry) error {
	ctx, cancel := context.WithTimeout(ctx, gatherTimeout)
	defer cancel()
	if err := m.give(ctx, entries); err != nil {
		return fmt.Errorf("give this host's part to node 0: %w", err)
	}
	return nil
}

func (m *Member) give(ctx context.Context, entries []*epperfv1.Entry) error {
	m.gatherings++
	chunks := chunked(entries)
	for i, chunk := range chunks {
		value, err := proto.Marshal(chunk)
		if err != nil {
			return err
		}
		if err := m.put(ctx, m.partKey(m.config.NodeRank, m.gatherings, i), value); err != nil {
			return err
		}
	}
	end, err := proto.Marshal(&epperfv1.PartEnd{Chunks: uint32(len(chunks)), Gathering: uint32(m.gatherings)})
	if err != nil {
		return err
	}
	if err := m.put(ctx, m.sayKey(sayPart, m.config.NodeRank), end); err != nil {
		return err
	}
	return m.await(ctx, func() bool {
		value, _ := m.board.get(m.gatheredKey()) // node 0 may have left since
		gathered, err := strconv.Atoi(string(value))
		return err == nil && gathered >= m.gatherings
	}, m.only(0))
}

// chunked packs entries in their order.
func chunked(entries []*epperfv1.Entry) []*epperfv1.PartChunk {
	const perEntry = 8 // field number and length, generously
	var chunks []*epperfv1.PartChunk
	room := 0
	for _, entry := range entries {
		size := proto.Size(entry) + perEntry
		if size > room {
			chunks = append(chunks, &epperfv1.PartChunk{})
			room = maxChunkBytes
		}
		last := chunks[len(chunks)-1]
		last.Entries = append(last.Entries, entry)
		room -= size
	}
	return chunks
}

// Gather hands what the other launchers give to take, node after node, each part in its order.
// Node 0 calls it.
func (m *Member) Gather(ctx context.Context, take func(node int, entry *epperfv1.Entry) error) error {
	ctx, cancel := context.WithTimeout(ctx, gatherTimeout)
	defer cancel()
	m.gatherings++
	for node := 1; node < m.config.Nodes; node++ {
		if err := m.gather(ctx, node, take); err != nil {
			return fmt.Errorf("gather the part of node %d (%s): %w", node, m.hostOf(node), err)
		}
	}
	return m.put(ctx, m.gatheredKey(), []byte(strconv.Itoa(m.gatherings)))
}

func (m *Member) gather(ctx context.Context, node int, take func(int, *epperfv1.Entry) error) error {
	var end epperfv1.PartEnd
	err := m.await(ctx, func() bool {
		value, present := m.board.get(m.sayKey(sayPart, node))
		return present && proto.Unmarshal(value, &end) == nil && int(end.GetGathering()) >= m.gatherings
	}, m.only(node))
	if err != nil {
		return err
	}
	for i := range int(end.GetChunks()) {
		chunk, err := m.chunk(ctx, m.partKey(node, m.gatherings, i))
		if err != nil {
			return err
		}
		for _, entry := range chunk.GetEntries() {
			if err := take(node, entry); err != nil {
				return err
			}
		}
	}
	return nil
}

// chunk reads one chunk.
func (m *Member) chunk(ctx context.Context, key string) (*epperfv1.PartChunk, error) {
	var found *clientv3.GetResponse
	err := retry(ctx, "read "+key, func(ctx context.Context) (err error) {
		found, err = m.client.Get(ctx, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found.Kvs) == 0 {
		return nil, fmt.Errorf("read %s: it is gone: has its launcher ended?", key)
	}
	chunk := &epperfv1.PartChunk{}
	if err := proto.Unmarshal(found.Kvs[0].Value, chunk); err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return chunk, nil
}

func (m *Member) partKey(node, gathering, i int) string {
	return fmt.Sprintf("%spart/%d/%d/%d", m.prefix, node, gathering, i)
}

func (m *Member) gatheredKey() string { return m.prefix + "all/gathered" }
