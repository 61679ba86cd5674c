package persistence

import (
	"path/filepath"
	"runtime"

	"github.com/adrg/xdg"
)

// DefaultPath returns where the database lives when nobody says otherwise: orc/orc.db in $XDG_DATA_HOME, else in
// ~/.local/share. macOS follows the same rule instead of ~/Library/Application Support, so that one page of the
// manual is true everywhere and a path without spaces reaches the commands of the tasks.
func DefaultPath() (string, error) {
	xdg.Reload() // the environment may have been set after this package was loaded
	data := xdg.DataHome
	if runtime.GOOS == "darwin" && data == filepath.Join(xdg.Home, "Library", "Application Support") {
		data = filepath.Join(xdg.Home, ".local", "share")
	}
	if !filepath.IsAbs(data) {
		return "", &Error{
			Op:   "find the data folder",
			Kind: ErrNotFound,
			Hint: "set HOME, or XDG_DATA_HOME, to an absolute path",
		}
	}
	return filepath.Join(data, "orc", "orc.db"), nil
}
