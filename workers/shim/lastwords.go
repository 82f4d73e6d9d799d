package main

import (
	"encoding/json"
	"fmt"
	"os"
	"syscall"
)

// lastWords is what the operator reads as the termination message of the container.
type lastWords struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// explainMemory leaves the reason of a command that failed for lack of memory where the kubelet picks it up together
// with the exit code: its own word for it (OOMKilled) is an event that may come too late. A message that the command
// itself has left stays.
func explainMemory(file string, record *exitRecord) error {
	if record.status == 0 || record.OOMKills == nil || *record.OOMKills == 0 {
		return nil
	}
	text, err := json.Marshal(lastWords{
		Reason:  "OOMKilled",
		Message: fmt.Sprintf("the kernel killed %d of the command's processes for lack of memory", *record.OOMKills),
	})
	if err != nil {
		return err
	}
	log, err := os.OpenFile(file, os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	if facts, err := log.Stat(); err != nil || !facts.Mode().IsRegular() || facts.Size() > 0 {
		return err
	}
	_, err = log.Write(text)
	return err
}
