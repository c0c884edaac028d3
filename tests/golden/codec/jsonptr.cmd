jsonptr
