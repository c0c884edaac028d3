authsig read
