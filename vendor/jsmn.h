/* jsmn.h - jsmn as this program uses it: strict, with parent links (without them closing a bracket searches backwards
 * through every token). */
#ifndef VENDOR_JSMN_H
#define VENDOR_JSMN_H

#define JSMN_PARENT_LINKS
#define JSMN_STRICT
#ifndef VENDOR_JSMN_BODY
#define JSMN_HEADER
#endif
#include <jsmn.h>

#endif
