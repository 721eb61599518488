package report

import "strings"

// This file has the words of the text. The lines of the tables plan, verdict and figures are known
// to scripts and eyes: they keep their bytes.

var rule = strings.Repeat("=", 70)

// A style is how a table reads.
type style struct {
	// above and below frame the rows; {title} is the table's.
	above, below string
	// apart: an empty line keeps the table from what precedes it.
	apart bool
	// grid: rows are lines of columns; the rest of the style but decimals says nothing then.
	grid bool
	// width is that of labels.
	width int
	// decimals are those of microseconds.
	decimals int
	// rows are found by their name, or by their name and kind where they have a cell of that name; one
	// that is not found has the zero phrase.
	rows map[string]phrase
}

var spreadPhrase = phrase{body: "avg={avg}, min={min}, max={max}"}

var (
	cpusPhrase = phrase{joins: true, body: " ({ranks|count rank}[ of {threads|unless 1} threads] on {cores|count core}[ of {hosts|unless 1} hosts][: {notes}])" +
		"|| ({ranks|count rank}[ of {threads|unless 1} threads])"}
	sharedPhrase = phrase{joins: true, body: " ({ranks|count rank}[ of {threads|unless 1} threads] on {gpus|count GPU}[ of {hosts|unless 1} hosts]: {notes})" +
		"|| ({ranks|count rank}[ of {threads|unless 1} threads] on shared GPUs: {notes})"}
)

const machineWords = "{nodes|count node} of {each|count rank}, {ranks|count rank}"

const (
	because = "          "
	gotWant = "got {got|bits}, want {want|bits}"
	ofRank  = "{label} {rank}: "
)

// wrongValue is the body of a row that tells of one value of what.
func wrongValue(what string) string {
	return "rank {rank}: " + what + " from rank {source}, token {token}[, expert {expert}], channel {channel}: " + gotWant
}

// wrongBlock is the body of a row that tells of all rows of an expert, or where each row is kept once
// of a source.
func wrongBlock(what, then string) string {
	return "rank {rank}: " + what + " at expert {expert}" + then + gotWant +
		"||rank {rank}: " + what + " from rank {source}" + then + gotWant
}

var styles = map[string]style{
	"plan": {
		above: rule + "\n{title}\n" + rule + "\n",
		below: rule + "\n\n",
		apart: true,
		rows: map[string]phrase{
			"mode":    {body: "{mode}"},
			"ranks":   {body: "{ranks}"},
			"tokens":  {joins: true, head: ", {label}: ", body: "[{min|unless max}-]{max}"},
			"hidden":  {joins: true, head: ", {label}: ", body: "{hidden}"},
			"experts": {body: "{per_rank}/rank ({total} total)"},
			"topk":    {joins: true, head: ", {label}: ", body: "{topk}"},
			"layout":  {body: "{layout}"},
			"combine": {joins: true, head: ", {label}: ", body: "{combine}"},
			"quantize": {
				body: "{quantize} (codes and scales are the input)",
			},
			"backend":          {body: "{backend}[ ({notes})]"},
			"device":           {body: "{device}[, {dtype|unless fp8} dispatch]"}, // two dtypes never look alike
			"cpus":             cpusPhrase,
			"no_gpus unusable": {body: "none is used: {reason}[; /sys has {in_sys|count GPU}][; CUDA_VISIBLE_DEVICES={visible}]"},
			"no_gpus alone":    {body: "one, which has no other to send to, so ranks are on CPUs[; {notes}]"},
			"shared_gpus":      sharedPhrase,
			"gpu":              {joins: true, head: " (", next: ", ", body: "{count} x {name}"},
			"hosts":            {joins: true, body: "[ of {hosts|unless 1} hosts])"},
			"sms":              {body: "{sms} of [{gpu_min|unless gpu_max}-]{gpu_max}||{sms}"},
			"warmup":           {body: "{warmup}"},
			"iterations":       {joins: true, head: ", {label}: ", body: "{iterations} iterations"},
			"rounds":           {body: "{rounds} rounds"},
			"phases":           {body: "{phases}"},
			"soak":             {body: "soak of [{epochs|,} epochs][{duration|duration}], [one in {check_every|,} checked in full][{notes}]"},
			"row":              {joins: true, head: ", {label}: ", body: "{row} bytes"},
			"copied":           {body: "{copied|,} rows"},
			"cached":           {joins: true, head: ", {label}: ", body: "{cached|,} rows"},
		},
	},
	"verdict": {
		above: rule + "\n",
		below: rule + "\n",
		rows: map[string]phrase{
			"passed": {
				head: "{label} ({mode}[, layout {layout}, combine {combine}][, quantize {quantize}][, {sms|count SM}]): ",
				body: "{passed}/{ranks} ranks passed",
			},
			"calibrated": {body: "{passed}/{ranks} ranks passed"},
		},
	},
	"figures": {
		below: "\n", width: 17, decimals: 1,
		rows: map[string]phrase{"bandwidth": spreadPhrase, "latency": spreadPhrase},
	},
	"run": {
		decimals: 1,
		rows: map[string]phrase{
			"part":    {body: "only what the ranks of node {node} reported"},
			"ending":  {body: "{error}||{notes}"},
			"routing": {body: "{routing}"},
			"throttled": {
				head: "{label}: clocks of GPUs were lowered while they were measured: ",
				next: ", ", body: "rank {rank} ({reasons})",
			},
			"waited":    {head: "{label}: ", body: "ranks waited for CPUs, rank {rank} for {share|percent} of the time"},
			"others":    {joins: true, head: "; others computed: ", next: ", ", body: "[{process} ](pid {pid}, {share|percent} of a CPU)"},
			"stolen":    {head: "{label}: ", body: "a hypervisor gave {share|percent} of a host's CPU time to others"},
			"held_back": {head: "{label}: ", body: "a cgroup had used up its CPU time, and its processes waited for {held|duration}"},
			"others_on_gpus": {
				head: "{label}: others computed on GPUs of ranks: ",
				next: ", ", body: "rank {rank}: [{process} ](pid {pid}, {share|percent} of the time)",
			},
			"groups": {
				head: "{label}: two groups of durations ({unit}): ",
				body: "p50={lower_p50} ({lower_share|percent}) and p50={upper_p50} ({upper_share|percent})",
			},
		},
	},
	"detail": {
		width: 18, decimals: 1,
		rows: map[string]phrase{
			"pair":        {body: "median={median} ({notes})"},
			"graph":       {body: "median={median} ({notes})"},
			"bound":       {joins: true, head: " (", next: "; ", body: "[{operation} by {by}, ]{bytes} bytes per rank at {rate} GB/s"},
			"calibration": {joins: true, head: ", calibration ", body: "{run})"},
			"sent":        {body: "{messages|,} messages, {bytes} bytes by the rank that sent most; the slowest took {slowest} μs"},
			"probe":       {body: "64 bytes={small}, {bytes} bytes={large} (slowest pair)"},
			"proxy":       {head: "{label} {ranks}: ", body: "CPUs {cpus} of NUMA node {node}||CPUs {cpus}, not bound"},
		},
	},
	"beside": {
		width: 23, decimals: 1,
		rows: map[string]phrase{
			"meter":       {body: "{meter} on [{min|unless max}-]{max} multiprocessors||{meter}"},
			"meter_alone": spreadPhrase, "meter_beside": spreadPhrase, "latency_beside": spreadPhrase,
		},
	},
	"moved": {rows: map[string]phrase{
		"bytes":   {head: "{label}: "},
		"network": {body: "UCX {ucx|or of unknown version} (modules: {modules|or none})"},
		"overridden": {
			body: "{variable}, which is set, has rows go over {by}, which --nvlink-backend=none does not mean||" +
				"{variable}, which is set, keeps NICs from GPUs' memory, so UCX copies the rows",
		},
		"without_cma": {
			head: "{label}: without its module cma UCX takes a slower way; is UCX_MODULE_DIR right? (ranks: ",
			next: ", ", body: "{rank}", tail: ")",
		},
	}},
	"checked": {rows: map[string]phrase{
		"checked":                     {body: "{right}/{ranks} ranks, {rows|,} rows, {wrong|,} wrong"},
		"first_wrong":                 {body: wrongValue("row")},
		"first_wrong dispatch-row":    {body: wrongValue("dispatched row")},
		"first_wrong dispatch-scale":  {body: wrongValue("scale of the dispatched row")},
		"first_wrong dispatch-source": {body: wrongValue("source of the dispatched row")},
		"first_wrong combine-row":     {body: wrongValue("combined row")},
		"first_wrong dispatch-count":  {body: wrongBlock("number of rows", ": ")},
		"first_wrong dispatch-begin":  {body: wrongBlock("first row", ": ")},
		"first_wrong padding":         {body: wrongBlock("a row of padding behind those", ", byte {channel}: ")},
		"first_wrong dispatch-description": {
			body: "rank {rank}: description of the row from rank {source}, token {token}: " + gotWant,
		},
		"first_wrong guard": {
			body: "rank {rank}: guard beside [the rows of expert {expert}][{notes}], byte {channel}: " + gotWant,
		},
		"first_wrong copied-row": {
			body: "rank {rank}: row {token} copied from rank {source}, channel {channel}: " + gotWant,
		},
		"failure no-result":   {head: ofRank, body: "ended without a result after {have} of {want} iterations"},
		"failure not-right":   {head: ofRank, body: "{error}"},
		"failure reported":    {head: ofRank, body: "{error}"},
		"failure unfinished":  {head: ofRank, body: "ended after {have} of {want} iterations"},
		"failure unexplained": {head: ofRank, body: "failed without saying why"},
	}},
	"soaked": {rows: map[string]phrase{
		"soak":   {body: "{epochs|,} epochs, {checked|,} checked in full, {rows|,} rows, {wrong|,} wrong"},
		"rounds": {body: "{rounds}, each with its routing and seed; {bytes} bytes compared"},
		"repeat": {body: "--seed={seed} --routing={routing} --soak-round=0"},
	}},
	"phases": {grid: true, decimals: 1, below: "\n"},
	"elastic": {rows: map[string]phrase{
		"work": {body: "{iterations|,} iterations, {rows|,} rows, {wrong|,} wrong; ranks had {processes} processes"},
	}},
	"steps": {
		below: "\n", width: 16, decimals: 1,
		rows: map[string]phrase{
			"left": {body: "after the last round at most {descriptors} descriptors, {mappings} mappings, {threads} threads, {memory|,} bytes more than after the first"},
		},
	},
	"limits": {
		below: "\n", width: 38, decimals: 2,
		rows: map[string]phrase{
			"copy_alone": spreadPhrase, "copy_all": spreadPhrase,
			"cached_alone": spreadPhrase, "cached_all": spreadPhrase,
			"get_alone": spreadPhrase, "get_all": spreadPhrase, "local": spreadPhrase,
		},
	},
	"input": {below: "\n", rows: map[string]phrase{
		"routing": {body: "{routing}, seed {seed}; rows travel as {dtype} and come back as bf16"},
	}},
	"memory": {
		above: "{title} (bytes)\n", below: "\n",
		rows: map[string]phrase{
			"region":       {head: "  {label|-30} ", body: "{bytes|16}"},
			"region_part":  {head: "    {label|-28} ", body: "{bytes|16}"},
			"private":      {head: "  {label|-30} ", body: "{bytes|16}"},
			"private_part": {head: "    {label|-28} ", body: "{bytes|16}"},
			"output_rows": {
				head: "  {label}: ",
				body: "{reserved|,} reserved ({bytes} bytes, three sets of experts' outputs included), at most {received|,} received; {notes}",
			},
		},
	},
	"needed": {rows: map[string]phrase{
		"gpu": {head: "{label} with {ranks|count rank}: ", body: "{needed} bytes{notes} {available} that {name} has"},
		"host": {
			head: "{label} of {ranks|count rank}: ",
			body: "{needed} bytes{notes} {available} that {by} leaves||{needed} bytes; this machine does not tell what it has",
		},
		"bytes": {head: "{label}: "},
		"place": {
			head: "{label} {ranks}: ",
			body: "CPUs {cpus} and {memory} of NUMA node {node}||CPUs {cpus} of NUMA node {node}||CPUs {cpus}, of no node of their own",
		},
		"shapes": {
			head: "{label}: ",
			body: "top-k to {topk}, experts to {experts|,} ({experts_on_gpus|,} on GPUs), hidden a multiple of {hidden_multiple}; where it is none of 128, the last FP8 scale has fewer channels",
		},
		"limits": {head: "{label}: ", body: "{wait|duration} for every wait for a peer, {run|duration} for the whole run"},
	}},
	"sweep": {
		above: rule + "\n{title}\n" + rule + "\n",
		below: rule + "\n\n",
		apart: true,
		rows: map[string]phrase{
			"cases":       {body: "{ended} of {cases}[, gone on with after {resumed|count interruption}]"},
			"same":        {body: "{same}"},
			"backend":     {body: "{backend}[ ({notes})]"},
			"device":      {body: "{device}"},
			"cpus":        cpusPhrase,
			"shared_gpus": sharedPhrase,
			"gpu":         {joins: true, head: " (", next: ", ", body: "{count} x {name}"},
			"hosts":       {joins: true, body: "[ of {hosts|unless 1} hosts])"},
		},
	},
	"prediction": {
		above: rule + "\n{title}\n" + rule + "\n", below: "\n",
		rows: map[string]phrase{
			"machine":  {body: machineWords},
			"measured": {body: "{cases|count case}, p50 of the slowest rank[; {left|unless 0} more are of no use here]"},
			"modelled": {body: "all that follows: {modelled}"},
			"network":  {head: "{label}: ", body: "{rate} {unit} for each rank, as --network says"},
		},
	},
	"fits":        {grid: true, decimals: 1, below: "\n"},
	"predictions": {grid: true, decimals: 1},
	"no_line":     {apart: true, rows: map[string]phrase{"no_line": {head: "No line for ", body: "{label}: {why}"}}},
	"simulation": {
		above: rule + "\n{title}\n" + rule + "\n", below: "\n", decimals: 1,
		rows: map[string]phrase{
			"machine":  {body: machineWords},
			"case":     {body: "{case}"},
			"rates":    {head: "{label}: ", body: "mapped {mapped} {unit} after {mapped_first} μs, network {network} {unit} after {network_first} μs, each way, for each rank"},
			"modelled": {body: "all that follows, nothing is measured: {modelled}"},
			"time":     {body: "{all} until the last row is there, {mean} on a rank in the mean"},
		},
	},
	"hot_links": {grid: true, decimals: 1},
	"cases":     {grid: true, decimals: 1, below: "\n"},
	"comparison": {
		above: rule + "\n{title}\n" + rule + "\n",
		rows: map[string]phrase{
			"figure":    {body: "{figure}, one a launch"},
			"threshold": {body: "{threshold}"},
		},
	},
	"compared": {
		above: "{title}\n", apart: true, decimals: 1,
		rows: map[string]phrase{
			"side":                    {head: "  {side|-7} ", body: "{median} {unit}[ ({low} to {high})], {launches|count launch}||{launches|count launch} with this figure"},
			"change":                  {head: "  {label|-7} ", body: "{estimate|change}[ ({low|change} to {high|change})], p={p|rough}"},
			"verdict":                 {head: "  {label|-7} ", body: "{verdict}"},
			"regression":              {joins: true, head: ", a regression: by ", body: "{threshold} or more"},
			"reason too-few-launches": {head: because, body: "{launches} launches a side would do"},
			"reason too-wide":         {head: because, body: "the change may be more than the threshold, or none; more launches would tell"},
			"reason other-plan":       {head: because, body: "launches were asked for different things: {what}"},
			"reason other-machine":    {head: because, body: "launches ran on different things: {what}"},
			"reason not-passed":       {head: because, body: "{launches|count launch} did not pass"},
			"reason oversubscribed":   {head: because, body: "ranks share CPUs or GPUs in {launches|count launch}"},
			"reason throttled":        {head: because, body: "clocks of GPUs were lowered in {launches|count launch}"},
			"reason clocks":           {head: because, body: "GPUs tell of different {what}"},
			"reason busy-host":        {head: because, body: "two groups of durations in {launches|count launch}: something else ran"},
			"reason not-in-turns": {
				head: because, body: "one side's launches all came first: what changed on the machine since looks like a change of the build",
			},
		},
	},
	"tools": {
		above: rule + "\n{title}\n" + rule + "\n", apart: true,
		rows: map[string]phrase{"rule": {body: "{blocks}, none of which can be compared with another"}},
	},
	"foreign": {
		apart: true, decimals: 1,
		rows: map[string]phrase{
			"of": {
				head: "{operation}, {boundary}",
				body: "[, {dtype}][, layout {layout}][, combine {combine}][, quantize {quantize}][, by {bytes}][, {sms|count SM}][: {shape}]",
			},
			"figure": {
				head: "  [{place}. ]{tool|-10} ", body: "{latency|10} {unit} {bandwidth|10} GB/s  {file}",
			},
			"unranked": {head: "  {label}: ", body: "the outputs do not say of which shape they are, or how long it took"},
		},
	},
	"expectation": {
		above: rule + "\n{title}\n" + rule + "\n", apart: true,
		rows: map[string]phrase{"tolerance": {body: "±{tolerance}"}, "source": {body: "{source}"}},
	},
	"expected": {
		above: "{title}\n", apart: true, decimals: 1,
		rows: map[string]phrase{
			"not_comparable": {head: "  {label}: ", next: "; ", body: "{differs}"},
			"example":        {head: "  {label|-10} ", body: "{measured} {unit}, {example} in the example"},
			"expected": {
				head: "  {label|-10}", body: "{measured} {unit}, {expected} expected, {change|change}: {verdict}||{expected} {unit} expected: {verdict}",
			},
		},
	},
	"alone":  {apart: true, rows: map[string]phrase{"alone": {head: "Only on one side: ", body: "{name}"}}},
	"record": {},
}

// notes are the words of notes, with their cells.
var notes = map[string]string{
	"rdma_forced":           "RDMA forced",
	"mapped":                "mapped within a host",
	"carried":               "{by}",
	"staged_in_host":        "staged in host memory",
	"staged_by_ucx":         "staged by UCX",
	"carried_between_hosts": "{by} between hosts",
	"lowered_clocks":        "clocks of GPUs were lowered",
	"two_groups":            "two groups of durations",
	"not_speed":             "checks correctness, not speed",
	"half_of_time":          "checked in full for at most half of the time",
	"unfinished":            "{ranks|count rank} did not finish",
	"shared_gpus":           "ranks share GPUs",
	"may_share":             "--shared-gpu has all ranks on it, which checks and measures nothing",
	"shared_sms":            "blocks shared a multiprocessor",
	"unknown_sms":           "not all ranks tell where the meter ran",
	"samples":               "{samples|count sample}",
	"pairs":                 "{pairs|count pair}",
	"graph":                 "{replays|count replay} of {operations|count operation}",
	"not_closed":            "the run ended without closing its record, which holds what was written until then",
	"signal":                "the run was ended by a signal",
	"no_reason":             "the record does not say why",
	"remote_not_counted":    "of rows that come back one a selection, nobody counts the remote ones",
	"not_mapped":            "a calibration is of mapped memory",
	"several_hosts":         "a calibration is of one launcher's ranks",
	"several_threads":       "a calibration copies with one thread per rank",
	"no_calibration":        "no calibration of this machine; perf calibrate --num-processes={ranks} makes one",
	"lazy":                  "the rest takes no memory",
	"on_gpu":                "the GPU has memory for all of them, its host for these",
	"fits":                  " of",
	"too_much":              ", more than the",
	"combined":              "the combined rows",
	"received_or_combined":  "the received or the combined rows",
}

// enums are the words that stand for others.
var enums = map[string]string{
	"link":  "the link",
	"line":  "a line through them, by the bytes of the rank that sends most; rows of uniform routing, no link that several share",
	"links": "each rank sends its rows one behind the other, the next rank's first; links in take them as they come",
}
