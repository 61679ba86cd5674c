# The agent of the manual's pages: it answers a trial, and else asks for a word and writes README.md.
if grep -q 'Answer with one word' "$PROMPT"; then
  usage 20 1 0.0001
  say ok
else
  say "I look at the repository first."
  ask "Which word of greeting?" "Hello" "Good day"
  edit README.md "$ANSWER, world"
  usage 1200 80 0.01
  complete "README.md greets the world."
fi
