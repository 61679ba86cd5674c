package cli

// The exit codes. They are part of the program's interface: `orc help exit-codes` prints them.
const (
	ExitOK          = 0   // done
	ExitFailures    = 1   // finished with failures, or something went wrong while running
	ExitUsage       = 2   // wrong usage, plan or configuration; nothing was run
	ExitNeedsYou    = 3   // waits for a person
	ExitAgent       = 4   // an agent is missing or not logged in
	ExitConflict    = 5   // a merge conflict
	ExitBudget      = 6   // a budget is used up
	ExitInterrupted = 130 // interrupted (Ctrl-C); resumable
	ExitTerminated  = 143 // terminated (SIGTERM); resumable
)
