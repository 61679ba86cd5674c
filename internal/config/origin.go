package config

import "fmt"

// Layer is where a value can come from.
type Layer string

// The layers, low to high.
const (
	BuiltIn     Layer = "built-in"
	User        Layer = "user"        // $XDG_CONFIG_HOME/orc/config.yaml
	Project     Layer = "project"     // .orc/config.yaml
	Local       Layer = "local"       // .orc/config.local.yaml, not committed
	Environment Layer = "environment" // ORC_*
	Flag        Layer = "flag"
)

// Origin is where a value comes from.
type Origin struct {
	Layer Layer
	File  string // path; of layers that are files
	Line  int
	Name  string // of the variable or the flag, with its dashes
}

// String is the origin for people: path:line, $NAME, --flag or built-in.
func (o Origin) String() string {
	switch {
	case o.File != "":
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	case o.Layer == Environment:
		return "$" + o.Name
	case o.Name != "":
		return o.Name
	}
	return string(o.Layer)
}

// Value is a setting's value in one layer.
type Value struct {
	Text   string
	Origin Origin
}

// Setting is a key with its value and what that hides.
type Setting struct {
	Key        string
	Value      Value
	Overridden []Value // the nearest layer first
}
