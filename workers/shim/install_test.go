package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestInstallCopiesTheProgram(t *testing.T) {
	target := filepath.Join(t.TempDir(), "shim")
	// Twice: a restarted init container finds the file of the first time.
	for range 2 {
		if err := install(target); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(target)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("the copy has %d bytes, the program %d", len(got), len(want))
	}
	info, err := os.Stat(target)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o755 {
		t.Fatalf("mode %o", info.Mode().Perm())
	}
	left, err := os.ReadDir(filepath.Dir(target))
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 1 {
		t.Fatalf("drafts were left: %v", left)
	}
}

func TestInstallSaysWhereItFailed(t *testing.T) {
	if err := install(filepath.Join(t.TempDir(), "missing", "shim")); err == nil {
		t.Fatal("installed into a directory that does not exist")
	}
}
