// Package environ decides which variables of our environment the commands and agents of a run get. It is a list of
// what is allowed, not of what is forbidden: a variable that nobody thought of stays with us.
package environ

import (
	"slices"
	"strings"
)

// usual are the variables that every command of a run gets: who the user is, where things are, how text is written,
// how the network is reached, and where build tools keep what they need. None of them is a secret by its nature.
var usual = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TERM", "COLORTERM", "NO_COLOR", "TZ", "TMPDIR", "XDG_*", "CI",
	"HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY",
	"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",

	"GOROOT", "GOPATH", "GOBIN", "GOCACHE", "GOMODCACHE", "GOFLAGS", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOSUMCHECK", "GONOPROXY",
	"GOPRIVATE", "GOTOOLCHAIN", "GOWORK", "GOTMPDIR", "GOOS", "GOARCH", "GOMAXPROCS", "CGO_*",
	"CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "PKG_CONFIG_PATH", "LD_LIBRARY_PATH", "MAKEFLAGS", "CMAKE_PREFIX_PATH",
	"CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "RUSTFLAGS",
	"JAVA_HOME", "MAVEN_HOME", "GRADLE_HOME", "GRADLE_USER_HOME", "ANDROID_HOME", "DOTNET_ROOT",
	"NVM_DIR", "NODE_PATH", "NODE_OPTIONS", "PNPM_HOME", "BUN_INSTALL", "DENO_DIR", "VOLTA_HOME",
	"VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "PYTHONPATH", "PYENV_ROOT", "UV_CACHE_DIR", "PIP_CACHE_DIR",
	"RBENV_ROOT", "GEM_HOME", "GEM_PATH", "BUNDLE_PATH", "ASDF_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR", "NIX_PATH", "NIX_PROFILES",

	// Git's variables that say who the user is or where git lives, not where it works.
	"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL",
	"GIT_SSH", "GIT_SSH_COMMAND", "GIT_EXEC_PATH", "GIT_SSL_CAINFO",
	"GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
}

// Usual returns the names that every command gets, sorted. A name that ends with * stands for all that begin so.
func Usual() []string {
	names := slices.Clone(usual)
	slices.Sort(names)
	return names
}

// Allowed returns the variables of environ ("NAME=value") that commands may have: the usual ones and those that pass
// names, exactly or as a beginning followed by *. Variables of ours (ORC_*) and those that would redirect git never
// pass, whatever is named. The result is a new slice in the order of environ.
func Allowed(environ []string, pass ...string) []string {
	out := make([]string, 0, len(environ))
	for _, pair := range environ {
		name, _, ok := strings.Cut(pair, "=")
		if ok && !ours(name) && (matches(usual, name) || matches(pass, name)) {
			out = append(out, pair)
		}
	}
	return out
}

// ours says whether a variable belongs to this program, or would make git work in another place.
func ours(name string) bool {
	return strings.HasPrefix(name, "ORC_") || strings.HasPrefix(name, "GIT_") && !slices.Contains(usual, name)
}

func matches(patterns []string, name string) bool {
	for _, p := range patterns {
		if beginning, any := strings.CutSuffix(p, "*"); any && strings.HasPrefix(name, beginning) && beginning != "" || p == name {
			return true
		}
	}
	return false
}

// IsName says whether a word can stand in a list of names to pass: a variable's name, perhaps with * at its end.
func IsName(word string) bool {
	word = strings.TrimSuffix(word, "*")
	if word == "" || word[0] >= '0' && word[0] <= '9' {
		return false
	}
	return strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
