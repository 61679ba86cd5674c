package stream

import (
	"crypto/rand"
	"fmt"
	"regexp"
)

var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// IsUUID says whether a session's id has the form of a UUID, the only one that some programs take.
func IsUUID(id string) bool { return uuid.MatchString(id) }

// NewUUID is a random UUID (version 4 of RFC 9562).
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
