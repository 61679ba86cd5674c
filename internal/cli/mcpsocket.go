package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"orchestrator/internal/mcp"
	"orchestrator/internal/orchestrator"
	"orchestrator/internal/persistence"
)

// A confined agent starts `orc mcp agent` where it cannot write to the database, and any agent starts it with what its
// program lets through of the environment, so that it does not know what is secret. That process then only carries what
// the agent says to a socket in the task's own folder, behind which the owner answers: as the attempt that the socket
// was made for, whatever the other end says of itself.

// deskHere is desk on machines where it works; nil elsewhere, where there is no sandbox either.
func (o *ownership) deskHere() func(context.Context, orchestrator.Binding, string) error {
	if runtime.GOOS != "linux" {
		return nil
	}
	return o.desk
}

// desk answers at a socket until ctx ends.
func (o *ownership) desk(ctx context.Context, b orchestrator.Binding, socket string) error {
	listener, err := listen(socket)
	if err != nil {
		return err
	}
	go func() {
		<-ctx.Done()
		_ = listener.Close() // whoever made the socket removes it
	}()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				if ctx.Err() == nil { // else it was closed: the turn is over
					o.log.Warn("an agent gets no tools any more", "task", string(b.Task), "attempt", b.Attempt, "error", err)
				}
				return
			}
			go o.attend(ctx, b, conn)
		}
	}()
	return nil
}

// attend serves one connection. What goes wrong is told to the agent's program by the end of its server, as it would
// be by one that failed.
func (o *ownership) attend(ctx context.Context, b orchestrator.Binding, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-ctx.Done()
		_ = conn.Close()
	}()
	d := &desk{
		app: o.app, store: o.store, secrets: o.app.secretsOf(o.run), run: o.run.ID, task: b.Task, attempt: b.Attempt, generation: b.Generation,
	}
	// A store of its own, as the server has when it is a process: it notices by that what others have written.
	err := o.app.withStore(ctx, func(st persistence.Store) error {
		d.store = st
		return mcp.Serve(ctx, conn, nopCloser{conn}, thisVersion().Version, d)
	})
	if err != nil && ctx.Err() == nil {
		o.log.Warn("the tools of an agent failed", "task", string(b.Task), "attempt", b.Attempt, "error", err)
	}
}

// relayAgent carries standard input and output to a socket.
func (a *App) relayAgent(socket string) error {
	conn, err := dial(socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(conn, a.Stdin) // its failure ends the other direction too
		if c, ok := conn.(*net.UnixConn); ok {
			_ = c.CloseWrite()
		}
	}()
	if _, err := io.Copy(a.Stdout, conn); err != nil {
		return fmt.Errorf("carry what the owner says: %w", err)
	}
	return nil
}

// listen makes a socket that only this user can reach.
func listen(path string) (net.Listener, error) {
	var l *net.UnixListener
	err := nearby(path, func(name string) (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	l.SetUnlinkOnClose(false)
	return l, nil
}

func dial(path string) (net.Conn, error) {
	var c *net.UnixConn
	err := nearby(path, func(name string) (err error) {
		c, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: name, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reach the owner of this task: %w", err)
	}
	return c, nil
}

// nearby calls f with a name for a path that is not longer than the hundred bytes that a socket's may have.
func nearby(path string, f func(name string) error) (err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	return f("/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + filepath.Base(path))
}
