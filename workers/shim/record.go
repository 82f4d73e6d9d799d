package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"time"
)

const protocolVersion = 1

// exitRecord says how the command ended: in exit.json and in the exit message alike.
type exitRecord struct {
	Version int  `json:"version"`
	Started bool `json:"started"`
	// Code is null after a signal.
	Code    *int   `json:"code"`
	Signal  string `json:"signal,omitempty"`
	Message string `json:"message,omitempty"`
	// Terminated: the command was asked to end while it ran, so even a code of 0 is no end of its own.
	Terminated bool `json:"terminated,omitempty"`
	// OOMKills: processes of the container that the kernel killed for lack of memory; nil where nobody can tell.
	OOMKills  *int   `json:"oomKills,omitempty"`
	StartTime string `json:"startTime"`
	EndTime   string `json:"endTime"`

	// status is what the shim itself ends with.
	status int
}

// message is one line on the socket, from the shim to the agent.
type message struct {
	Type    string      `json:"type"`
	Version int         `json:"version,omitempty"`
	PID     int         `json:"pid,omitempty"`
	Time    string      `json:"time,omitempty"`
	Exit    *exitRecord `json:"exit,omitempty"`
}

// writeRecord makes the record appear whole or not at all. The agent may run as another user, hence the mode.
func writeRecord(path string, record *exitRecord) error {
	text, err := json.Marshal(record)
	if err != nil {
		return err
	}
	draft := fmt.Sprintf("%s.%d", path, os.Getpid())
	if err := os.WriteFile(draft, append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.Chmod(draft, 0o644); err != nil {
		return err
	}
	return os.Rename(draft, path)
}

func timestamp(at time.Time) string {
	return at.UTC().Format("2006-01-02T15:04:05.000Z")
}

var signalNames = map[syscall.Signal]string{
	syscall.SIGABRT: "SIGABRT", syscall.SIGALRM: "SIGALRM", syscall.SIGBUS: "SIGBUS", syscall.SIGFPE: "SIGFPE",
	syscall.SIGHUP: "SIGHUP", syscall.SIGILL: "SIGILL", syscall.SIGINT: "SIGINT", syscall.SIGKILL: "SIGKILL",
	syscall.SIGPIPE: "SIGPIPE", syscall.SIGQUIT: "SIGQUIT", syscall.SIGSEGV: "SIGSEGV", syscall.SIGSYS: "SIGSYS",
	syscall.SIGTERM: "SIGTERM", syscall.SIGTRAP: "SIGTRAP", syscall.SIGUSR1: "SIGUSR1", syscall.SIGUSR2: "SIGUSR2",
	syscall.SIGXCPU: "SIGXCPU", syscall.SIGXFSZ: "SIGXFSZ",
}

func signalName(number syscall.Signal) string {
	if name, known := signalNames[number]; known {
		return name
	}
	return fmt.Sprintf("signal %d", int(number))
}
