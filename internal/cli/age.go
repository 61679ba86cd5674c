package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// age is a flag's length of time. Unlike a time.Duration it can be in days and weeks.
type age time.Duration

// Set implements pflag.Value.
func (a *age) Set(text string) error {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, is := strings.CutSuffix(text, unit); is {
			n, err := strconv.Atoi(number)
			if err != nil || n <= 0 || n > int(maxAge/length) {
				return errAge
			}
			*a = age(time.Duration(n) * length)
			return nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errAge
	}
	*a = age(d)
	return nil
}

const maxAge = time.Duration(1<<63 - 1)

var errAge = errors.New("a time such as 12h, 30d or 2w is wanted")

// String implements pflag.Value.
func (a *age) String() string {
	if *a == 0 {
		return ""
	}
	return time.Duration(*a).String()
}

// Type implements pflag.Value.
func (a *age) Type() string { return "TIME" }
