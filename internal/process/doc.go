// Package process starts and ends child process trees for an owner.
//
// An owner calls Start once. That re-executes the owner's own program as a supervisor: one small
// process that starts every command, reaps everything, and holds one end of a socket pair whose
// other end only the owner has. When the owner goes away in whatever way, the supervisor reads end
// of file, kills all that is left and exits. One supervisor for all commands, rather than one for
// each, keeps a launch as cheap as a plain fork and exec.
//
// # Levels
//
// How sure it is that nothing survives depends on what the machine allows (see Level):
//
//   - LevelNamespace (Linux): the supervisor is process 1 of a PID namespace of its own. The kernel
//     ends everything in it when the supervisor dies, also when owner and supervisor are killed in
//     the same instant. Nothing a command does gets out of it.
//   - LevelSubreaper (Linux): orphans are adopted by the supervisor, so nothing escapes while it
//     lives. When owner and supervisor are both killed, the commands themselves get SIGKILL from
//     the kernel, but what they started may survive until Sweep.
//   - LevelGroup (also macOS): what a command left behind is found by session, by remembered
//     ancestry and by the mark in its environment. A process that left the session between two
//     looks and cleaned its environment is missed.
//
// # The end of a command
//
// A command is a tree, not a process. When its leader exits, all it left behind is ended before the
// exit is reported. A process belongs to a command by session, by ancestry, by remembered ancestry,
// or by ORC_TASK_MARK in its environment. A daemon that forked twice, took a session of its own and
// cleaned its environment can be attributed to no command; it is ended at the latest when no other
// command is running, or with the supervisor.
//
// A process that the kernel cannot end (uninterruptible I/O on a dead server) keeps its command's
// exit unreported: as long as it may still write, the command is not over.
//
// # What is left for a crash
//
// Exits are appended to a journal before they are reported, so that one that the owner did not live
// to see is not lost. The journal survives the death of processes, not of the machine. After a crash
// the next owner calls WaitLock (the old supervisor is gone), Sweep (nothing that it started is
// left) and ReadJournal, in this order, before it calls Start.
//
// Output goes to files that the caller opened, so no reader can block a command and no grandchild
// that keeps a pipe open can block the caller.
package process
