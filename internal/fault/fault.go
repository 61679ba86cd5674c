// Package fault names the instants at which a process may die and the bugs that can be planted on purpose, so that
// test/torture can prove that the first lose nothing and that it would notice the second. In a build without tags
// both are empty functions, which the compiler removes.
//
// Built with -tags orcfault, a process whose environment holds ORC_FAULT=name:n kills itself with SIGKILL when it
// passes that point for the n-th time. It writes the name to the file of ORC_FAULT_LOG first; while that file is there
// no other process dies. Built with -tags orcmutant, ORC_MUTANT=name plants that bug.
package fault

import "slices"

// points are the instants, in the order in which a task passes them. Each is one side of something durable.
var points = []string{
	"store.commit.before", "store.commit.after", // a transaction of the database, whatever it holds
	"owner.locked", "owner.quiet", "engine.leased", // taking over
	"git.begin", "git.swept",
	"engine.commit.before", "engine.commit.after", "engine.effects", // one transition of the run
	"pool.claimed", "workspace.filled", "workspace.complete", "attempt.workspace",
	"attempt.started", "supervisor.exit", "supervisor.journal", "attempt.ended", "attempt.verified",
	"seal.tree", "seal.commit", "seal.ref", "seal.index", "attempt.saved", "recover.saved",
	"merge.commit", "attempt.planned", "attempt.checking", "attempt.checked", "attempt.intent", "git.ref", "attempt.advanced", "attempt.mirrored",
	"pool.purged", "pool.stripped", "pool.index", "pool.tree", "pool.kept", "attempt.cleaned",
	"engine.released",
}

// mutants are the bugs, with what has to break when they are there.
var mutants = []string{
	"completed-before-merge", // a task is recorded as completed before its work is merged
	"no-ancestor-check",      // resuming does not look whether the merge was made already
	"no-quiesce",             // resuming does not wait for what the dead owner left running
	"no-file-locks",          // tasks that write the same files run together
	"rerun-completed",        // resuming takes a completed task for one that is to be done
	"unsaved-interrupted",    // the work of an attempt that was cut off is not saved
	"silent-change",          // a state changes without its event
	"no-fence",               // an owner that was replaced may go on writing
	"spent-interrupted",      // an attempt that was cut off counts as a failed one
	"unchecked-merge",        // a merge counts although what it makes fails its gates
}

// Points lists the names of all points.
func Points() []string { return slices.Clone(points) }

// Mutants lists the names of all bugs that can be planted.
func Mutants() []string { return slices.Clone(mutants) }
