// zlib as Swift sees it: its initialiser is a macro, which Swift does not see. Nothing here owns memory. The owner is
// Compression.

#ifndef CATRACA_CZLIB_SHIM_H
#define CATRACA_CZLIB_SHIM_H

#include <zlib.h>

// 15 + 16: a window of 32 KiB in gzip's own format (RFC 1952) instead of zlib's. 8 is zlib's usual memory: 268 KB in
// all.
static inline int catraca_deflate_init(z_stream *stream, int level) {
  return deflateInit2(stream, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
}

// What reads it again. For tests, the gateway itself never decompresses messages.
static inline int catraca_inflate_init(z_stream *stream) { return inflateInit2(stream, 15 + 16); }

// zlib's own format, with its checksum (RFC 1950).
static inline int catraca_inflate_zlib_init(z_stream *stream) { return inflateInit(stream); }

#endif
