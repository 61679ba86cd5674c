package cli

import "github.com/spf13/cobra"

// newHelpTopics returns the pages of `orc help TOPIC`: commands that do nothing and have only a text.
func newHelpTopics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "What the exit codes mean", Long: topicExitCodes},
		{Use: "environment", Short: "The variables that are read", Long: topicEnvironment},
		{Use: "json", Short: "Output for programs: --json, --jq and --template", Long: topicJSON},
		{Use: "keys", Short: "The keys while a run is shown", Long: topicKeys},
		{Use: "plan", Short: "How a plan is written", Long: topicPlan},
		{Use: "plan-errors", Short: "What the codes of a plan's errors mean", Long: topicPlanErrors},
	}
}

const topicExitCodes = `
Exit codes

  0    done
  1    finished with failures, or something went wrong while running
  2    wrong usage, plan or configuration; nothing was run
  3    needs you: a question, an approval, a conflict
  4    an agent is missing or not logged in
  5    a merge conflict
  6    a budget is used up: orc resume --budget gives more
  130  interrupted (Ctrl-C); orc resume goes on
  143  terminated (SIGTERM); orc resume goes on
`

const topicEnvironment = `
Variables that are read

  XDG_DATA_HOME        the database and all files of runs are in $XDG_DATA_HOME/orc (~/.local/share/orc)
  XDG_CONFIG_HOME      your settings are in $XDG_CONFIG_HOME/orc/config.yaml (~/.config/orc)
  XDG_STATE_HOME       what you trust is in $XDG_STATE_HOME/orc (~/.local/state/orc)
  ORC_*                settings, e.g. ORC_CONCURRENCY=8 (orc config show --origin)
  ORC_TRUST            a hash of orc trust --show: the commands that it was printed for may run
  VISUAL, EDITOR       what orc config edit and orc edit open
  ORC_PROGRESS         auto, tty, plain, json or quiet: how a run is shown
  ORC_FORCE_TTY        1 = write as to a terminal
  ORC_PROMPT_DISABLED  1 = never ask (--no-input)
  NO_COLOR             not empty = no colour
  CLICOLOR             0 = no colour
  CLICOLOR_FORCE       1 = colour, even into a pipe
  TERM                 dumb = no colour and no animation
  CI                   true = never ask, plain progress
  COLUMNS              the width of tables on a terminal
  LC_ALL, LC_CTYPE, LANG
                       a character set other than UTF-8 = ASCII signs only
`

const topicJSON = `
Output for programs

Every command that reads takes --json, --json=FIELDS, --jq EXPR and --template TEXT. Messages go to stderr, so that stdout
is the document and nothing else. Each document has "schema": 1; fields may be added within a schema, and
none changes its meaning. Times are UTC in RFC 3339, lengths of time are milliseconds.

  orc status --json                       the whole document
  orc status --json=                      the names that --json= takes
  orc status --json=id,state              fields of the tasks (without a prefix, the main list's)
  orc status --json=run.state,tasks.id
  orc status --jq '.tasks[] | select(.state == "failed") | .id'
  orc status --template '{{range .tasks}}{{.id}} {{.state}}{{"\n"}}{{end}}'

States of a task: pending, eligible, running, completed, failed, skipped, canceled.
States of a run: running, waiting, paused, completed, failed, canceled. "interrupted": true means that a
running run has lost its owner: orc resume.
`

const topicPlan = `
A plan is a YAML (or JSON) file

  version: 1
  name: add-oauth
  context: |                    # put in front of every prompt
    Go 1.26 service. Read CONTRIBUTING.md first.
  defaults:
    timeout: 30m
    retry: 1
    verify: go build ./...
  tasks:
    schema:                     # the id: lower case, names a branch and a folder
      prompt: Add migrations for users and sessions.
      writes: [migrations/**]   # tasks that write the same files do not run together
      verify: go test ./internal/store/...
    docs:
      needs: [schema]           # starts when schema is done and merged
      run: make docs            # a plain command instead of a prompt
      on_failure: soft          # hard: dependents are skipped; soft: they run; skip: counts as done
      approve: merge            # a person says yes before it is merged: orc approve
      budget: {time: 20m}       # then it waits for you; of an agent also cost and tokens

  orc plan create "GOAL"        an agent reads the repository and writes one
  orc plan check                every mistake at once, with its place
  orc plan show                 what runs, in which order
  orc plan schema               the JSON Schema, for editors
  orc init                      writes a first plan and its schema
`

const topicKeys = `
Keys while orc run or orc resume shows a run on a terminal

  u        the whole screen, as orc ui; ? shows its keys, s goes back
  q        leave it running in the background; orc status shows it
  Ctrl-C   stop: nothing more is started, running tasks may end; orc resume goes on
  Ctrl-C   the second time: stop now; what running tasks had done is kept
  Ctrl-Z   suspend the display; the run goes on

Closing the window is the same as q.
`
