package workspace

import (
	"context"
	"strings"
)

// Query runs a git command that only reads, without any checkout, and gives its output without the last line end. The
// caller is trusted with the arguments: nothing that a person typed belongs among them.
func (r *Repository) Query(ctx context.Context, args ...string) (string, error) {
	out, err := r.run(ctx, r.plumbing(args...))
	return strings.TrimSuffix(string(out), "\n"), err
}
