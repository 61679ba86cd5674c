package plan

import (
	"fmt"
	"strings"

	"orchestrator/internal/diagnostic"
)

const (
	maxID     = 64
	idPattern = `^[a-z0-9][a-z0-9._-]*$`
	// idNever matches what a git ref cannot have.
	idNever = `\.\.|\.$|\.lock$`
)

// checkID says what is wrong with an id; nothing when it is good.
func checkID(noun, id string) (message, help string) {
	quoted := diagnostic.Quote(id)
	lower := strings.ToLower(id)
	help = "ids name a git branch and a folder"
	if better := slug(id); better != id && better != "" {
		help += "; for example `" + better + "`"
	}
	switch {
	case id == "":
		return noun + " id is empty", help
	case len(id) > maxID:
		return fmt.Sprintf("%s id %s has %d characters; at most %d are allowed", noun, quoted, len(id), maxID), "ids name a git branch and a folder"
	case lower != id && isID(lower):
		return fmt.Sprintf("%s id %s must be lower-case (a-z, 0-9, -)", noun, quoted),
			"ids name a git branch and a folder; macOS and Windows fold case"
	case strings.Trim(lower, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" || !isID(id) && lower != id:
		return fmt.Sprintf("%s id %s can only have a-z, 0-9, `.`, `_` and `-`", noun, quoted), help
	case !isLetter(id[0]):
		return fmt.Sprintf("%s id %s must begin with a letter or a digit", noun, quoted), help
	case strings.Contains(id, ".."):
		return fmt.Sprintf("%s id %s cannot have two dots in a row", noun, quoted), help
	case strings.HasSuffix(id, "."):
		return fmt.Sprintf("%s id %s cannot end with a dot", noun, quoted), help
	case strings.HasSuffix(id, ".lock"):
		return fmt.Sprintf("%s id %s cannot end with `.lock`", noun, quoted), help
	case !isID(id):
		return fmt.Sprintf("%s id %s can only have a-z, 0-9, `.`, `_` and `-`", noun, quoted), help
	}
	return "", ""
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

// isID says whether every character of an id is allowed and it begins well.
func isID(id string) bool {
	for i := range len(id) {
		if !isLetter(id[i]) && (i == 0 || strings.IndexByte("._-", id[i]) < 0) {
			return false
		}
	}
	return id != ""
}

// slug makes an id out of words.
func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r < 0x80 && isLetter(byte(r)):
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == maxID {
			break
		}
	}
	return strings.TrimRight(b.String(), "-")
}
