package main

import (
	"errors"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"
)

// A decimal is a flag's number. All flags read numbers by one rule, in base ten: the flag parser's own
// would take 010 for 8 and 0x10 for 16, beside lists of numbers that do not.
type decimal[T int | uint64] struct{ value T }

func newDecimal[T int | uint64](value T) *decimal[T] { return &decimal[T]{value} }

func (d *decimal[T]) Set(text string) (err error) {
	switch value := any(&d.value).(type) {
	case *int:
		*value, err = strconv.Atoi(text)
	case *uint64:
		*value, err = strconv.ParseUint(text, 10, 64)
	}
	if errors.Is(err, strconv.ErrRange) {
		return strconv.ErrRange
	}
	if err != nil {
		return errors.New("not a number in decimal digits")
	}
	return nil
}

func (d *decimal[T]) String() string {
	if d.value < 0 {
		return strconv.FormatInt(int64(d.value), 10)
	}
	return strconv.FormatUint(uint64(d.value), 10)
}

func decimalOf[T int | uint64](c *cli.Context, name string) T {
	return c.Generic(name).(*decimal[T]).value
}

// A span is a flag's time.Duration that may be typed as a number of seconds.
type span time.Duration

func newSpan(d time.Duration) *span { return (*span)(&d) }

func (s *span) Set(text string) error {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		*s = span(time.Duration(seconds) * time.Second)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("neither seconds nor a time such as 90s or 2m30s")
	}
	*s = span(d)
	return nil
}

func (s *span) String() string {
	return strconv.FormatFloat(time.Duration(*s).Seconds(), 'f', -1, 64) + "s"
}

func spanOf(c *cli.Context, name string) time.Duration {
	return time.Duration(*c.Generic(name).(*span))
}
