// Command tally says how many words a text has.
package main

import (
	"fmt"
	"io"
	"os"

	"example.org/tally/count"
	"example.org/tally/format"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
	fmt.Print(format.Table([]format.Row{
		{Name: "words", Value: count.Words(string(text))},
	}))
}
