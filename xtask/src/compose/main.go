// Reads a compose file as Docker Compose does, with the library that it does so with, and says what is wrong with it.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	if err := read(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// What refers to a service, volume or network that is not there is found by LoadProject alone.
func read(files []string) error {
	options, err := cli.NewProjectOptions(files)
	if err != nil {
		return err
	}
	_, err = options.LoadProject(context.Background())
	return err
}
