package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// CompletionCmd prints the script that completes commands in a shell.
type CompletionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"Shell: ${enum}."`
}

// Help returns the instructions for the script.
func (c *CompletionCmd) Help() string {
	return `bash: source <(treewarden completion bash)
zsh:  source <(treewarden completion zsh)
fish: treewarden completion fish | source`
}

// Run prints the script.
func (c *CompletionCmd) Run(app *App, parser *kong.Kong) error {
	places := completionPlaces(parser.Model.Node, "", nil)
	switch c.Shell {
	case "bash":
		return bashCompletion(app.Stdout, places)
	case "zsh":
		return zshCompletion(app.Stdout, places)
	}
	return fishCompletion(app.Stdout, places)
}

// place is one command: the words that lead to it, and the words that may
// follow it.
type place struct {
	path  string // "", "staff", "staff create"
	words []word
	files bool // it takes names of files
}

type word struct{ text, help string }

// completionPlaces walks the commands, the program itself first.
func completionPlaces(node *kong.Node, path string, above []*kong.Flag) []place {
	here := place{path: path, files: path == "import" || path == "export verify"}
	flags := append(above[:len(above):len(above)], node.Flags...)
	var below []place
	for _, child := range node.Children {
		if child.Type != kong.CommandNode || child.Hidden {
			continue
		}
		here.words = append(here.words, word{child.Name, child.Help})
		below = append(below, completionPlaces(child, strings.TrimSpace(path+" "+child.Name), flags)...)
	}
	for _, arg := range node.Positional {
		if arg.Enum != "" {
			for _, value := range strings.Split(arg.Enum, ",") {
				here.words = append(here.words, word{value, arg.Help})
			}
		}
	}
	if node.DefaultCmd != nil { // its name can be left out
		flags = append(flags[:len(flags):len(flags)], node.DefaultCmd.Flags...)
	}
	for _, flag := range flags {
		if !flag.Hidden {
			here.words = append(here.words, word{"--" + flag.Name, flag.Help})
		}
	}
	return append([]place{here}, below...)
}

func (p place) list() string {
	texts := make([]string, len(p.words))
	for i, w := range p.words {
		texts[i] = w.text
	}
	return strings.Join(texts, " ")
}

// cases returns the branches of a shell's case statement, one for each command.
func cases(places []place, branch func(place) string) string {
	var b strings.Builder
	for _, p := range places {
		fmt.Fprintf(&b, "    %q) %s ;;\n", p.path, branch(p))
	}
	return b.String()
}

// paths returns all commands as patterns of a case statement.
func paths(places []place) string {
	var patterns []string
	for _, p := range places[1:] {
		patterns = append(patterns, fmt.Sprintf("%q", p.path))
	}
	return strings.Join(patterns, "|")
}

func bashCompletion(w io.Writer, places []place) error {
	_, err := fmt.Fprintf(w, `# bash completion of treewarden
_treewarden() {
  local current="${COMP_WORDS[COMP_CWORD]}" command="" next words="" word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="${command:+$command }$word"
    case "$next" in
    %s) command="$next" ;;
    esac
  done
  COMPREPLY=()
  case "$command" in
%s  esac
  COMPREPLY+=($(compgen -W "$words" -- "$current"))
}
complete -F _treewarden treewarden
`, paths(places), cases(places, func(p place) string {
		branch := fmt.Sprintf("words=%q", p.list())
		if p.files {
			branch += `; [[ $current == -* ]] || COMPREPLY=($(compgen -f -- "$current"))`
		}
		return branch
	}))
	return err
}

func zshCompletion(w io.Writer, places []place) error {
	_, err := fmt.Fprintf(w, `#compdef treewarden
# zsh completion of treewarden
_treewarden() {
  local command="" next word
  for word in "${(@)words[2,CURRENT-1]}"; do
    next="${command:+$command }$word"
    case "$next" in
    %s) command="$next" ;;
    esac
  done
  case "$command" in
%s  esac
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
compdef _treewarden treewarden
`, paths(places), cases(places, func(p place) string {
		branch := "compadd -- " + p.list()
		if p.files {
			branch += "; _files"
		}
		return branch
	}))
	return err
}

func fishCompletion(w io.Writer, places []place) error {
	var b strings.Builder
	fmt.Fprint(&b, `# fish completion of treewarden
function __treewarden_at
    set -l command ""
    for word in (commandline -opc)[2..-1]
        set -l next (string trim "$command $word")
        contains -- "$next" `+strings.ReplaceAll(paths(places), "|", " ")+`; and set command "$next"
    end
    test "$command" = "$argv[1]"
end
complete -c treewarden -f
`)
	for _, p := range places {
		for _, word := range p.words {
			option := "-a " + word.text
			if flag, ok := strings.CutPrefix(word.text, "--"); ok {
				option = "-l " + flag
			}
			help := strings.ReplaceAll(word.help, "'", `\'`)
			fmt.Fprintf(&b, "complete -c treewarden -n '__treewarden_at %q' %s -d '%s'\n", p.path, option, help)
		}
		if p.files {
			fmt.Fprintf(&b, "complete -c treewarden -n '__treewarden_at %q' -F\n", p.path)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
