package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	sandboxCommand = "in-sandbox"
	sandboxFailed  = 120
	// Where an action's inputs lie in its root.
	sandboxInputs = "/inputs"
)

// What an action sees of the host: the compiler, its library and headers, and a shell. Not /etc, /home
// and /root, nor where checkouts lie.
var (
	hostFolders = []string{"/usr", "/bin", "/lib", "/lib64", "/sbin", "/etc/alternatives"}
	hostDevices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}
)

// inSandbox returns a command that runs words on a root of its own, in namespaces of its own: without a
// network, as a user of no rights outside. Inputs lie below root already.
func inSandbox(root, folder string, words []string) *exec.Cmd {
	command := exec.Command("/proc/self/exe", append([]string{sandboxCommand, root, filepath.Join(sandboxInputs, folder)}, words...)...)
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	return command
}

// enter makes the root and becomes the action: root, folder in it, words.
func enter(args []string) error {
	root, folder, words := args[0], args[1], args[2:]
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	for _, path := range append(hostFolders, hostDevices...) {
		if err := show(root, path); err != nil {
			return fmt.Errorf("%s in the sandbox: %w", path, err)
		}
	}
	if err := errors.Join(os.MkdirAll(root+"/proc", 0o755), os.MkdirAll(root+"/tmp", 0o755)); err != nil {
		return err
	}
	if err := syscall.Mount("proc", root+"/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("/proc in the sandbox: %w", err)
	}
	if err := errors.Join(syscall.Chroot(root), os.Chdir(folder)); err != nil {
		return err
	}
	program := words[0]
	if !strings.Contains(program, "/") {
		var err error
		if program, err = exec.LookPath(program); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s: %w", program, syscall.Exec(program, words, os.Environ()))
}

// show binds a file or a folder of the host, or repeats its link.
func show(root, path string) error {
	about, err := os.Lstat(path)
	if err != nil {
		return nil // of another distribution
	}
	at := root + path
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	switch {
	case about.Mode()&os.ModeSymlink != 0:
		to, err := os.Readlink(path)
		return errors.Join(err, os.Symlink(to, at))
	case about.IsDir():
		err = os.Mkdir(at, 0o755)
	default:
		err = os.WriteFile(at, nil, 0o644)
	}
	return errors.Join(err, syscall.Mount(path, at, "", syscall.MS_BIND|syscall.MS_REC, ""))
}
