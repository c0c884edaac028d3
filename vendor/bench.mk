# Peers of `make bench` only: cJSON and simdjson are linked, jansson and json-c are loaded at run time, redis-server is
# started on a socket of its own.
BENCH_LIBS := -lcjson -lsimdjson -lstdc++ -ldl
