package plan

import (
	"strconv"
	"strings"
)

// A Model is the shape of a public model's expert layers.
type Model struct {
	Name                  string
	Hidden, Experts, Topk int
	// Source is where the numbers are public.
	Source string
}

// Models are those that a sweep knows by name.
var Models = []Model{
	{"deepseek-v3", 7168, 256, 8, "config.json of deepseek-ai/DeepSeek-V3: hidden_size, n_routed_experts, num_experts_per_tok"},
	{"kimi-k2", 7168, 384, 8, "config.json of moonshotai/Kimi-K2-Instruct: the same fields"},
	{"qwen3-235b", 4096, 128, 8, "config.json of Qwen/Qwen3-235B-A22B: hidden_size, num_experts, num_experts_per_tok"},
	{"gpt-oss-120b", 2880, 128, 4, "config.json of openai/gpt-oss-120b: hidden_size, num_local_experts, num_experts_per_tok"},
	{"mixtral-8x22b", 6144, 8, 2, "config.json of mistralai/Mixtral-8x22B-v0.1: hidden_size, num_local_experts, num_experts_per_tok"},
}

// ModelNames are their names.
func ModelNames() (names []string) {
	for _, model := range Models {
		names = append(names, model.Name)
	}
	return names
}

// shapedAs returns options with the shape of a model on so many ranks in all.
func (o Options) shapedAs(name string) (Options, error) {
	ranks := max(o.Nodes, 1) * o.NumProcesses
	for _, model := range Models {
		if model.Name != name {
			continue
		}
		if ranks < 1 || model.Experts%ranks != 0 {
			return o, &UsageError{
				"model", name, strconv.Itoa(model.Experts) + " experts are not the same number on each of " + strconv.Itoa(ranks) + " ranks", "--num-processes=2",
			}
		}
		o.Hidden, o.ExpertsPerRank, o.Topk = model.Hidden, model.Experts/ranks, model.Topk
		return o, nil
	}
	return o, &UsageError{"model", strconv.Quote(name), "not one of " + strings.Join(ModelNames(), ", "), argument("model", Models[0].Name)}
}
