jsonrpc
