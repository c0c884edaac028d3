/* hex.c - see hex.h. */
#include "base/hex.h"

#include "base/ascii.h"

bool hex_add(struct buf *b, struct slice s) {
    static const char digits[] = "0123456789abcdef";
    uint8_t *at = s.len > SIZE_MAX / 2 ? NULL : buf_room(b, s.len * 2);
    if (!at) return false;
    for (size_t i = 0; i < s.len; i++) {
        at[2 * i] = (uint8_t)digits[s.ptr[i] >> 4];
        at[2 * i + 1] = (uint8_t)digits[s.ptr[i] & 15];
    }
    buf_wrote(b, s.len * 2);
    return true;
}

bool hex_read(struct buf *b, struct slice text, size_t *bad) {
    uint8_t *at = buf_room(b, text.len / 2);
    if (bad) *bad = 0;
    if (!at) return false;
    for (size_t i = 0; i < text.len; i += 2) {
        int high = ascii_hex(text.ptr[i]);
        int low = i + 1 < text.len ? ascii_hex(text.ptr[i + 1]) : -1;
        if (high < 0 || low < 0) {
            if (bad) *bad = high < 0 ? i : i + 1;
            return false;
        }
        at[i / 2] = (uint8_t)(high << 4 | low);
    }
    buf_wrote(b, text.len / 2);
    return true;
}

static const char *alphabet(enum base64_form form) {
    return form == BASE64_STD ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
                              : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
}

size_t base64_put(uint8_t *out, enum base64_form form, struct slice s) {
    const char *letters = alphabet(form);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i += 3) {
        size_t left = s.len - i;
        uint32_t bits =
            (uint32_t)s.ptr[i] << 16 | (left > 1 ? (uint32_t)s.ptr[i + 1] << 8 : 0) | (left > 2 ? s.ptr[i + 2] : 0);
        size_t len = left < 3 ? left + 1 : 4;
        for (size_t k = 0; k < len; k++) out[n++] = (uint8_t)letters[bits >> (18 - 6 * k) & 63];
        while (form == BASE64_STD && len++ < 4) out[n++] = '=';
    }
    return n;
}

bool base64_add(struct buf *b, enum base64_form form, struct slice s) {
    size_t tail = s.len % 3, len = s.len / 3 * 4;
    if (s.len > SIZE_MAX / 2) return false;
    if (tail) len += form == BASE64_STD ? 4 : tail + 1;
    uint8_t *at = buf_room(b, len);
    if (!at) return false;
    buf_wrote(b, base64_put(at, form, s));
    return true;
}

static int letter_value(enum base64_form form, uint8_t c) {
    if (ascii_is_upper(c)) return c - 'A';
    if (ascii_is_alpha(c)) return c - 'a' + 26;
    if (ascii_is_digit(c)) return c - '0' + 52;
    if (c == (form == BASE64_STD ? '+' : '-')) return 62;
    if (c == (form == BASE64_STD ? '/' : '_')) return 63;
    return -1;
}

bool base64_read(struct buf *b, enum base64_form form, struct slice text) {
    size_t mark = buf_mark(b);
    if (form == BASE64_STD) {
        if (text.len % 4) return false;
        for (int i = 0; i < 2 && text.len && text.ptr[text.len - 1] == '='; i++) text.len--;
    }
    uint32_t bits = 0;
    unsigned have = 0;
    if (text.len % 4 == 1) return false;
    for (size_t i = 0; i < text.len; i++) {
        int v = letter_value(form, text.ptr[i]);
        if (v < 0) goto bad;
        bits = bits << 6 | (uint32_t)v;
        have += 6;
        if (have < 8) continue;
        have -= 8;
        if (!buf_byte(b, (uint8_t)(bits >> have))) goto bad;
        bits &= (1u << have) - 1;
    }
    if (bits == 0) return true;
bad:
    b->len = mark;
    return false;
}

size_t base32_put(char *out, enum base32_form form, struct slice s) {
    const char *letters =
        form == BASE32_UPPER ? "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" : "abcdefghijklmnopqrstuvwxyz234567";
    size_t n = 0;
    unsigned held = 0, bits = 0;
    for (size_t i = 0; i < s.len; i++) {
        held = (held << 8 | s.ptr[i]) & 0xfff;
        for (bits += 8; bits >= 5; bits -= 5) out[n++] = letters[held >> (bits - 5) & 31];
    }
    if (bits) out[n++] = letters[held << (5 - bits) & 31];
    return n;
}
