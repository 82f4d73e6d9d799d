package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	exitNotExecutable = 126
	exitNotFound      = 127
	setChildSubreaper = 36
)

// catchSignals is called before the command starts, so that a signal which comes early still reaches it. It takes them
// all: an image names the signal that it is stopped with, and one that is not caught would end the shim instead.
func catchSignals() <-chan os.Signal {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals)
	signal.Reset(syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPIPE)
	return signals
}

// asksToEnd tells the signals that containers are stopped with from those that mean something else.
func asksToEnd(sig os.Signal) bool {
	return sig == syscall.SIGTERM || sig == syscall.SIGINT || sig == syscall.SIGQUIT
}

// startCommand starts the command in its own process group. What it leaves behind is ours to reap, as it would be
// for the first process of any container.
func startCommand(command []string) (int, *exitRecord) {
	path, err := locate(command[0])
	if err != nil {
		return 0, notStarted(command[0], err)
	}
	// Only fails on kernels without it; then orphans go to the real first process.
	_, _, _ = syscall.Syscall(syscall.SYS_PRCTL, setChildSubreaper, 1, 0)
	pid, err := syscall.ForkExec(path, command, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		return 0, notStarted(command[0], err)
	}
	return pid, nil
}

// locate finds a bare name in PATH; a name with a slash is taken as it stands.
func locate(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) {
		return path, nil
	}
	return path, err
}

func notStarted(name string, err error) *exitRecord {
	code := exitNotExecutable
	because := err.Error()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		code, because = exitNotFound, "it is not in any directory of PATH"
	case errors.Is(err, syscall.ENOENT):
		code, because = exitNotFound, "there is no such file, or its interpreter is missing"
	case errors.Is(err, syscall.ENOTDIR):
		code = exitNotFound
	case errors.Is(err, syscall.EACCES):
		because = "it is not executable"
	case errors.Is(err, syscall.ENOEXEC):
		because = "it is neither a program for this machine nor a script with a #! line"
	}
	text := fmt.Sprintf("the command %q could not be started: %s", name, because)
	return &exitRecord{Started: false, Code: &code, Message: text, status: code}
}

// waitFor passes signals on to the command's group until the command itself has ended, and reaps every orphan.
func waitFor(pid int, signals <-chan os.Signal, killAfter time.Duration) *exitRecord {
	ended := make(chan syscall.WaitStatus, 1)
	go reap(pid, ended)
	var kill <-chan time.Time
	terminated := false
	end := func(status syscall.WaitStatus) *exitRecord {
		record := describe(status)
		record.Terminated = terminated
		return record
	}
	for {
		select {
		case status := <-ended:
			return end(status)
		case sig := <-signals:
			// A command that has ended by itself gets no signal any more; its group may be somebody else's by now.
			select {
			case status := <-ended:
				return end(status)
			default:
			}
			if number, ok := sig.(syscall.Signal); ok {
				_ = syscall.Kill(-pid, number)
			}
			terminated = terminated || asksToEnd(sig)
			if terminated && killAfter > 0 && kill == nil {
				kill = time.After(killAfter)
			}
		case <-kill:
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
	}
}

func reap(pid int, ended chan<- syscall.WaitStatus) {
	for {
		var status syscall.WaitStatus
		got, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case got == pid && (status.Exited() || status.Signaled()):
			ended <- status
			return
		case err == syscall.ECHILD:
			// Cannot happen while the command is ours; a wrong end is still better than none.
			ended <- syscall.WaitStatus(exitMisused << 8)
			return
		}
	}
}

func describe(status syscall.WaitStatus) *exitRecord {
	if status.Signaled() {
		number := status.Signal()
		return &exitRecord{Started: true, Signal: signalName(number), status: 128 + int(number)}
	}
	code := status.ExitStatus()
	return &exitRecord{Started: true, Code: &code, status: code}
}
