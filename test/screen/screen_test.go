//go:build unix

package screen

import (
	"context"
	"os/exec"
	"testing"
	"time"
)

func TestAProgramIsSeenAndHearsKeys(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := Start(exec.CommandContext(ctx, "/bin/sh", "-c", `printf '\033[1;31mname?\033[0m '; read -r name; printf '\033[Hhello, %s\n' "$name"; exit 3`), 40, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shows(ctx, "name?"); err != nil {
		t.Fatal(err)
	}
	if c := s.Cells()[0][0]; c.Text != "n" || !c.Bold || c.Fg == nil {
		t.Errorf("the first cell is %+v", c)
	}
	if err := s.Press("Ann\r"); err != nil {
		t.Fatal(err)
	}
	if err := s.Shows(ctx, "hello, Ann"); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err == nil || err.Error() != "exit status 3" {
		t.Errorf("the program ended with %v", err)
	}
	if err := s.Shows(ctx, "never"); err == nil {
		t.Error("what is never shown is waited for when the program is gone")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
