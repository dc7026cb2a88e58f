// Command rootfs writes the root file system of Envoy's image: the Envoy that this
// repository pins, and the libraries that it needs.
//
//	go run ./envoy/rootfs DIR [VERSION]
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/certbearer/certbearer/envoy/run"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := write(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "rootfs:", err)
		os.Exit(1)
	}
}

func write(ctx context.Context, args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return errors.New("usage: rootfs DIR [VERSION]")
	}
	version := run.Default
	if len(args) == 2 {
		version = args[1]
	}
	binary, err := run.Fetch(ctx, run.Options{Version: version, Progress: os.Stderr})
	if err != nil {
		return err
	}
	return binary.WriteRoot(args[0])
}
