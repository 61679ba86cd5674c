//go:build !linux

package main

import (
	"context"
	"errors"
)

// aloneVariable tells a process of ours that its network is its own.
const aloneVariable = "ORC_CONFORMANCE_ALONE"

// errNotAlone says that this machine does not let us have a network of our own.
var errNotAlone = errors.New("no network namespace")

func runAlone(context.Context) (int, error) { return 2, errNotAlone }

func raiseLoopback() error { return errNotAlone }
