// Command serve runs the model server of package stubmodel for agents that are started by hand. It prints its
// address and serves until it is interrupted.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"orchestrator/test/stubmodel"
)

func main() {
	address := flag.String("listen", "127.0.0.1:0", "loopback `address` to serve on; port 0 chooses a free one")
	flag.Parse()
	if err := serve(*address); err != nil {
		fmt.Fprintln(os.Stderr, "stubmodel:", err)
		os.Exit(1)
	}
}

func serve(address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	server, err := stubmodel.Listen(address)
	if err != nil {
		return err
	}
	fmt.Println(server.URL())
	<-ctx.Done()
	return server.Close()
}
