package embedded

import (
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// logger writes nothing. etcd ends its process through it, with a panic or at once and in silence; the
// reason goes to Died before.
func (c Config) logger() *zap.Logger {
	died := last{c.Died}
	return zap.New(zapcore.NewNopCore(), zap.WithPanicHook(died), zap.WithFatalHook(died))
}

// last takes the last thing that a server logs.
type last struct{ died func(error) }

// OnWrite implements zapcore.CheckWriteHook.
func (l last) OnWrite(entry *zapcore.CheckedEntry, fields []zapcore.Field) {
	reason := fmt.Errorf("etcd: %s", entry.Message)
	for _, field := range fields {
		if err, is := field.Interface.(error); is {
			reason = fmt.Errorf("etcd: %s: %w", entry.Message, err)
		}
	}
	if l.died != nil {
		l.died(reason)
	}
	panic(reason)
}
