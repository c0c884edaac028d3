authsig sign
