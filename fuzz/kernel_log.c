/* kernel_log.c - any bytes as a record of the kernel's log: what is taken has its parts, and its text is UTF-8. */
#include "warden/kernel_log.h"
#include "base/must.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct kernel_record r;
    struct buf out;
    if (size > 8192 || !kernel_record_read(slice_of(data, size), &r)) return 0;
    must(r.priority <= 7 && r.text.len < size && slice_find(r.text, '\n') == r.text.len);
    buf_init(&out, 3 * 8192);
    must(kernel_record_text(&out, &r) && utf8_ok(buf_slice(&out)) && out.len <= 3 * r.text.len);
    buf_release(&out);
    return 0;
}
