http1 --role server
