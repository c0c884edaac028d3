/* schema.c - JSON Schema of shapes; see method.h. */
#include "base/mem.h"
#include "rpc/method.h"

static bool put(struct val *map, const char *key, struct val v) {
    return val_set_str(map, key, v);
}

static bool put_bounds(struct val *map, const struct shape *s, const char *least, const char *most) {
    if (!s->min && !s->max) return true;
    return (s->min == INT64_MIN || put(map, least, val_of_i64(s->min))) &&
           (s->max == INT64_MAX || put(map, most, val_of_i64(s->max)));
}

static bool put_words(struct val *map, const struct shape *s) {
    struct val list = val_empty_array();
    struct slice words = slice_str(s->words);
    bool good = true;
    while (good && words.len) good = val_push(&list, val_of_text(slice_cut(&words, ' ')));
    if (good && s->null) good = val_push(&list, val_null());
    if (good) return put(map, "enum", list);
    val_unref(&list);
    return false;
}

/* The type, or both where null is good too. */
static bool put_type(struct val *map, const struct shape *s, const char *type) {
    if (!s->null) return put(map, "type", val_of_str(type));
    return put(map, "type", VAL_ARRAY_OF(val_of_str(type), val_of_str("null")));
}

static struct val schema_of_field(const struct shape_field *f) {
    struct val v = f->shape ? schema_of_shape(f->shape) : val_empty_map();
    if (f->about && !put(&v, "description", val_of_str(f->about))) val_unref(&v);
    struct val fallback = val_none;
    if (f->fallback && method_default(f, &fallback, NULL) && !put(&v, "default", fallback)) val_unref(&v);
    return v;
}

/* Of a record, perhaps with a tag that must be one word. */
static bool put_fields(struct val *map, const struct shape *s, const char *tag, const char *word) {
    struct val fields = val_empty_map(), required = val_empty_array();
    bool good = true;
    if (tag)
        good =
            val_set_str(&fields, tag, VAL_MAP_OF({"const", val_of_str(word)})) && val_push(&required, val_of_str(tag));
    for (unsigned i = 0; good && s && i < s->field_n; i++) {
        const struct shape_field *f = &s->fields[i];
        good = val_set_str(&fields, f->name, schema_of_field(f));
        if (good && !f->optional && !f->fallback) good = val_push(&required, val_of_str(f->name));
    }
    good = good && put(map, "properties", val_ref(&fields));
    if (good && val_count(&required)) good = put(map, "required", val_ref(&required));
    if (good && s && !s->open) good = put(map, "additionalProperties", val_of_bool(false));
    val_unref(&fields);
    val_unref(&required);
    return good;
}

static bool put_alternatives(struct val *map, const struct shape *s) {
    struct val list = val_empty_array();
    bool good = true;
    for (unsigned i = 0; good && i < s->field_n; i++) {
        struct val one = VAL_MAP_OF({"type", val_of_str("object")});
        good = put_fields(&one, s->fields[i].shape, s->tag, s->fields[i].name);
        if (good)
            good = val_push(&list, one);
        else
            val_unref(&one);
    }
    if (good && s->null) good = val_push(&list, VAL_MAP_OF({"type", val_of_str("null")}));
    if (good) return put(map, "oneOf", list);
    val_unref(&list);
    return false;
}

static bool put_item(struct val *map, const struct shape *s, const char *key) {
    return !s->item || put(map, key, schema_of_shape(s->item));
}

static bool fill(struct val *map, const struct shape *s) {
    switch (s->kind) {
    case SHAPE_ANY: return true;
    case SHAPE_BOOL: return put_type(map, s, "boolean");
    case SHAPE_INT: return put_type(map, s, "integer") && put_bounds(map, s, "minimum", "maximum");
    case SHAPE_NUMBER: return put_type(map, s, "number") && put_bounds(map, s, "minimum", "maximum");
    case SHAPE_TEXT: return put_type(map, s, "string") && put_bounds(map, s, "minLength", "maxLength");
    case SHAPE_BYTES: return put_type(map, s, "string");
    case SHAPE_WORD: return put_type(map, s, "string") && put_words(map, s);
    case SHAPE_LIST:
        return put_type(map, s, "array") && put_item(map, s, "items") && put_bounds(map, s, "minItems", "maxItems");
    case SHAPE_MAP:
        return put_type(map, s, "object") && put_item(map, s, "additionalProperties") &&
               put_bounds(map, s, "minProperties", "maxProperties");
    case SHAPE_RECORD: return put_type(map, s, "object") && put_fields(map, s, NULL, NULL);
    case SHAPE_TAGGED: return put_alternatives(map, s);
    }
    return true;
}

struct val schema_of_shape(const struct shape *shape) {
    struct val map = val_empty_map();
    if (!fill(&map, shape)) val_unref(&map);
    return map;
}

struct val schema_of_params(const struct method *m) {
    static const struct shape none = {.kind = SHAPE_RECORD, .open = true};
    /* What a row does not know is ignored, so nothing is forbidden. */
    struct shape open = m->params ? *m->params : none;
    open.open = true;
    return schema_of_shape(&open);
}
