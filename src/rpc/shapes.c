/* shapes.c - see shapes.h. */
#include "rpc/shapes.h"

#include "protocols/date.h"

bool shape_check_time(const struct val *v, struct err *e) {
    int64_t ms;
    return date_read_iso(val_as_text(v), &ms) ||
           err_set(e, ERR_INVALID, "want a time like 2026-03-01T08:15:30Z, found another text");
}

const struct shape shape_any = {.kind = SHAPE_ANY};
const struct shape shape_bool = {.kind = SHAPE_BOOL};
const struct shape shape_text = {.kind = SHAPE_TEXT};
const struct shape shape_text_or_null = {.kind = SHAPE_TEXT, .null = true};
const struct shape shape_u64 = {.kind = SHAPE_INT, .max = INT64_MAX};
const struct shape shape_time = {.kind = SHAPE_TEXT, .check = shape_check_time};
const struct shape shape_time_or_null = {.kind = SHAPE_TEXT, .null = true, .check = shape_check_time};
const struct shape shape_texts = {.kind = SHAPE_LIST, .item = &shape_text};
const struct shape shape_port = {.kind = SHAPE_INT, .min = 1, .max = 65535};
const struct shape shape_guid = {.kind = SHAPE_TEXT, .min = 32, .max = 32};
