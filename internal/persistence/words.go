package persistence

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

const wordsHint = `words are looked for as they are, and all of them; "a phrase", begin*, OR and NOT have a meaning`

// longestQuery bounds what can be looked for, in bytes. The cost grows with the square of the number of words.
const longestQuery = 1000

// term is one thing to look for.
type term struct {
	text     string // without quotes; looked for as a phrase
	prefix   bool   // the last word of it may go on
	operator bool   // it is OR or NOT, or the AND that needs no writing
}

func (t term) is(operator string) bool { return t.operator && t.text == operator }

// matchOf makes what a person typed into an expression of SQLite's search. Every word is quoted, so that nothing in it
// has a meaning there.
func matchOf(words string) (string, error) {
	if len(words) > longestQuery {
		return "", badQuery(fmt.Sprintf("it is too long, %d bytes of at most %d", len(words), longestQuery))
	}
	terms, err := termsOf(words)
	if err != nil {
		return "", err
	}
	if len(terms) == 0 {
		return "", badQuery("there is no word in it")
	}
	var choices []string
	for begin := 0; begin <= len(terms); {
		end := begin
		for end < len(terms) && !terms[end].is("OR") {
			end++
		}
		choice, err := choiceOf(terms[begin:end])
		if err != nil {
			return "", err
		}
		choices = append(choices, choice)
		begin = end + 1
	}
	return strings.Join(choices, " OR "), nil
}

// choiceOf is the expression of what stands on one side of OR.
func choiceOf(terms []term) (string, error) {
	if len(terms) == 0 {
		return "", badQuery("OR needs a word on each side")
	}
	var must, not []string
	for i := 0; i < len(terms); i++ {
		t := terms[i]
		if !t.operator {
			must = append(must, t.quoted())
			continue
		}
		if i++; i == len(terms) || terms[i].operator {
			return "", badQuery(t.text + " needs a word after it")
		}
		if t.is("NOT") {
			not = append(not, terms[i].quoted())
		} else {
			must = append(must, terms[i].quoted())
		}
	}
	if len(must) == 0 {
		return "", badQuery("NOT needs a word beside it that has to occur")
	}
	choice := "(" + strings.Join(must, " AND ") + ")"
	if len(not) > 0 {
		choice += " NOT (" + strings.Join(not, " OR ") + ")"
	}
	return choice, nil
}

func badQuery(why string) error {
	return &Error{Op: "read the words", Kind: ErrQuery, Err: errors.New(why), Hint: wordsHint}
}

func (t term) quoted() string {
	q := `"` + t.text + `"`
	if t.prefix {
		q += "*"
	}
	return q
}

// termsOf splits what a person typed. What has no letter and no digit cannot be found and is left out.
func termsOf(words string) (terms []term, err error) {
	for rest := strings.TrimLeftFunc(words, separates); rest != ""; rest = strings.TrimLeftFunc(rest, separates) {
		var t term
		if quoted, is := strings.CutPrefix(rest, `"`); is {
			var closed bool
			if t.text, rest, closed = strings.Cut(quoted, `"`); !closed {
				return nil, badQuery("a quotation mark is not closed")
			}
			if after, star := strings.CutPrefix(rest, "*"); star {
				t.prefix, rest = true, after
			}
		} else {
			n := strings.IndexFunc(rest, func(r rune) bool { return separates(r) || r == '"' })
			if n < 0 {
				n = len(rest)
			}
			t.text, rest = rest[:n], rest[n:]
			t.operator = t.text == "OR" || t.text == "NOT" || t.text == "AND"
			t.text, t.prefix = strings.CutSuffix(t.text, "*")
		}
		t.text = strings.ReplaceAll(t.text, "\x00", " ") // SQLite would take it for the end
		if strings.ContainsFunc(t.text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }) {
			terms = append(terms, t)
		}
	}
	return terms, nil
}

// separates says whether a rune stands between words and belongs to none.
func separates(r rune) bool { return unicode.IsSpace(r) || r == 0 }
