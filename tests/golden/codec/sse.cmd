sse
