/* zmem.h - zlib's memory from base/mem.h, so that it is counted and can be made to fail like any other.
 *
 * For: who sets up a z_stream: .zalloc = zmem_get, .zfree = zmem_put.
 * Tried: tests/protocols/wsdeflate, tests/out/request. */
#ifndef PROTOCOLS_ZMEM_H
#define PROTOCOLS_ZMEM_H

#include <zlib.h>

voidpf zmem_get(voidpf opaque, uInt items, uInt size);
void zmem_put(voidpf opaque, voidpf block);

#endif
