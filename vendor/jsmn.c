/* jsmn.c - the one translation unit that instantiates the header-only tokenizer; vendor/jsmn.h declares it. */
#define VENDOR_JSMN_BODY
#include "vendor/jsmn.h"
