websocket --role server
