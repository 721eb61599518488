package epperfv1_test

import (
	"fmt"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// What a case is asked for besides its size.
func ExampleCase_Choices() {
	c := &epperfv1.Case{Layout: epperfv1.Layout_LAYOUT_FLAT, Sms: 24}
	for _, choice := range c.Choices() {
		fmt.Println(choice.Name, choice.Value, choice.Usual)
	}
	// Output:
	// layout flat false
	// combine rank true
	// quantize inside true
	// kernel auto true
	// routing uniform true
	// sms 24 false
}
