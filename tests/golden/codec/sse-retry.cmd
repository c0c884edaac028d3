sse retry
