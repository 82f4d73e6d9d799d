// Command shim runs the user's command inside the user's image and tells the agent beside it how the command ended.
//
//	shim [-socket PATH] [-record PATH] [-kill-after DURATION] -- COMMAND [ARGUMENT...]
//	shim -install PATH
//
// The command starts at once and inherits stdin, stdout and stderr untouched; nothing that happens to the agent or to
// the shared volume stops or delays it. When it has ended, the exit record is written by rename, the same record is
// sent over the socket, and the shim ends with the command's exit code, or 128 + n after signal n.
//
// It depends on the standard library alone and is built static, because the image it runs in may be empty.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

const (
	defaultSocket = "/ebbflow/run/agent.sock"
	defaultRecord = "/ebbflow/run/exit.json"
	// Where the kubelet looks for a container's last words.
	terminationLog = "/dev/termination-log"
	// The pod's grace period is 90 s; what is left after this belongs to the agent.
	defaultKillAfter = 60 * time.Second
	// How long the end of the shim waits for an agent that has never answered, or that was there and went.
	lateAgent = 10 * time.Second
	lostAgent = 2 * time.Second

	exitMisused = 125
)

func main() {
	socket := flag.String("socket", orDefault("EBBFLOW_SOCKET", defaultSocket), "unix socket of the agent")
	record := flag.String("record", orDefault("EBBFLOW_EXIT_RECORD", defaultRecord), "file for the exit record")
	killAfter := flag.Duration("kill-after", defaultKillAfter, "after SIGTERM, time until the command is killed; 0: never")
	target := flag.String("install", "", "copy this program to the path and end")
	flag.Parse()
	if *target != "" {
		if err := install(*target); err != nil {
			complain("it could not be installed: " + err.Error())
			os.Exit(1)
		}
		return
	}
	if flag.NArg() == 0 {
		complain("no command: write shim [flags] -- COMMAND [ARGUMENT...]")
		os.Exit(exitMisused)
	}
	os.Exit(run(*socket, *record, *killAfter, flag.Args()))
}

func run(socket, record string, killAfter time.Duration, command []string) int {
	signals := catchSignals()
	oomKills := watchMemory()
	started := time.Now()
	pid, failure := startCommand(command)

	agent := connectAgent(socket)
	agent.send(message{Type: "hello", Version: protocolVersion})

	result := failure
	if failure == nil {
		agent.send(message{Type: "start", PID: pid, Time: timestamp(started)})
		result = waitFor(pid, signals, killAfter)
	}
	result.Version = protocolVersion
	result.StartTime = timestamp(started)
	result.EndTime = timestamp(time.Now())
	result.OOMKills = oomKills()

	if err := writeRecord(record, result); err != nil {
		complain("the exit record could not be written: " + err.Error())
	}
	if err := explainMemory(terminationLog, result); err != nil && !os.IsNotExist(err) {
		complain("the termination message could not be written: " + err.Error())
	}
	agent.send(message{Type: "exit", Exit: result})
	agent.finish(lateAgent, lostAgent)
	if result.Message != "" {
		complain(result.Message)
	}
	return result.status
}

func orDefault(variable, fallback string) string {
	if value := os.Getenv(variable); value != "" {
		return value
	}
	return fallback
}

func complain(sentence string) {
	fmt.Fprintln(os.Stderr, "ebbflow shim: "+sentence)
}
