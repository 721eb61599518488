package examples_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"sigs.k8s.io/yaml"
)

// Both hosts are this one; a script stands for ssh that runs what it is given here.
func TestSSH(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	script, ssh := filepath.Join(here, "ssh", "run"), "sh "+filepath.Join(here, "ssh", "testdata", "ssh.sh")
	arguments := append([]string{script, "localhost", "localhost", "--", "--num-processes=1"}, smallRun...)
	run := newCall(t.TempDir(), "bash", arguments...)
	run.Env = append(run.Env, "PERF="+perfBinary(t), "SSH="+ssh)
	if err := run.Run(); err != nil || !strings.Contains(run.stdout.String(), "2/2 ranks passed") {
		t.Errorf("%v, stdout:\n%sstderr:\n%s", err, &run.stdout, &run.stderr)
	}
	wrong := newCall(t.TempDir(), "bash", append(arguments, "--topk=0")...)
	wrong.Env = run.Env
	if err := wrong.Run(); wrong.ProcessState.ExitCode() != 2 {
		t.Errorf("what fails on all hosts: %v, stderr:\n%s", err, &wrong.stderr)
	}
}

// manifests reads examples/kubernetes/job.yaml, as JSON.
func manifests(t *testing.T) (service, job []byte) {
	t.Helper()
	text, err := os.ReadFile("kubernetes/job.yaml")
	if err != nil {
		t.Fatal(err)
	}
	first, second, found := strings.Cut(string(text), "\n---\n")
	if !found {
		t.Fatal("no two documents")
	}
	for from, to := range map[string]*[]byte{first: &service, second: &job} {
		if *to, err = yaml.YAMLToJSONStrict([]byte(from)); err != nil {
			t.Fatal(err)
		}
	}
	return service, job
}

func TestKubernetesTakesTheManifests(t *testing.T) {
	file, err := os.Open("kubernetes/schema/job.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("job.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("job.json")
	if err != nil {
		t.Fatal(err)
	}
	service, job := manifests(t)
	valid := func(manifest []byte) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(manifest))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(value)
	}
	for _, manifest := range [][]byte{service, job} {
		if err := valid(manifest); err != nil {
			t.Error(err)
		}
	}
	for good, bad := range map[string]string{"completionMode": "completionmode", `"completions":2`: `"completions":"two"`, `"name":"perf"`: `"nome":"perf"`} {
		if changed := bytes.Replace(job, []byte(good), []byte(bad), 1); bytes.Equal(changed, job) || valid(changed) == nil {
			t.Errorf("%s instead of %s passes", bad, good)
		}
	}
}

// What the pods of the Job would do makes one run: here they are processes, and their names are this host's.
func TestPodsOfTheJobMakeOneRun(t *testing.T) {
	service, text := manifests(t)
	var job struct {
		Metadata struct{ Name string }
		Spec     struct {
			Completions, Parallelism int
			Template                 struct {
				Spec struct {
					Subdomain  string
					Containers []struct{ Args []string }
				}
			}
		}
	}
	if err := json.Unmarshal(text, &job); err != nil {
		t.Fatal(err)
	}
	pod := job.Spec.Template.Spec
	if job.Spec.Completions != job.Spec.Parallelism {
		t.Errorf("%d pods, and %d at a time", job.Spec.Completions, job.Spec.Parallelism)
	}
	if !bytes.Contains(service, []byte(`"name":"`+pod.Subdomain+`"`)) || !bytes.Contains(service, []byte(`"batch.kubernetes.io/job-name":"`+job.Metadata.Name+`"`)) {
		t.Errorf("the service does not name the pods of %s.%s", job.Metadata.Name, pod.Subdomain)
	}
	folder := t.TempDir()
	perf := perfBinary(t)
	if out, err := exec.Command(perf, "certs", "--out="+folder+"/certs", "--hosts=localhost").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	arguments := strings.Join(pod.Containers[0].Args, "\n")
	for pods, here := range map[string]string{
		fmt.Sprintf("--nnodes=%d\n", job.Spec.Completions):                            fmt.Sprintf("--nnodes=%d\n", job.Spec.Completions),
		fmt.Sprintf("--master-addr=%s-0.%s:2379\n", job.Metadata.Name, pod.Subdomain): "--master-addr=localhost\n",
		"--certs=/certs\n":    "--certs=" + folder + "/certs\n",
		"--output=/results\n": "--output=" + folder + "/results\n",
		// NIXL is no part of this test.
		"--nvlink-backend=none\n": "--nvlink-backend=ipc\n",
	} {
		if !strings.Contains(arguments, pods) {
			t.Fatalf("the pods lack %q:\n%s", pods, arguments)
		}
		arguments = strings.Replace(arguments, pods, here, 1)
	}
	runs := make([]*call, job.Spec.Completions)
	for index := range runs {
		runs[index] = newCall(folder, perf, append(strings.Split(arguments, "\n"), smallRun...)...)
		runs[index].Env = append(runs[index].Env, fmt.Sprintf("JOB_COMPLETION_INDEX=%d", index),
			fmt.Sprintf("HOSTNAME=%s%d-%d", job.Metadata.Name, os.Getpid(), index))
		if err := runs[index].Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { runs[index].Process.Kill() })
	}
	for index, run := range runs {
		err := run.Wait()
		if table := strings.Contains(run.stdout.String(), "4/4 ranks passed"); err != nil || table != (index == 0) {
			t.Errorf("pod %d: %v, stdout:\n%sstderr:\n%s", index, err, &run.stdout, &run.stderr)
		}
	}
}
