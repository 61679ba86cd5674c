package sandbox

// bubblewrapArgs are the words that make bubblewrap confine a command by the rules. It is not told to die with its
// parent: it would take the command with it the moment that it is asked to end, before the command could.
func bubblewrapArgs(l rules, dir string) []string {
	args := []string{"--ro-bind", "/", "/", "--dev", "/dev", "--unshare-pid", "--proc", "/proc"}
	for _, r := range l {
		switch {
		case r.Access == readWrite:
			args = append(args, "--bind", r.Path, r.Path)
		case r.Access == readOnly:
			args = append(args, "--ro-bind", r.Path, r.Path)
		case r.Folder:
			args = append(args, "--perms", "0700", "--tmpfs", r.Path)
		default:
			args = append(args, "--ro-bind", "/dev/null", r.Path)
		}
	}
	if dir != "" {
		args = append(args, "--chdir", dir)
	}
	return args
}
