websocket --role client --deflate
