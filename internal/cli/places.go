package cli

import (
	"path/filepath"

	"orchestrator/internal/provider/stream"
)

// cacheFolders are where build tools keep what they can make or fetch again, by the variable that moves them and by
// their place in HOME. A sandboxed command that could not write them could not build.
var cacheFolders = [][2]string{
	{"XDG_CACHE_HOME", ".cache"},
	{"GOCACHE", ""},
	{"GOMODCACHE", "go/pkg"},
	{"npm_config_cache", ".npm"},
	{"", ".local/share/pnpm/store"},
	{"", ".cargo/registry"},
	{"", ".cargo/git"},
	{"", ".m2/repository"},
	{"", ".gradle/caches"},
	{"", ".gradle/wrapper"},
	{"", ".nuget/packages"},
	{"", ".bun/install/cache"},
	{"DENO_DIR", ""},
	{"UV_CACHE_DIR", ""},
	{"PIP_CACHE_DIR", ""},
	{"", "Library/Caches"},
}

func caches(env []string) []string {
	var paths []string
	for _, f := range cacheFolders {
		if f[1] == "" {
			if dir := stream.Get(env, f[0]); dir != "" {
				paths = append(paths, dir)
			}
			continue
		}
		if dir := stream.Home(env, f[0], f[1]); dir != "" {
			paths = append(paths, dir)
		}
	}
	for _, dir := range filepath.SplitList(stream.Get(env, "GOPATH")) {
		paths = append(paths, filepath.Join(dir, "pkg"))
	}
	if dir := stream.Get(env, "CARGO_HOME"); dir != "" {
		paths = append(paths, filepath.Join(dir, "registry"), filepath.Join(dir, "git"))
	}
	return paths
}

// secretsInHome hold keys, passwords and sessions that no task of a plan needs. Agents' own logins are not among them.
var secretsInHome = []string{
	".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".netrc", ".git-credentials", ".pgpass", ".pypirc", ".vault-token", ".password-store",
	".config/gcloud", ".config/gh", ".config/hub", ".config/git/credentials", ".config/op", ".config/doctl", ".config/containers/auth.json",
	".local/share/keyrings", ".mozilla", ".config/google-chrome", ".config/chromium", ".config/BraveSoftware", ".config/Bitwarden", ".terraform.d/credentials.tfrc.json",
}

// controlSockets are doors to programs that work for whoever knocks, with more rights than the caller's.
var controlSockets = []string{
	"/run/docker.sock", "/var/run/docker.sock", "/run/podman", "/run/containerd/containerd.sock", "/run/user", "/run/dbus/system_bus_socket",
}

// agentSocket is the variable of the SSH agent. A command that was given it may use it.
const agentSocket = "SSH_AUTH_SOCK"

// secretPlaces are what a command with an environment does not get to see of the owner's.
func secretPlaces(owner, env []string) []string {
	paths := append([]string{}, controlSockets...)
	if home := stream.Get(env, "HOME"); filepath.IsAbs(home) {
		for _, name := range secretsInHome {
			paths = append(paths, filepath.Join(home, name))
		}
	}
	if dir := stream.Get(owner, "XDG_RUNTIME_DIR"); dir != "" {
		paths = append(paths, dir)
	}
	if socket := stream.Get(owner, agentSocket); socket != "" && stream.Get(env, agentSocket) == "" {
		paths = append(paths, socket)
	}
	return paths
}
