package workspace

import "syscall"

func changeTime(st *syscall.Stat_t) stamp {
	return stamp{uint32(st.Ctimespec.Sec), uint32(st.Ctimespec.Nsec)}
}

func modifyTime(st *syscall.Stat_t) stamp {
	return stamp{uint32(st.Mtimespec.Sec), uint32(st.Mtimespec.Nsec)}
}
