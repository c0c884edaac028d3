/* link.c - any bytes as a frame of the link: what is read writes back and reads the same; what is refused holds
 * nothing, and its head is one there is. */
#include "warden/link.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct link_frame f, again;
    struct err e = ERR_INIT;
    if (!link_frame_read(slice_of(data, size), &f, &e)) {
        if (e.code == ERR_NONE || f.kind > LINK_NOTICE || f.id > LINK_ID_MAX || f.fd_n) abort();
        if (!val_is_none(&f.name) || !val_is_none(&f.value)) abort();
        return 0;
    }
    if (f.kind < LINK_REQUEST || f.kind > LINK_NOTICE || f.fd_n || (f.kind == LINK_NOTICE) != (f.id == 0)) abort();
    struct buf out;
    buf_init(&out, LIMIT_LINK_FRAME);
    if (!link_frame_write(&out, &f, &e) || !link_frame_read(buf_slice(&out), &again, &e)) abort();
    if (f.kind != again.kind || f.id != again.id || f.most_ms != again.most_ms) abort();
    if (!val_equal(&f.name, &again.name) || !val_equal(&f.value, &again.value)) abort();
    if (f.kind == LINK_ERROR) {
        struct err told = ERR_INIT;
        link_error_read(&f.value, &told);
        if (told.code == ERR_NONE || told.code >= ERR_CODE_N) abort();
    }
    link_frame_release(&f);
    link_frame_release(&again);
    buf_release(&out);
    return 0;
}
