package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// runs a command under the shim without an agent and returns the exit status and the record it left.
func runAlone(t *testing.T, command ...string) (int, map[string]any) {
	t.Helper()
	folder := t.TempDir()
	record := filepath.Join(folder, "exit.json")
	status := run(filepath.Join(folder, "none.sock"), record, 0, command)
	text, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	return status, fields
}

func TestExitCodeIsTheCommands(t *testing.T) {
	status, record := runAlone(t, "sh", "-c", "exit 7")
	if status != 7 || record["code"] != float64(7) || record["started"] != true {
		t.Fatalf("status %d, record %v", status, record)
	}
}

func TestMissingCommandIsSaid(t *testing.T) {
	status, record := runAlone(t, "/no/such/command")
	if status != 127 || record["started"] != false {
		t.Fatalf("status %d, record %v", status, record)
	}
}
