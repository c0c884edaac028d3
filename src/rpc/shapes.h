/* shapes.h - shapes that rows of many rooms share, and short ways to write tables of them.
 *
 * Tried: with every row that uses them. */
#ifndef RPC_SHAPES_H
#define RPC_SHAPES_H

#include "state/shape.h"

extern const struct shape shape_any, shape_bool, shape_text, shape_text_or_null, shape_u64, shape_time,
    shape_time_or_null, shape_texts, shape_port, shape_guid;

/* A record and its fields, under one name. */
#define SHAPE_RECORD_OF(name, ...)                                                                                     \
    static const struct shape_field name##_fields[] = {__VA_ARGS__};                                                   \
    static const struct shape name = {                                                                                 \
        .kind = SHAPE_RECORD, .fields = name##_fields, .field_n = sizeof name##_fields / sizeof name##_fields[0]}
#define SHAPE_LIST_OF(name, item_) static const struct shape name = {.kind = SHAPE_LIST, .item = &(item_)}
#define SHAPE_MAP_OF(name, item_)  static const struct shape name = {.kind = SHAPE_MAP, .item = &(item_)}

/* Whether it is a time as date_write_iso writes it. */
bool shape_check_time(const struct val *v, struct err *e);

#endif
