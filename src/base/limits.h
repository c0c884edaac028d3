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

/* state */
/* One revision as CBOR: it is encoded and summed in one callback, some 4 ms. A package's entry with its manifest is some 100 KiB;
 * what is larger is a blob, and no state. */
#define LIMIT_STATE_REVISION (4u << 20)
/* Committed and not yet durable: a card that stalls for seconds. Beyond it commits are refused until it has caught up. */
#define LIMIT_STATE_PENDING (16u << 20)
/* Revisions committed and not settled, volatile ones too: who commits faster than a disk that hangs is told to wait. */
#define LIMIT_STATE_OPEN 65536
/* A segment of the journal: some thousand commits; a start reads it in some milliseconds. */
#define LIMIT_STATE_SEGMENT (1u << 20)
/* The journal is let grow to this before a snapshot is due, or to the snapshot's own size if that is more. */
#define LIMIT_STATE_JOURNAL (2u << 20)
/* Bytes of a snapshot: more than fits the memory of any board this is for. */
#define LIMIT_STATE_SNAPSHOT (1u << 30)
/* Files in a store's folder: two snapshots, and segments of at most as much as the larger one. */
#define LIMIT_STATE_FILES 4096
/* Owners of branches: one bit each. */
#define LIMIT_STATE_OWNERS 64
/* Watches at once: every connection may have some. */
#define LIMIT_STATE_WATCHES 20000
/* Watchers told in one turn: some 0.3 ms. */
#define LIMIT_STATE_SPREAD 512
/* Revisions kept for those who come back: a phone that slept for some minutes. About so many bytes of them. */
#define LIMIT_STATE_HISTORY       4096
#define LIMIT_STATE_HISTORY_BYTES (1u << 20)
/* Bytes encoded, written or summed in one slice of long work. */
#define LIMIT_STATE_SLICE (48u << 10)

/* state: snapshots */
/* The description: patterns of all branches with an attribute, some 50 bytes each; a plan has some hundreds. */
#define LIMIT_SNAPFILE_ABOUT (256u << 10)

/* state: the plan */
/* Nodes and keys of one plan: some hundred nodes are some 50 KiB. */
#define LIMIT_PLAN_BYTES (16u << 20)
/* Nodes of one plan: rows with "*" multiply; all domains together need some hundred. */
#define LIMIT_PLAN_NODES 16384
/* Bytes that making them may take meanwhile: as much as so many nodes can need. */
#define LIMIT_PLAN_WORK (16u << 20)
/* Shapes of one plan: all domains together have some hundred. A table gone wrong must not be walked for ever. */
#define LIMIT_PLAN_SHAPES 4096
/* Shapes inside each other: walking them recurses; no state is nearly as deep. */
#define LIMIT_PLAN_CHAIN 200
/* Patterns in a list from a file: each may cost a walk over all of a tree; a plan has some ten. */
#define LIMIT_PLAN_PATTERNS 4096

/* state: watchers */
/* Bytes of a watched pointer: it is kept, and comes from outside. The deepest place of a real tree has some 120. */
#define LIMIT_WATCH_POINTER 2048
/* Revisions that wait while others are told may hold so many times the bytes of the history: what is committed and not durable
 * (LIMIT_STATE_PENDING) can become so all at once. Beyond it those whom they touch get the value. */
#define LIMIT_WATCH_PENDING 16
/* How long small values, and what somebody missed, are kept for the next who wants the same. Many come at once when a box is
 * back, but not in one turn. */
#define LIMIT_WATCH_KEPT_MS 1000
/* When there was no memory for it: tried again then, or with the next revision. */
#define LIMIT_WATCH_AGAIN_MS 1000
/* Scopes whose kept values are let go of in one slice. */
#define LIMIT_WATCH_UNKEPT 64
/* Whole values encoded at the same time, so that a small one does not wait for a large one, and yet memory is not filled with parts
 * of many. */
#define LIMIT_WATCH_ENCODED 4

/* rpc */
/* Calls that are not answered yet: every connection may have some. */
#define LIMIT_RPC_OPEN 4096
/* The time for an answer where the row names none. */
#define LIMIT_RPC_MS 60000

/* Feeds that wait for their reader, or have one: subscriptions, logs that are followed, progress. */
#define LIMIT_RPC_FEEDS 16384
/* The body of POST /rpc: the largest parameters are forms of services. */
#define LIMIT_RPC_BODY (256u << 10)
/* Levels of nesting in it. */
#define LIMIT_RPC_DEPTH 64

/* auth */
/* Sessions: every browser of every device that ever logged in and was used within a month. */
#define LIMIT_AUTH_SESSIONS 1024
/* Keys that may sign requests: each is looked at with each signed request. */
#define LIMIT_AUTH_KEYS 64
/* Nonces remembered: signed requests of a minute. */
#define LIMIT_AUTH_NONCES 2048
/* Bytes of the header of a signed request: some 500. */
#define LIMIT_AUTH_SIGNATURE 2048
/* Bytes of a password: as the warden has it (PASSWORD_MOST). */
#define LIMIT_AUTH_PASSWORD 1024

/* flow */
/* Going on at once. Each may have jobs and transfers of its own; a board does a handful. */
#define LIMIT_FLOWS 64
/* Of one kind: installing has some ten. */
#define LIMIT_FLOW_STEPS 64
/* What a flow is told, as CBOR: it is in the tree until the flow is over. Manifests and files are blobs. */
#define LIMIT_FLOW_ARGS (64u << 10)
/* Facts a record keeps: names and numbers of what steps have made. Each as CBOR; journalled once when it changes. */
#define LIMIT_FLOW_NOTES 32
#define LIMIT_FLOW_NOTE  4096
/* When a step or an undo that must succeed has failed: the first wait, and the longest; it doubles. */
#define LIMIT_FLOW_AGAIN_MS      1000
#define LIMIT_FLOW_AGAIN_MOST_MS (5 * 60 * 1000)
/* Between tries to record something while the state refuses, or there is no memory. A try costs some microseconds. */
#define LIMIT_FLOW_RECORD_MS 1000
/* Between two tellings of progress: as StartOS. */
#define LIMIT_FLOW_PROGRESS_MS 100
/* Phases of one progress: a backup has one for each package. */
#define LIMIT_PROGRESS_PHASES 512
/* Of one phase; all together stay below 2^53, so that JavaScript reads them right. */
#define LIMIT_PROGRESS_WEIGHT (1ull << 40)

/* system */
/* Notifications kept: who does not read them loses the oldest. */
#define LIMIT_SYSTEM_NOTICES 500
/* The file that sets a box up at its first start. */
#define LIMIT_BOOT_FILE 8192
/* Keys that may log in by ssh. */
#define LIMIT_SYSTEM_SSH_KEYS 64

/* http */
/* Connections at once; the kernel's limit on descriptors is lowered to fit. 10,000 idle ones are some 5 MB. */
#define LIMIT_HTTP_CONNECTIONS 12000
/* Descriptors kept for other things than connections. */
#define LIMIT_HTTP_SPARE_FILES 64
/* Bytes of unfinished requests, all connections together: a thousand clients that never finish stay within it. */
#define LIMIT_HTTP_HELD (8u << 20)
/* Bytes of answers that one slow client may let wait; more is produced only as it reads. */
#define LIMIT_HTTP_OUT (4u << 20)
/* The same, all slow clients together. */
#define LIMIT_HTTP_OUT_ALL (16u << 20)
/* Files held in memory for quick answers: one, and all of them. Larger ones go through the pump. */
#define LIMIT_HTTP_CACHED_FILE  (1u << 20)
#define LIMIT_HTTP_CACHE        (8u << 20)
#define LIMIT_HTTP_CACHED_FILES 2048
/* Folders watched for files in memory; the disk hand has some more (LIMIT_DISK_WATCHES). Files elsewhere are looked at every time. */
#define LIMIT_HTTP_FOLDERS 200
/* How long a request waits for the disk hand: a card may stall for seconds. */
#define LIMIT_HTTP_DISK_MS 20000
/* A WebSocket message gathered for a handler. */
#define LIMIT_HTTP_WS_MESSAGE (1u << 20)

/* The body of POST /echo of `startbox serve`. */
#define LIMIT_SERVE_ECHO (4u << 20)
/* One file uploaded to `startbox serve --upload`: a card's worth; the disk may be full before. */
#define LIMIT_SERVE_UPLOAD (64ull << 30)

/* A file of certificates or of a key: Debian's roots are 220 KiB. */
#define LIMIT_PEM (1u << 20)

/* wire: names and dialling */
/* The time for everything where the caller names none: resolving, and a server that is far and busy. */
#define LIMIT_DIAL_MS 30000
/* Addresses of one family that are tried. Whoever has more has some that work among the first. */
#define LIMIT_DIAL_FAMILY 8
/* The time for a question where the asker names none: two rounds of two servers by the usual 5 seconds. */
#define LIMIT_RESOLVE_MS 30000
/* When one family has come: how long the other may take yet. Some servers never answer AAAA. */
#define LIMIT_RESOLVE_GRACE_MS 2000
/* Aliases from the name to its address, whoever follows them. Real chains have up to 6; public resolvers stop near 16. */
#define LIMIT_RESOLVE_ALIASES 16
/* Records in one answer: what fits into 64 KiB may be 4000; reading must stay far below a millisecond. */
#define LIMIT_RESOLVE_RECORDS 512
/* Answers remembered: some 100 bytes each, at most 1.2 KiB. A household's boxes talk to some dozens of names. */
#define LIMIT_RESOLVER_CACHE 512
/* Addresses of one name in one family; more than a handful is never dialled. */
#define LIMIT_RESOLVE_ADDRESSES 32
/* resolv.conf: as glibc has them. Real files are some hundred bytes. */
#define LIMIT_RESOLV_BYTES    65536
#define LIMIT_RESOLV_SERVERS  3
#define LIMIT_RESOLV_SEARCH   6
#define LIMIT_RESOLV_NDOTS    15
#define LIMIT_RESOLV_TIMEOUT  30 /* seconds */
#define LIMIT_RESOLV_ATTEMPTS 5
/* hosts: read in one callback, which a full MiB holds up for 7 ms on a PC and several times that on a board; a real file is some
 * hundred bytes. Lists against advertising are longer and belong into a name server. */
#define LIMIT_HOSTS_BYTES (1u << 20)
#define LIMIT_HOSTS_NAMES 20000
/* Queries with a socket at once; the others wait. A web page names some dozens of hosts. */
#define LIMIT_RESOLVER_SOCKETS 64
/* Queries in all: beyond this whoever asks is refused. */
#define LIMIT_RESOLVER_QUERIES 512
/* What a datagram may carry without being cut into fragments, which can be forged (the figure of DNS flag day 2020). */
#define LIMIT_RESOLVE_DATAGRAM 1232
/* The time for one server doubles with each round up to this. */
#define LIMIT_RESOLVE_WAIT_MS 30000
/* How long a server that let the time pass goes behind the others. */
#define LIMIT_RESOLVE_REST_MS 60000
/* How long answers are kept, whatever they say: RFC 2308 5 for "no". */
#define LIMIT_RESOLVE_TTL_LEAST_S 1
#define LIMIT_RESOLVE_TTL_S       86400
#define LIMIT_RESOLVE_TTL_NO_S    300

/* warden */
/* Named roots of a warden: data, web, run, backups, ...; named in main, not by the operator. */
#define LIMIT_ROOTS 8
/* Passwords that wait for the one being worked on: some half a minute of work; who comes later is told to try again. */
#define LIMIT_PASSWORD_QUEUE 32

/* warden: hands */
/* Bytes of a path: what loop/file.h takes, less an ending (.part, .new). */
#define LIMIT_DISK_PATH 190
/* Bytes read or written by one request: with its names it must fit a frame of the link. More goes through a pump. */
#define LIMIT_DISK_BYTES 65536u
/* Entries of a folder in one answer: with names of 255 bytes they fit a frame. */
#define LIMIT_DISK_LIST 256
/* Files kept open for writing: the journal's segments and a few more. */
#define LIMIT_DISK_FILES 8
/* Files held against other processes: one a store. */
#define LIMIT_DISK_LOCKS 4
/* Pumps at once: each takes two descriptors, of some 1000 a process has. */
#define LIMIT_DISK_PUMPS 192
/* Folders watched at once: each is kernel memory, and a user has 8192 by default. */
#define LIMIT_DISK_WATCHES 256
/* Bytes a pump moves in one turn, so that none is served alone. */
#define LIMIT_DISK_TURN (256u << 10)
/* Bytes pumped into a file before they are synced: whoever waits for the disk meanwhile waits for these at most. */
#define LIMIT_DISK_UNSYNCED (8u << 20)
/* warden: our own log */
/* One line of it: what our own rooms write has at most 1 KiB, what libc and sanitizers say seldom more. */
#define LIMIT_LOG_LINE 4096
/* The same as JSON: every byte may become \u00XX, and there is what stands around it. */
#define LIMIT_LOG_RECORD (6 * LIMIT_LOG_LINE + 256)
/* A file of it, and how many there are: weeks of a quiet box, and a sum no card is short of. */
#define LIMIT_LOG_FILE  (1u << 20)
#define LIMIT_LOG_FILES 4
/* What the pipe to the log hand is asked to hold, so that a burst waits there while a card stalls. The kernel may give less. */
#define LIMIT_LOG_PIPE (1u << 20)
/* When a file could not be written: not tried again before. */
#define LIMIT_LOG_AGAIN_MS 10000
/* Entries of the kernel's log or of the journal in one answer, where their texts fit a frame. */
#define LIMIT_LOG_PAGE 1000
/* One line of the journal as JSON: journald takes messages of 48 KiB, which as an array of numbers are some 200. */
#define LIMIT_JOURNAL_LINE (1u << 20)
/* Requests for them, and for disks, that wait while another is worked on: a person looks at one. */
#define LIMIT_LOG_QUEUE 8
/* Disks and partitions in one answer: each is at most some 700 bytes of a frame, nearly all some 200. */
#define LIMIT_PROBE_NODES 128
/* Names in one folder of the kernel's list that are looked at. */
#define LIMIT_PROBE_NAMES 512
/* The file of all keys that may log in by ssh: some hundred keys. */
#define LIMIT_HOST_KEYS 65536
/* How long standard error may take nothing before what comes is no longer shown there. */
#define LIMIT_LOG_SHOW_MS 1000

/* Processors, interfaces, sensors in one sample: with them it fits a frame. More are left out. */
#define LIMIT_SAMPLER_CPUS         256
#define LIMIT_SAMPLER_NETS         128
#define LIMIT_SAMPLER_TEMPERATURES 32

/* wire: TLS */
/* Handshake messages before BearSSL sees them: browsers send 0.5 to 2 KiB, post-quantum ones 1.8; a record carries 16. */
#define LIMIT_TLS_HELLO 16384
/* What waits to be sent to a peer that does not read: a chain of certificates, or one record, and some alerts. */
#define LIMIT_TLS_KEPT (128u << 10)
/* Expensive steps a turn of the loop, of one side. */
#define LIMIT_TLS_STEPS 1
/* Bytes of a handshake a client eats at once: about one certificate, so one signature to check. */
#define LIMIT_TLS_CLIENT_BITE 1024
/* A peer may cut its hello into records of one byte each; nobody honest does it into many. */
#define LIMIT_TLS_HELLO_RECORDS 64
/* A connection is some 26 KiB at most: 256 of them are 6.5 MiB, a tenth of the smallest board. */
#define LIMIT_TLS_CONNECTIONS 256
/* Every device of a house, each with some browsers: 200 KiB. */
#define LIMIT_TLS_SESSIONS      2048
#define LIMIT_TLS_SESSIONS_MOST (1u << 20)
/* Debian's file of roots has some 220 KiB. */
#define LIMIT_TLS_ROOTS_TEXT (2u << 20)
/* What is kept of it: names and keys, some 150 KiB. */
#define LIMIT_TLS_ROOTS_BYTES (2u << 20)
/* Hosts a box talks to again and again: registries, mail, relays. 180 bytes each. */
#define LIMIT_TLS_CLIENT_SESSIONS 32
/* Certificates of one server: each is looked at with each handshake. */
#define LIMIT_TLS_IDENTITIES 64
/* All of them together, as text. */
#define LIMIT_TLS_IDENTITY_TEXT (1u << 20)
/* A chain longer than what a connection may keep for a peer could not be sent. */
#define LIMIT_TLS_CHAIN_BYTES (64u << 10)
/* One block: a certificate of 64 KiB is no certificate any more. */
#define LIMIT_TLS_DER (64u << 10)
/* Certificates of a chain: leaf, intermediates, perhaps the root. It is sent with each full handshake. */
#define LIMIT_TLS_CHAIN 10
/* Roots: Debian has some 140, Windows and old systems up to 400. */
#define LIMIT_TLS_ROOTS 1000
/* More names than any certificate has (the public ones stop at 100, or carry at most some 2000). */
#define LIMIT_TLS_CERT_NAMES 4096
/* Bytes of one certificate of a server; the largest public ones, with hundreds of names, have some 8 KiB. */
#define LIMIT_TLS_JUDGE_CERT (32u << 10)
/* Certificates of a chain; BearSSL stops at the first that leads to a root, some servers send a few too many. */
#define LIMIT_TLS_JUDGE_CHAIN 12

/* out */
/* Requests and mails under way at once. With TLS some 100 KiB each; a board of 64 MB would not bear more. */
#define LIMIT_OUT_REQUESTS 128
/* Connections that rest: some 25 KiB each with TLS. Of one host only a few: it has limits too. */
#define LIMIT_OUT_RESTING      16
#define LIMIT_OUT_RESTING_HOST 4
/* For how long. Servers give up after 5 to 75 s; beyond that reusing fails more often than it helps. */
#define LIMIT_OUT_REST_MS 30000
/* Within it some bytes must move while the other side is waited for, and its answer begin. */
#define LIMIT_OUT_PACE_MS 60000
/* An answer that is gathered in memory. */
#define LIMIT_OUT_GATHERED (1u << 20)
/* A file: a card's worth. */
#define LIMIT_OUT_FILE (64ull << 30)
/* Header fields of a request beside ours, and all their text. */
#define LIMIT_OUT_FIELDS      64
#define LIMIT_OUT_FIELD_BYTES (24u << 10)
/* Body of a redirect that is read so that its connection can be used again; a longer one costs more than a new connection. */
#define LIMIT_OUT_SKIPPED (64u << 10)
/* What a compressed answer may grow to when it is handed out in pieces and the asker says nothing else. */
#define LIMIT_OUT_DECODED (256u << 20)
/* A URL we ask for, or are sent to. Servers refuse request lines over 8 KiB; ours must fit LIMIT_HTTP1_LINE too. */
#define LIMIT_OUT_URL 8000
/* The text of no_proxy. Real ones have some ten entries; each is looked at for every connection. */
#define LIMIT_OUT_NO_PROXY 4096
/* User and password of a URL: some services hand out long tokens. */
#define LIMIT_OUT_USERINFO 2048
/* For all of a mail where the asker says nothing: a few MB over a slow line. */
#define LIMIT_MAIL_MS (15 * 60 * 1000)
/* Recipients of one message: servers must take 100 (RFC 5321 4.5.3.1.8). */
#define LIMIT_MAIL_RECIPIENTS 100
/* User and password: some services hand out long tokens. */
#define LIMIT_MAIL_SECRET 4096
/* One line of a server's reply, all lines, all text. RFC 5321 says 512 bytes a line; the answer to EHLO has some 20 lines. */
#define LIMIT_MAIL_REPLY_LINE  1024
#define LIMIT_MAIL_REPLY_LINES 128
#define LIMIT_MAIL_REPLY_BYTES 16384
/* A message without attached files. Servers seldom take more than 25 MB in all. */
#define LIMIT_MIME_TEXT (32u << 20)
/* Mailboxes in one field, attachments in one message. */
#define LIMIT_MIME_MAILBOXES   100
#define LIMIT_MIME_ATTACHMENTS 100

/* jose, as `startbox codec` takes it; a server passes what it expects */
/* Bytes of a protected header: a key, a nonce and a URL are some 500. */
#define LIMIT_JOSE_HEADER 4096
/* Bytes of an encrypted password or a signed request: both are small, a certificate request is some 2 KiB. */
#define LIMIT_JOSE_BODY 65536

/* x509, as startbox codec takes it */
/* One block: the largest public certificates, with hundreds of names, have some 8 KiB. */
#define LIMIT_X509_BYTES (64u << 10)
/* Blocks of a text: Debian's file of roots has some 140, old systems' up to 400. */
#define LIMIT_X509_BLOCKS 4096
/* Extensions of a certificate: real ones have some 10; each is compared with those before it. */
#define LIMIT_X509_EXTENSIONS 64
/* Names of hosts: the public ones stop at 100, or carry at most some 2000. */
#define LIMIT_X509_ALTS 4096

/* blake3, as startbox codec prints it */
/* Bytes of a hash: 32 are the use, some more show that it goes on. */
#define LIMIT_BLAKE3_OUT 1024

/* authsig, as startbox codec takes it; a server passes what it expects */
/* Bytes of the header's value: real ones have some 430. */
#define LIMIT_AUTHSIG_BYTES 4096
/* Names in it: six are known, some may come. */
#define LIMIT_AUTHSIG_PAIRS 16
/* What a body may claim: a call, or what a registry is sent with one. */
#define LIMIT_AUTHSIG_SIZE (16u << 20)

/* What `startbox codec` reads from standard input. */
#define LIMIT_CODEC_INPUT (256u << 20)

#endif
