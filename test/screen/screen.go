// Package screen runs a program on a terminal of its own, presses keys, and says what is to be seen.
package screen

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// Terminal is a terminal with a program on it.
type Terminal struct {
	mu      sync.Mutex
	emu     *vt.Emulator
	tty     *os.File
	cmd     *exec.Cmd
	changed chan struct{} // has an element after each write
	read    chan struct{} // closed when the program's output has ended
	replied chan struct{} // closed when the emulator answers no more
}

// Cell is one place of the screen.
type Cell struct {
	Text    string // one character; empty for the second half of a wide one
	Fg, Bg  color.Color
	Bold    bool
	Faint   bool
	Italic  bool
	Reverse bool
}

// Start runs a command on a new terminal. Its standard streams are the terminal's.
func Start(cmd *exec.Cmd, columns, rows int) (*Terminal, error) {
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Cols: uint16(columns), Rows: uint16(rows)})
	if err != nil {
		return nil, fmt.Errorf("start %s on a terminal: %w", cmd.Path, err)
	}
	t := &Terminal{
		emu: vt.NewEmulator(columns, rows), tty: tty, cmd: cmd,
		changed: make(chan struct{}, 1), read: make(chan struct{}), replied: make(chan struct{}),
	}
	go t.follow()
	go func() {
		defer close(t.replied)
		_, _ = io.Copy(tty, t.emu) // what a program asks its terminal; it ends with either of them
	}()
	return t, nil
}

// follow takes what the program writes. The terminal's end is an error on Linux.
func (t *Terminal) follow() {
	defer close(t.read)
	buf := make([]byte, 64<<10)
	for {
		n, err := t.tty.Read(buf)
		if n > 0 {
			t.mu.Lock()
			_, werr := t.emu.Write(buf[:n])
			t.mu.Unlock()
			err = errors.Join(err, werr)
			select {
			case t.changed <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// Press types.
func (t *Terminal) Press(keys string) error {
	_, err := io.WriteString(t.tty, keys)
	return err
}

// Text is what is on the screen, without the blanks at the ends of lines.
func (t *Terminal) Text() string {
	var b strings.Builder
	for _, row := range t.Cells() {
		var line strings.Builder
		for _, c := range row {
			line.WriteString(c.Text)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// Cells is the screen, row by row.
func (t *Terminal) Cells() [][]Cell {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := make([][]Cell, t.emu.Height())
	for y := range rows {
		rows[y] = make([]Cell, t.emu.Width())
		for x := range rows[y] {
			rows[y][x] = newCell(t.emu.CellAt(x, y))
		}
	}
	return rows
}

func newCell(c *uv.Cell) Cell {
	if c == nil {
		return Cell{Text: " "}
	}
	text := c.Content
	if text == "" && c.Width > 0 {
		text = " "
	}
	has := func(attr uint8) bool { return c.Style.Attrs&attr != 0 }
	return Cell{
		Text: text, Fg: c.Style.Fg, Bg: c.Style.Bg, Bold: has(uv.AttrBold), Faint: has(uv.AttrFaint),
		Italic: has(uv.AttrItalic), Reverse: has(uv.AttrReverse),
	}
}

// Until waits until the screen is as wanted. The error shows the screen as it was last.
func (t *Terminal) Until(ctx context.Context, what string, is func(text string) bool) error {
	for {
		text := t.Text()
		if is(text) {
			return nil
		}
		select {
		case <-t.changed:
		case <-t.read:
			if text = t.Text(); is(text) {
				return nil
			}
			return fmt.Errorf("the program ended and never showed %s:\n%s", what, text)
		case <-ctx.Done():
			return fmt.Errorf("the screen never showed %s: %w\n%s", what, context.Cause(ctx), text)
		}
	}
}

// Shows waits until all the texts are on the screen.
func (t *Terminal) Shows(ctx context.Context, texts ...string) error {
	return t.Until(ctx, strings.Join(texts, ", "), func(screen string) bool {
		for _, text := range texts {
			if !strings.Contains(screen, text) {
				return false
			}
		}
		return true
	})
}

// Wait waits for the end of the program and of what it wrote; its error is the program's exit.
func (t *Terminal) Wait() error {
	<-t.read
	return t.cmd.Wait()
}

// PID is the program's process.
func (t *Terminal) PID() int { return t.cmd.Process.Pid }

// Close gives the terminal back; a program that is still on it hangs up.
func (t *Terminal) Close() error {
	err := t.tty.Close()
	<-t.read
	// The emulator's own Close may not come while somebody reads of it, so its end is told by the pipe.
	if pipe, ok := t.emu.InputPipe().(io.Closer); ok {
		err = errors.Join(err, pipe.Close())
	}
	<-t.replied
	return errors.Join(err, t.emu.Close())
}
