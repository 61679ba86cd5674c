package main

import (
	"fmt"
	"os"
	"strings"
)

// ledger is the file to which the tasks' commands report.
type ledger string

// entry is one line of it.
type entry struct {
	offset              int64
	word, task, attempt string
}

func (l ledger) size() (int64, error) {
	st, err := os.Stat(string(l))
	if err != nil {
		return 0, fmt.Errorf("look at the ledger: %w", err)
	}
	return st.Size(), nil
}

func (l ledger) read() ([]entry, error) {
	text, err := os.ReadFile(string(l))
	if err != nil {
		return nil, fmt.Errorf("read the ledger: %w", err)
	}
	var entries []entry
	offset := int64(0)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 {
			entries = append(entries, entry{offset, fields[0], fields[1], fields[2]})
		}
		offset += int64(len(line))
	}
	return entries, nil
}
