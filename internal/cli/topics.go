package cli

import "github.com/spf13/cobra"

// newHelpTopics returns the pages of `orc help TOPIC`: commands that do nothing and have only a text.
func newHelpTopics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "agents", Short: "Who does the work, and how to try it", Long: topicAgents},
		{Use: "exit-codes", Short: "What the exit codes mean", Long: topicExitCodes},
		{Use: "environment", Short: "The variables that are read", Long: topicEnvironment},
		{Use: "files", Short: "Where everything is", Long: topicFiles},
		{Use: "json", Short: "Output for programs: --json, --jq and --template", Long: topicJSON},
		{Use: "keys", Short: "The keys while a run is shown", Long: topicKeys},
		{Use: "plan", Short: "How a plan is written", Long: topicPlan},
		{Use: "plan-errors", Short: "What the codes of a plan's errors mean", Long: topicPlanErrors},
		{Use: "recovery", Short: "What to do when something stopped, failed or conflicts", Long: topicRecovery},
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

const topicAgents = `
Agents

A task with a prompt names a role (agent: coder); the settings say which program does it. Roles without a provider are done
by the first of claude, codex, goose, opencode and gemini that is installed.

  orc agents list                                 the roles, who does them, and what is missing
  orc agents test coder                           one tiny real turn: the only proof of a login
  orc config set agents.coder.provider codex      who does it, in this repository; --user: in all of yours
  orc config set agents.coder.model MODEL
  orc config show agents --origin                 and where that comes from

permissions of a role: read-only looks; edit, the default, writes in its workspace; full is whatever the agent wants.
sandbox: required has the system confine it too, or nothing starts. An agent asks you by the tool ask:

  orc status                                      lists what waits for you
  orc answer TASK 2                               a number, or your own words

More: docs/agents.md, docs/security.md
`

const topicRecovery = `
When something stopped, failed or conflicts

Nothing that was done is lost: each change is stored before it counts, and all work is saved in git. Begin with

  orc status                          says what is the matter, and which command comes next

Stopped, crashed or killed
  orc resume                          goes on; finished tasks do not run again, agents keep their sessions

A task failed
  orc logs TASK                       what it printed
  orc show TASK                       its attempts, gates and conversation
  orc retry TASK --note "use S256"    once more, and tell it what you know
  orc edit                            when the plan was wrong: what is done stays done

Two tasks changed the same lines
  orc show TASK                       the files, the lines and the other task
  orc retry TASK                      again, on top of what is merged
  orc cancel TASK                     leave it out

Your branch and the run changed the same lines: orc merge stops before your branch moves
  orc merge --edit                    opens the files; then orc merge --continue
  orc merge --skip TASK               the rest without that task
  orc merge --abort                   back to before

Work that was not merged
  orc restore TASK                    brings it back into a new branch
  orc merge                           takes what is done now, and leaves the rest

More: docs/recovery.md
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

const topicFiles = `
Files

  $XDG_CONFIG_HOME/orc/config.yaml   your settings (~/.config/orc)
  .orc/config.yaml                   the repository's settings
  .orc/config.local.yaml             yours for this repository; not committed
  $XDG_DATA_HOME/orc/orc.db          runs, tasks, sessions, conversations (~/.local/share/orc)
  $XDG_DATA_HOME/orc/ws              the workspaces of tasks
  $XDG_DATA_HOME/orc/runs            logs of tasks, and what owners of runs need
  $XDG_STATE_HOME/orc/trust.json     what you trust (~/.local/state/orc)
  refs/heads/orc/RUN                 the merged work of a run, in your repository
  refs/orc/RUN/…                     what is saved of each attempt

orc config path prints those that count here.
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
