package main

import "testing"

const (
	firstVersion = `9:name=systemd:/node/pod1/c1
4:memory:/node/pod1/c1
1:cpu,cpuacct:/node/pod1/c1
0::/node/pod1/c1
`
	mountsOfFirst = `31 23 0:28 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755
33 31 0:30 /node/pod1/c1 /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /node/pod1/c1 /sys/fs/cgroup/memory ro,nosuid shared:9 - cgroup cgroup rw,memory
`
	mountsOfSecond = "31 23 0:28 / /sys/fs/cgroup ro,nosuid shared:4 - cgroup2 cgroup rw,nsdelegate\n"
)

func TestCounterOfThisContainerIsFound(t *testing.T) {
	cases := []struct{ name, cgroups, mounts, want string }{
		{"version 1, the container's own part is mounted", firstVersion, mountsOfFirst, "/sys/fs/cgroup/memory/memory.oom_control"},
		{"version 1, everything is mounted", firstVersion, "35 31 0:32 / /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n", "/sys/fs/cgroup/memory/node/pod1/c1/memory.oom_control"},
		{"version 1, not mounted", firstVersion, mountsOfSecond, ""},
		{"version 1, another part is mounted", firstVersion, "35 31 0:32 /node/pod /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n", ""},
		{"version 2, in a namespace of its own", "0::/\n", mountsOfSecond, "/sys/fs/cgroup/memory.events"},
		{"version 2, in that of the node", "0::/kubepods/pod1/c1\n", mountsOfSecond, "/sys/fs/cgroup/kubepods/pod1/c1/memory.events"},
		{"nothing to read", "", "", ""},
	}
	for _, one := range cases {
		if got := oomCounterFile(one.cgroups, one.mounts); got != one.want {
			t.Errorf("%s: %q instead of %q", one.name, got, one.want)
		}
	}
}

func TestKillsAreCounted(t *testing.T) {
	cases := []struct {
		text string
		want int
	}{
		{"oom_kill_disable 0\nunder_oom 0\noom_kill 3\n", 3},
		{"low 0\nhigh 0\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n", 1},
		{"oom_kill_disable 0\nunder_oom 0\n", -1},
		{"oom_kill many\n", -1},
		{"", -1},
	}
	for _, one := range cases {
		got := oomKills(one.text)
		if (got == nil) != (one.want < 0) || got != nil && *got != one.want {
			t.Errorf("%q: %v instead of %d", one.text, got, one.want)
		}
	}
}
