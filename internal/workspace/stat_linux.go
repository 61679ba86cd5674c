package workspace

import "syscall"

func changeTime(st *syscall.Stat_t) stamp { return stamp{uint32(st.Ctim.Sec), uint32(st.Ctim.Nsec)} }

func modifyTime(st *syscall.Stat_t) stamp { return stamp{uint32(st.Mtim.Sec), uint32(st.Mtim.Nsec)} }
