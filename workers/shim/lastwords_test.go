package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestLackOfMemoryIsExplained(t *testing.T) {
	told := `{"reason":"OOMKilled","message":"the kernel killed 2 of the command's processes for lack of memory"}`
	number := func(value int) *int { return &value }
	cases := []struct {
		name   string
		before string
		record exitRecord
		want   string
	}{
		{"a command that failed", "", exitRecord{OOMKills: number(2), status: 137}, told},
		{"a command that did without the child", "", exitRecord{OOMKills: number(2), status: 0}, ""},
		{"a failure of another kind", "", exitRecord{OOMKills: number(0), status: 1}, ""},
		{"nobody can tell", "", exitRecord{status: 137}, ""},
		{"the command's own words stay", "mine", exitRecord{OOMKills: number(2), status: 1}, "mine"},
	}
	for _, one := range cases {
		file := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(file, []byte(one.before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := explainMemory(file, &one.record); err != nil {
			t.Fatal(one.name, err)
		}
		if got := readText(file); got != one.want {
			t.Errorf("%s: %q instead of %q", one.name, got, one.want)
		}
	}
}

func TestLastWordsFollowNoLink(t *testing.T) {
	folder := t.TempDir()
	link, target := filepath.Join(folder, "log"), filepath.Join(folder, "target")
	if err := os.WriteFile(target, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	kills := 1
	if err := explainMemory(link, &exitRecord{OOMKills: &kills, status: 137}); err == nil {
		t.Error("a link was followed")
	}
	if got := readText(target); got != "" {
		t.Errorf("written through a link: %q", got)
	}
}
