package epperfv1

import "slices"

// This file is what follows for a case that times the control plane.

// Control is the ModeName of a case that times the control plane.
const Control = "control"

// ControlSteps are the passes of such a case, in their order.
var ControlSteps = []Pass_Kind{
	Pass_KIND_INIT, Pass_KIND_CONNECT, Pass_KIND_DISCONNECT, Pass_KIND_RECONNECT, Pass_KIND_DESTROY, Pass_KIND_CYCLE,
}

// ControlPasses returns the passes of so many rounds.
func ControlPasses(rounds int) []*Pass {
	var passes []*Pass
	for _, step := range ControlSteps {
		passes = append(passes, &Pass{Kind: step, Count: uint32(rounds)})
	}
	return passes
}

// Controls reports whether a case times the control plane.
func (c *Case) Controls() bool { return slices.Contains(ControlSteps, c.Pass(0).GetKind()) }
