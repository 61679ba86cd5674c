package cli

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/spf13/cobra"
)

// manualPages are the pages of the repository that speak of commands.
func manualPages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"../../*.md", "../../docs/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no pages: %v", err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			pages[f] = string(text)
		}
	}
	return pages
}

var (
	inlineCommand = regexp.MustCompile("`(orc [^`\n]+)`")
	lineCommand   = regexp.MustCompile(`(?m)^ *(orc .*[^.\n])$`)
	codeBlock     = regexp.MustCompile("(?ms)^```(?:sh|text)\n(.*?)^```$")
	pageLink      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading       = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// Every command that a page, an example or a topic of the help names exists, with its flags.
func TestEveryCommandThatIsWrittenAboutExists(t *testing.T) {
	root := newRoot(&App{})
	for page, text := range manualPages(t) {
		if strings.HasSuffix(page, "CHANGELOG.md") {
			continue // it speaks of what was
		}
		said := inlineCommand.FindAllStringSubmatch(text, -1)
		for _, block := range codeBlock.FindAllStringSubmatch(text, -1) {
			said = append(said, lineCommand.FindAllStringSubmatch(block[1], -1)...)
		}
		for _, m := range said {
			if err := commandExists(root, m[1]); err != nil {
				t.Errorf("%s: `%s`: %v", page, m[1], err)
			}
		}
	}
	everyCommand(root, func(c *cobra.Command) {
		for _, m := range lineCommand.FindAllStringSubmatch(c.Example+"\n"+c.Long, -1) {
			if err := commandExists(root, m[1]); err != nil {
				t.Errorf("%s --help: `%s`: %v", c.CommandPath(), m[1], err)
			}
		}
	})
}

// everyCommand calls f for each command that is not hidden, topics of the help included.
func everyCommand(root *cobra.Command, f func(*cobra.Command)) {
	for _, c := range root.Commands() {
		if !c.Hidden {
			f(c)
			everyCommand(c, f)
		}
	}
}

// commandExists says what is wrong with a command as it is written for a person.
func commandExists(root *cobra.Command, line string) error {
	line = strings.NewReplacer(`\|`, "|", "…", " ").Replace(line)
	for _, end := range []string{" #", "  ", " | ", "; ", " && ", " &", " > "} {
		line, _, _ = strings.Cut(line, end)
	}
	words := strings.Fields(line)[1:]
	at := root
	for len(words) > 0 && at.HasAvailableSubCommands() {
		next := subCommands(at, words[0])
		if next == nil {
			break
		}
		at, words = next, words[1:]
	}
	if at == root && len(words) > 0 && words[0] == "help" {
		if len(words) > 1 && words[1] != strings.ToUpper(words[1]) && subCommands(root, words[1]) == nil {
			return fmt.Errorf("there is no help about %s", words[1])
		}
		return nil
	}
	if at == root && len(words) > 0 && !strings.HasPrefix(words[0], "-") && words[0] != strings.ToUpper(words[0]) {
		return fmt.Errorf("there is no command %s", words[0])
	}
	at.InitDefaultHelpFlag()
	for _, w := range words {
		name, isFlag := strings.CutPrefix(strings.Trim(w, "[](),.:"), "--")
		if name, _, _ = strings.Cut(name, "="); !isFlag || name == "" {
			continue
		}
		if at.Flags().Lookup(name) == nil && at.InheritedFlags().Lookup(name) == nil {
			return fmt.Errorf("%s has no flag --%s", at.CommandPath(), name)
		}
	}
	return nil
}

// subCommands finds the last of the sub-commands a|b|c; nil = one of them does not exist.
func subCommands(at *cobra.Command, word string) (found *cobra.Command) {
	for name := range strings.SplitSeq(word, "|") {
		found = nil
		for _, c := range at.Commands() {
			if c.Name() == name && (found == nil || !c.IsAdditionalHelpTopicCommand()) {
				found = c
			}
		}
		if found == nil {
			return nil
		}
	}
	return found
}

// Every link from page to page leads somewhere, headings included.
func TestEveryLinkOfThePagesLeadsSomewhere(t *testing.T) {
	pages := manualPages(t)
	for page, text := range pages {
		for _, m := range pageLink.FindAllStringSubmatch(text, -1) {
			u, err := url.Parse(m[1])
			if err != nil || u.Scheme != "" {
				if err != nil {
					t.Errorf("%s: %v", page, err)
				}
				continue
			}
			target := page
			if u.Path != "" {
				target = filepath.Join(filepath.Dir(page), u.Path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: link to %s: %v", page, m[1], err)
			} else if u.Fragment != "" && !hasHeading(pages[target], u.Fragment) {
				t.Errorf("%s: %s has no heading #%s", page, target, u.Fragment)
			}
		}
	}
}

// hasHeading says whether a page has the heading that a fragment names as GitHub does.
func hasHeading(text, fragment string) bool {
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		var slug strings.Builder
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				slug.WriteRune(r)
			case r == ' ':
				slug.WriteByte('-')
			}
		}
		if slug.String() == fragment {
			return true
		}
	}
	return false
}
