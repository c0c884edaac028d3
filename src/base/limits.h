/* limits.h - every limit of the program, with its reason. Codecs never read this file: whoever makes one hands it a small
 * struct of limits, so tests and fuzzers can choose tiny ones. What exceeds a limit is refused with the limit's name. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* val */
/* Nesting of any value in the program. Walkers may recurse this deep: some 200 bytes a level, so 100 KiB of stack. Real
 * documents stay below 40. Above it: building fails. */
#define LIMIT_VAL_DEPTH 512

/* json, cbor */
/* Bytes of one document. The RPC body cap is lower; packages' manifests and snapshots of big boxes reach some MB. */
#define LIMIT_JSON_BYTES (64u << 20)
#define LIMIT_CBOR_BYTES (256u << 20)
/* One text or byte string in CBOR: it must be whole in memory before it becomes a value. */
#define LIMIT_CBOR_STRING (64u << 20)
/* jsonpatch: operations in one patch; values that `copy` may multiply (each op can double the document otherwise). */
#define LIMIT_PATCH_OPS    65536
#define LIMIT_PATCH_COPIED 1000000

/* http1 */
/* Start line and header section. Browsers send under 4 KiB, with large cookies up to 16. */
#define LIMIT_HTTP1_LINE    8192
#define LIMIT_HTTP1_HEAD    32768
#define LIMIT_HTTP1_HEADERS 100
#define LIMIT_HTTP1_TRAILER 8192
/* A chunk's size line with its extensions: long ones serve only to waste work. */
#define LIMIT_HTTP1_CHUNK_LINE 256
/* All chunk extensions of one body together: nobody uses them, so a body made of them is an attack. */
#define LIMIT_HTTP1_CHUNK_EXT 8192

/* websocket */
#define LIMIT_WS_FRAME   (16u << 20)
#define LIMIT_WS_MESSAGE (16u << 20)
/* Control frames in a row without data between: a peer that only pings is not talking to us. */
#define LIMIT_WS_CONTROLS 1000
/* Pieces of one message: an endless run of empty fragments is an attack. */
#define LIMIT_WS_FRAGMENTS 65536

/* sse */
#define LIMIT_SSE_LINE  (1u << 20)
#define LIMIT_SSE_EVENT (4u << 20)

/* lines, jsonrpc: upstream has no limit here; a real call from a guest is some KiB, icons in base64 some 100. */
#define LIMIT_LINE_BYTES (4u << 20)
#define LIMIT_RPC_BATCH  100

/* dns: one message over TCP; over UDP the smaller EDNS size counts. */
#define LIMIT_DNS_MESSAGE 65535
#define LIMIT_DNS_RECORDS 6000 /* more than the smallest records fill 64 KiB */
/* Pointers followed in one name: a name has at most 127 labels, so more pointers than that only waste work. */
#define LIMIT_DNS_JUMPS 127

/* warden: one frame between the reactor, the warden and the hands; a kernel gives a Unix socket some 200 KiB. What is longer
 * goes through the pump. */
#define LIMIT_LINK_FRAME (96u << 10)
#define LIMIT_LINK_FDS   4
#define LIMIT_LINK_DEPTH 16
/* Frames that wait because the other end does not read: beyond this it is taken for dead. */
#define LIMIT_LINK_QUEUE (4u << 20)
/* Calls open at once on one link, and jobs running at once: a reactor gone mad must not become a fork bomb. */
#define LIMIT_LINK_CALLS 4096
#define LIMIT_JOBS       16
/* Frames refused before the warden takes the reactor for mad and begins a new one. */
#define LIMIT_LINK_REFUSED 64
/* Listeners one warden keeps. */
#define LIMIT_LISTENERS 64

/* http */
/* Connections at once; the kernel's limit on descriptors is lowered to fit. 10,000 idle ones are some 5 MB. */
#define LIMIT_HTTP_CONNECTIONS 12000
/* Bytes of unfinished requests, all connections together: a thousand clients that never finish stay within it. */
#define LIMIT_HTTP_HELD (8u << 20)
/* Bytes of answers that one slow client may let wait; more is produced only as it reads. */
#define LIMIT_HTTP_OUT (4u << 20)
/* Files held in memory for quick answers: one, and all of them. Larger ones go through the pump. */
#define LIMIT_HTTP_CACHED_FILE (1u << 20)
#define LIMIT_HTTP_CACHE       (8u << 20)
#define LIMIT_HTTP_CACHED_FILES 2048
/* A WebSocket message gathered for a handler. */
#define LIMIT_HTTP_WS_MESSAGE (1u << 20)

/* One file uploaded to `startbox serve --upload`: a card's worth; the disk may be full before. */
#define LIMIT_SERVE_UPLOAD (64ull << 30)

/* A file of certificates or of a key: Debian's roots are 220 KiB. */
#define LIMIT_PEM (1u << 20)

/* What `startbox codec` reads from standard input. */
#define LIMIT_CODEC_INPUT (256u << 20)

#endif
