// Package workspace gives every task a private folder to work in, saves whatever was done there, and merges it, all
// through the git program and without ever touching the user's checkout, index, HEAD, branches, stash or
// configuration. Only Land, which a person asks for, moves a branch of the user's.
//
// A run owns these refs of the user's repository and nothing else:
//
//	refs/orc/<run>/base                where the run was cut from
//	refs/orc/<run>/integration         what has been merged so far: authoritative, moved by compare-and-swap only
//	refs/orc/<run>/task/<task>/<n>     what attempt n of a task left in its folder, whatever became of it
//	refs/orc/<run>/extra/<task>/<n>/…  commits that the attempt made beside its HEAD
//	refs/heads/<branch>                follows integration while nobody has it checked out
//
// The content of a workspace is hostile once an agent has worked in it. Nothing in its .git is ever executed or
// believed: git runs with the user's repository as GIT_DIR and the workspace as GIT_WORK_TREE only, with an index of
// ours that is kept outside of the folder, and commits that the agent made are copied as data and checked.
//
// Every operation may be repeated after a crash at any point and then comes to the same end.
package workspace

import "context"

// Spec says which workspace is meant and where its parts lie.
type Spec struct {
	Run  string
	Task string
	Dir  string // absolute; the same for every attempt at a task, because agents find their history by folder
	Base string // full id of the commit that it is cut from
	// Index is the file of the private index, outside of Dir. It exists exactly when the workspace is complete, and
	// it always matches a commit: the base, or what the last Seal saved.
	Index string
	// Seed, when set, is a folder that was stripped earlier and may become this workspace: most of its files are
	// already there.
	Seed *Seed
}

// Seed is a stripped folder with the private index that belongs to it.
type Seed struct {
	Dir   string
	Index string
	// Fresh says that this very process has compared the folder with its index, and that nobody can have been in it
	// since. Else it is compared with the new base once more.
	Fresh bool
}

// Driver makes the folders that tasks work in. All methods may be called for different tasks at the same time, never
// for one task; all of them are idempotent.
type Driver interface {
	// Name is how plans call it.
	Name() string
	// Create makes the workspace at s.Dir, with exactly the files of s.Base. What was there before is gone then. When a
	// seed turns out not to be usable, the error is ErrSeed, and the seed is as good as lost.
	Create(ctx context.Context, s Spec) error
	// Strip takes away what is the driver's own and what the agent did to it, so that a plain folder of files is left
	// that may become a seed. It does not look at the files.
	Strip(ctx context.Context, s Spec) error
	// Remove deletes the workspace with its private index. The caller has proof that its content is saved.
	Remove(ctx context.Context, s Spec) error
}
