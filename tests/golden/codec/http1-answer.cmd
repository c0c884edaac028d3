http1 --role client --method GET
