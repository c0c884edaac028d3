websocket --role client
