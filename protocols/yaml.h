/* yaml.h - a value as block YAML that every reader understands the same. Writing only.
 *
 * Readers differ: those of YAML 1.1 take yes, 1:30 or 2001-01-01 for something else than a text, those of 1.2 do not,
 * and home-grown ones guess further. So what is written here is what all of them agree on:
 *   - a text stands without quotes only when it begins with a letter or a slash, is no word with a meaning anywhere,
 *     and has no character that ever meant something; else in double quotes, with the escapes of JSON (and \U for the
 *     far planes);
 *   - a text of several lines is a literal block when that gives back every byte and nothing in it is invisible (tabs
 *     at the start of a line, spaces at its end, control characters); with an indentation indicator where its first
 *     line begins with a space, with - or + where it does not end in exactly one line end. Else in double quotes;
 *   - a double has a point, and a sign in its exponent (1.0e+22), which YAML 1.1 wants; .inf, -.inf, .nan have forms;
 *   - keys are texts, never blocks; very long ones are written as "? key", since readers look ahead 1024 characters.
 * Refused as in JSON: bytes, and keys that are not text. Maps keep their order. Two spaces a level, a line end last.
 * Owns: nothing; recurses as deep as the value, which LIMIT_VAL_DEPTH bounds.
 * Tried: tests/protocols/yaml, fuzz/yaml, `startbox codec yaml`. */
#ifndef PROTOCOLS_YAML_H
#define PROTOCOLS_YAML_H

#include "base/buf.h"
#include "base/val.h"

/* Appends the whole document or nothing. */
bool yaml_write(struct buf *out, const struct val *v, struct err *e);

#endif
