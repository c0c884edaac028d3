dns
