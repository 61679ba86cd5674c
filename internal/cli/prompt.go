package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// confirm asks a yes-or-no question on stderr. An empty answer means usual; the end of input, and an answer that is
// neither, mean no.
func (a *App) confirm(question string, usual bool) (bool, error) {
	return a.confirmContext(context.Background(), question, usual)
}

// confirmContext is confirm that ends with ctx.
func (a *App) confirmContext(ctx context.Context, question string, usual bool) (bool, error) {
	choice := "[y/N]"
	if usual {
		choice = "[Y/n]"
	}
	if _, err := fmt.Fprintf(a.Stderr, "%s %s ", question, choice); err != nil {
		return false, err
	}
	type answer struct {
		line string
		err  error
	}
	// A read of a terminal cannot be given up; it ends with the process.
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(a.Stdin).ReadString('\n')
		got <- answer{line, err}
	}()
	var line string
	select {
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case g := <-got:
		if g.err != nil && !errors.Is(g.err, io.EOF) {
			return false, fmt.Errorf("read the answer: %w", g.err)
		}
		if errors.Is(g.err, io.EOF) && g.line == "" {
			_, err := fmt.Fprintln(a.Stderr)
			return false, err
		}
		line = g.line
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "":
		return usual, nil
	case "y", "yes":
		return true, nil
	}
	return false, nil
}
