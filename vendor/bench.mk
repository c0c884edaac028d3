# Peers of `make bench` only: cJSON is linked, jansson and json-c are loaded at run time, redis-server is started.
BENCH_LIBS := -lcjson -ldl
