package stream

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"

	"orchestrator/internal/provider"
)

// Keychain is true where programs keep their credentials in the system's keychain, which nobody else can look into
// without a question on the screen.
const Keychain = runtime.GOOS == "darwin"

var version = regexp.MustCompile(`\d+\.\d+(\.\d+)?(-[0-9A-Za-z.-]+)?`)

// Inspect finds an agent's program, the driver's default where name is empty, and asks for its version. install is
// how a person gets it.
func Inspect(ctx context.Context, name, standard string, env []string, install string) (provider.Installed, error) {
	if name == "" {
		name = standard
	}
	in := provider.Installed{Path: Find(name, env), Login: provider.LoginUnknown}
	if in.Path == "" {
		in.Fix = fmt.Sprintf("install it (%s), or set its `command` to where %s is", install, name)
		return in, nil
	}
	out, err := Ask(ctx, "", env, in.Path, "--version")
	if err != nil {
		in.Fix = "it is there but does not run: try `" + in.Path + " --version`"
		return in, err
	}
	if in.Version = version.FindString(out); in.Version == "" {
		in.Version = LastLine(out)
	}
	return in, nil
}

// Exists says whether there is something at the path.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Literal is a path as a pattern for filepath.Glob that finds nothing else.
func Literal(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
