package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is the program's version; a release build sets it with -ldflags -X.
var version string

// versionDocument is `orc version --json`.
type versionDocument struct {
	Schema   int    `json:"schema"`
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Time     string `json:"time"`
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func newVersion(a *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  orc version\n  orc version --jq .version",
		Args:    between(0, 0),
	}
	out := newOutput(cmd, versionDocument{}, "")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		wanted, err := out.wanted(a, cmd)
		if err != nil {
			return err
		}
		v := thisVersion()
		if wanted {
			return out.write(a, v)
		}
		line := "orc " + v.Version
		if v.Commit != "" {
			line += " (" + short(v.Commit) + ")"
		}
		_, err = fmt.Fprintf(a.Stdout, "%s %s %s/%s\n", line, v.Go, v.OS, v.Arch)
		return err
	}
	return cmd
}

// thisVersion reads what the build recorded.
func thisVersion() versionDocument {
	v := versionDocument{Schema: schema, Version: version, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	build, ok := debug.ReadBuildInfo()
	if ok {
		if v.Version == "" && build.Main.Version != "(devel)" {
			v.Version = build.Main.Version
		}
		for _, s := range build.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Commit = s.Value
			case "vcs.time":
				v.Time = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	if v.Version == "" {
		v.Version = "devel"
	}
	return v
}
