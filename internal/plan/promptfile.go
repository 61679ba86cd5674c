package plan

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"orchestrator/internal/diagnostic"
	"orchestrator/internal/plan/document"
)

// MaxPromptFile is the greatest size of a prompt file, in bytes.
const MaxPromptFile = 16 << 20

// promptFiles reads prompt files, each once. They must lie in the repository of the plan, or in the plan's folder
// where there is no repository; a symbolic link that leads out of it is refused by the system.
type promptFiles struct {
	dir    string // folder of the plan
	root   *os.Root
	prefix string // dir, relative to root
	read   map[string]promptFile
	failed error // why there is no root
	frozen bool  // no file is read
}

type promptFile struct{ text, message, help string }

func (c *checker) setPromptFile(t *task, f document.Field) {
	t.file.at = f.Key
	name, ok := c.Line(f.Value, "`prompt_file`")
	if !ok {
		return
	}
	if c.files.frozen {
		t.file.text = c.o.Prompts[t.id]
		return
	}
	file := c.files.open(name)
	if file.message != "" {
		c.Error(f.Value, "bad-prompt-file", fmt.Sprintf("prompt file %s %s", diagnostic.Quote(name), file.message), file.help)
		return
	}
	t.file.text = file.text
}

// open returns a prompt file's text, or what is wrong with it.
func (p *promptFiles) open(name string) promptFile {
	if known, ok := p.read[name]; ok {
		return known
	}
	file := p.load(name)
	if p.read == nil {
		p.read = make(map[string]promptFile)
	}
	p.read[name] = file
	return file
}

func (p *promptFiles) load(name string) promptFile {
	if filepath.IsAbs(name) || strings.HasPrefix(name, "~") || strings.Contains(name, "\\") {
		return promptFile{message: "is not a relative path", help: "the path is relative to the plan file, with `/` between its parts"}
	}
	if p.root == nil && p.failed == nil {
		p.failed = p.openRoot()
	}
	if p.failed != nil {
		return promptFile{message: "cannot be read: " + reason(p.failed)}
	}
	inside := filepath.Join(p.prefix, filepath.FromSlash(name))
	if !filepath.IsLocal(inside) {
		return promptFile{message: "is outside the repository of the plan", help: "copy it into the repository"}
	}
	info, err := p.root.Stat(inside)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return promptFile{message: "does not exist", help: "the path is relative to the plan file"}
	case err != nil:
		return unreadable(err)
	case info.IsDir():
		return promptFile{message: "is a folder"}
	case !info.Mode().IsRegular():
		return promptFile{message: "is not a regular file"}
	case info.Size() > MaxPromptFile:
		return promptFile{message: fmt.Sprintf("has %d bytes; at most %d are allowed", info.Size(), MaxPromptFile)}
	}
	f, err := p.root.Open(inside)
	if err != nil {
		return unreadable(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxPromptFile+1))
	switch {
	case err != nil:
		return unreadable(err)
	case len(text) > MaxPromptFile:
		return promptFile{message: fmt.Sprintf("has more than %d bytes", MaxPromptFile)}
	case bytes.IndexByte(text, 0) >= 0:
		return promptFile{message: "is not a text file: it has a NUL byte"}
	case !utf8.Valid(text):
		return promptFile{message: "is not valid UTF-8"}
	}
	prompt := string(bytes.TrimPrefix(text, []byte("\ufeff")))
	if strings.TrimSpace(prompt) == "" {
		return promptFile{message: "is empty"}
	}
	return promptFile{text: prompt}
}

// openRoot finds the repository's folder, else takes the plan's own.
func (p *promptFiles) openRoot() error {
	dir, err := filepath.Abs(p.dir)
	if err != nil {
		return err
	}
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	top := dir
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(filepath.Join(at, ".git")); err == nil {
			top = at
			break
		}
		if filepath.Dir(at) == at {
			break
		}
	}
	if p.prefix, err = filepath.Rel(top, dir); err != nil {
		return err
	}
	p.root, err = os.OpenRoot(top)
	return err
}

func (p *promptFiles) close() {
	if p.root != nil {
		_ = p.root.Close() // only read from
	}
}

func unreadable(err error) promptFile {
	text := reason(err)
	if strings.Contains(text, "escapes") {
		return promptFile{message: "is outside the repository of the plan", help: "a symbolic link leads out; copy the file into the repository"}
	}
	return promptFile{message: "cannot be read: " + text}
}

// reason is an error without the path that the message has already.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
