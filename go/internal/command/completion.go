package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// This file has what a shell and a pager are told of a program, all of it from its commands and flags.

// askToComplete is the flag with which a shell asks what may come next.
const askToComplete = "--generate-bash-completion"

// bash and zsh ask the program itself, and take a file's name where it has nothing to say. NAME is the program's.
const (
	bash = `_NAME_complete() {
  local current=${COMP_WORDS[COMP_CWORD]} words=("${COMP_WORDS[@]:0:COMP_CWORD}") answer
  [[ $current == -* ]] && words+=("$current")
  answer=$("${words[@]}" ` + askToComplete + ` 2>/dev/null)
  mapfile -t COMPREPLY < <(compgen -W "$answer" -- "$current")
}
complete -o bashdefault -o default -F _NAME_complete NAME
`
	zsh = `#compdef NAME
_NAME_complete() {
  local -a answer command=(${words[1,CURRENT-1]})
  [[ ${words[CURRENT]} == -* ]] && command+=(${words[CURRENT]})
  answer=("${(@f)$(${command} ` + askToComplete + ` 2>/dev/null)}")
  [[ -n ${answer[1]} ]] && compadd -a answer || _files
}
compdef _NAME_complete NAME
`
)

// helpCommands are of every program.
func helpCommands() []*cli.Command {
	return []*cli.Command{{
		Name:         "completion",
		Usage:        "print what makes a shell complete commands and flags",
		UsageText:    "source <(PROGRAM completion bash)\nsource <(PROGRAM completion zsh)\nPROGRAM completion fish | source",
		OnUsageError: OnUsageError,
		BashComplete: func(c *cli.Context) { fmt.Fprintln(c.App.Writer, "bash\nzsh\nfish") },
		Action: func(c *cli.Context) error {
			return write(c, func() (string, error) {
				switch shell := c.Args().First(); shell {
				case "bash":
					return strings.ReplaceAll(bash, "NAME", c.App.Name), nil
				case "zsh":
					return strings.ReplaceAll(zsh, "NAME", c.App.Name), nil
				case "fish":
					return c.App.ToFishCompletion()
				default:
					return "", Usagef("completion: shell %q: try one of bash, zsh, fish", shell)
				}
			})
		},
	}, {
		Name:         "man",
		Usage:        "print the manual page, for man -l -",
		OnUsageError: OnUsageError,
		Action: func(c *cli.Context) error {
			return write(c, func() (string, error) { return c.App.ToManWithSection(1) })
		},
	}}
}

func write(c *cli.Context, text func() (string, error)) error {
	made, err := text()
	if err != nil {
		return err
	}
	_, err = io.WriteString(c.App.Writer, made)
	return err
}

// A Group is flags that --help shows together, under a name.
type Group struct {
	Name  string
	Flags []string
}

// InGroups gives flags the names of their groups, and panics for a flag that is in none: a program's flags are
// known when it is written.
func InGroups(flags []cli.Flag, groups ...Group) []cli.Flag {
	of := map[string]string{}
	for _, group := range groups {
		for _, name := range group.Flags {
			of[name] = group.Name
		}
	}
	for _, flag := range flags {
		name := flag.Names()[0]
		group, ok := of[name]
		if !ok {
			panic("--" + name + " is in no group of --help")
		}
		switch flag := flag.(type) {
		case *cli.StringFlag:
			flag.Category = group
		case *cli.BoolFlag:
			flag.Category = group
		case *cli.GenericFlag:
			flag.Category = group
		default:
			panic(fmt.Sprintf("--%s: %T has no group", name, flag))
		}
	}
	return flags
}
