// igzip of ISA-L as Swift sees it. Its state has arrays that are too large for Swift, so the state is memory without a
// type there. Nothing here owns memory. The owner is Compression.

#ifndef CATRACA_CIGZIP_SHIM_H
#define CATRACA_CIGZIP_SHIM_H

#include <isa-l.h>
#include <isa-l/igzip_lib.h>

// The state, and behind it the memory of the highest level.
static inline size_t catraca_igzip_byte_count(void) { return sizeof(struct isal_zstream) + ISAL_DEF_LVL3_DEFAULT; }

// Begins a message in gzip's format (RFC 1952).
static inline void catraca_igzip_begin(void *state, uint32_t level) {
  struct isal_zstream *stream = (struct isal_zstream *)state;
  isal_deflate_init(stream);
  stream->level = level;
  stream->level_buf = (uint8_t *)state + sizeof(struct isal_zstream);
  stream->level_buf_size = ISAL_DEF_LVL3_DEFAULT;
  stream->gzip_flag = IGZIP_GZIP;
}

// What the next calls of catraca_igzip_code read.
static inline void catraca_igzip_offer(void *state, const uint8_t *input, uint32_t count, int flush, int end) {
  struct isal_zstream *stream = (struct isal_zstream *)state;
  stream->next_in = (uint8_t *)(uintptr_t)input;
  stream->avail_in = count;
  stream->flush = flush ? SYNC_FLUSH : NO_FLUSH;
  stream->end_of_stream = end ? 1 : 0;
}

// Codes as far as the output has room, and says in `left` how much of it remains. 0, or an error.
static inline int catraca_igzip_code(void *state, uint8_t *output, uint32_t room, uint32_t *left) {
  struct isal_zstream *stream = (struct isal_zstream *)state;
  stream->next_out = output;
  stream->avail_out = room;
  int result = isal_deflate(stream);
  *left = stream->avail_out;
  stream->next_out = 0;
  return result;
}

static inline int catraca_igzip_is_ended(const void *state) {
  return ((const struct isal_zstream *)state)->internal_state.state == ZSTATE_END;
}

#endif
