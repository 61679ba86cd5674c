package cli

const topicPlanErrors = `
What the codes mean that stand in brackets behind what is wrong with a plan

Files
  no-file             the plan is not there, or is a folder
  too-large           the file, its prompts or its lists are larger than a plan can be
  not-text            it has a NUL byte: it is no text
  not-utf8            it is text in another character set
  control-character   it has a character that no text needs
  multiple-documents  a second YAML document begins in it
  yaml-syntax         YAML cannot be read from here on
  tab                 a line is indented with a tab
  unquoted-colon      a value has ": " inside and must be quoted
  unquoted-star       a value begins with * and must be quoted
  unknown-anchor      an alias (*name) has no anchor (&name)
  too-many-aliases    aliases of aliases make the file larger than it can be
  bad-merge           << names something that is no map

Keys and values
  unknown-key         there is no such key
  unsupported-key     the key has a meaning, but not in this version
  duplicate-key       the key stands there twice
  missing-key         a key that is needed is not there
  conflicting-keys    only one of these keys can be given
  unused-key          the key does nothing here (warning)
  bad-key             a key is not a word
  bad-type            a list where text is wanted, and the like
  bad-value           the value is not one of those that are possible
  bad-duration        it is not a length of time, such as 90s or 1h30m
  bad-glob            a pattern of writes leads out of the repository, or cannot be read
  bad-path            a path of workspace leads out of the repository
  bad-prompt-file     prompt_file is not there, is outside of the repository, or is no text
  bad-instructions-file
                      the same of an agent's instructions_file
  missing-version     version: 1 is missing
  bad-version         the version of the format is not known
  empty-plan          there is nothing in the file
  no-tasks            there is no task

Tasks
  bad-id              the id cannot name a branch and a folder
  no-work             the task has no prompt, prompt_file or run
  no-agent            it has a prompt and nobody who does it
  unknown-agent       its agent is not defined in the plan or the settings
  bad-fallback        agents fall back on each other
  unknown-workflow    its workflow is not defined in the plan or the settings
  bad-step            a workflow's step stands where it cannot: a review of nothing, a gate without work
  unknown-task        it needs a task that is not in the plan
  self-need           it needs itself
  cycle               tasks wait for each other
  duplicate-need      it needs the same task twice (warning)
  implied-need        a task that it needs waits for this one anyway (warning)
  overlap             tasks that may write the same files never run together (warning)
  no-isolation        it writes into your own checkout; nothing is saved (warning)
  early-list          its for_each is listed before what it needs has run: when: ready (warning)
  no-verify           nothing checks the work of its agent (warning)
  single-chain        no two tasks can run at the same time (warning)
`
