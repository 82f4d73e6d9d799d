package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// install copies this very program to a path. It is how an init container hands the shim to a container whose image
// does not have it: by rename, so that nobody ever starts half a program.
func install(target string) error {
	source, err := os.Open("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("the shim cannot read itself: %w", err)
	}
	defer source.Close()
	draft, err := os.CreateTemp(filepath.Dir(target), ".shim-")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	if _, err := io.Copy(draft, source); err != nil {
		draft.Close()
		return err
	}
	if err := draft.Chmod(0o755); err != nil {
		draft.Close()
		return err
	}
	if err := draft.Close(); err != nil {
		return err
	}
	return os.Rename(draft.Name(), target)
}
