package main

import (
	"os"
	"path"
	"strconv"
	"strings"
)

// watchMemory notes how often the kernel has killed a process of this container for lack of memory, and returns a
// function that tells how often it did since. Nil means that nobody can tell: there is no such counter in sight.
func watchMemory() func() *int {
	file := oomCounterFile(readText("/proc/self/cgroup"), readText("/proc/self/mountinfo"))
	before := oomKills(readText(file))
	return func() *int {
		after := oomKills(readText(file))
		if before == nil || after == nil {
			return nil
		}
		killed := *after - *before
		return &killed
	}
}

// oomCounterFile is where the kernel counts for the cgroup of this process, seen through the mounts of this
// container. Empty where no mount shows that cgroup.
func oomCounterFile(cgroups, mounts string) string {
	// A machine may have both versions mounted; the memory controller belongs to one of them.
	if own, found := ownCgroup(cgroups, "memory"); found {
		return below(mountOf(mounts, "cgroup", "memory", own), "memory.oom_control")
	}
	if own, found := ownCgroup(cgroups, ""); found {
		return below(mountOf(mounts, "cgroup2", "", own), "memory.events")
	}
	return ""
}

// ownCgroup finds the path of this process in the hierarchy of a controller (version 1), or in that of version 2,
// which names none. A line is `ID:CONTROLLERS:PATH`.
func ownCgroup(cgroups, controller string) (string, bool) {
	for line := range strings.Lines(cgroups) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && hasItem(fields[1], controller) {
			return fields[2], true
		}
	}
	return "", false
}

// mountOf finds the directory that shows the cgroup `own`. A line is
// `ID PARENT DEVICE ROOT MOUNTPOINT OPTIONS ... - TYPE SOURCE SUPEROPTIONS`.
func mountOf(mounts, kind, controller, own string) string {
	for line := range strings.Lines(mounts) {
		mount, system, _ := strings.Cut(line, " - ")
		place, facts := strings.Fields(mount), strings.Fields(system)
		if len(place) < 5 || len(facts) < 3 || facts[0] != kind {
			continue
		}
		if controller != "" && !hasItem(facts[2], controller) {
			continue
		}
		root := strings.TrimSuffix(place[3], "/")
		if rest, within := strings.CutPrefix(own+"/", root+"/"); within {
			return path.Join(place[4], rest)
		}
	}
	return ""
}

func below(folder, name string) string {
	if folder == "" {
		return ""
	}
	return path.Join(folder, name)
}

func hasItem(list, wanted string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if item == wanted {
			return true
		}
	}
	return false
}

// oomKills reads the line `oom_kill N`, which both versions have.
func oomKills(text string) *int {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) != 2 || fields[0] != "oom_kill" {
			continue
		}
		if count, err := strconv.Atoi(fields[1]); err == nil {
			return &count
		}
	}
	return nil
}

func readText(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(text)
}
