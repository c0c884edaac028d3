jsonrpc --rules strict
