module ebbflow.dev/shim

go 1.24
