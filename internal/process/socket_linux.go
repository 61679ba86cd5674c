package process

import "syscall"

const (
	recvFlags  = syscall.MSG_CMSG_CLOEXEC
	maxRSSUnit = 1024 // bytes in a unit of ru_maxrss
)
