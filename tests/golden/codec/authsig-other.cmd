authsig check
