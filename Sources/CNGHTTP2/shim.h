// nghttp2 as Swift sees it. Only what 1.52 has is used: the limits that later versions brought (resets, CONTINUATION
// frames) are our own, on our own clock, and stricter. Nothing here owns memory. The owner is HTTP2.

#ifndef CATRACA_CNGHTTP2_SHIM_H
#define CATRACA_CNGHTTP2_SHIM_H

#include <nghttp2/nghttp2.h>

// Priorities are RFC 9218's here, and every stream takes its turn: what clients signal is not followed, or one stream
// could starve its neighbours on their connection.
static inline int catraca_take_turns(nghttp2_session *session, int32_t stream) {
  nghttp2_extpri priority = {NGHTTP2_EXTPRI_DEFAULT_URGENCY, 1};
  return nghttp2_session_change_extpri_stream_priority(session, stream, &priority, 1);
}

// A field that nghttp2 is to copy.
static inline nghttp2_nv catraca_field(const uint8_t *name, size_t nameCount, const uint8_t *value, size_t valueCount) {
  nghttp2_nv field = {(uint8_t *)name, (uint8_t *)value, nameCount, valueCount, NGHTTP2_NV_FLAG_NONE};
  return field;
}

// A stream's user data is not an address but a small number, its slot. It is -1 for a stream without one.
static inline void catraca_set_slot(nghttp2_session *session, int32_t stream, int32_t slot) {
  nghttp2_session_set_stream_user_data(session, stream, (void *)((intptr_t)slot + 1));
}
static inline int32_t catraca_slot(nghttp2_session *session, int32_t stream) {
  return (int32_t)((intptr_t)nghttp2_session_get_stream_user_data(session, stream) - 1);
}

// A head, and content for which `read` is asked with the slot as its source. Without `read` the head ends the stream.
static inline int32_t catraca_submit_request(nghttp2_session *session, const nghttp2_nv *fields, size_t count,
                                             int32_t slot, nghttp2_data_source_read_callback read) {
  nghttp2_data_provider content = {{slot}, read};
  return nghttp2_submit_request(session, NULL, fields, count, read ? &content : NULL, (void *)((intptr_t)slot + 1));
}
static inline int catraca_submit_response(nghttp2_session *session, int32_t stream, const nghttp2_nv *fields,
                                          size_t count, int32_t slot, nghttp2_data_source_read_callback read) {
  nghttp2_data_provider content = {{slot}, read};
  return nghttp2_submit_response(session, stream, fields, count, read ? &content : NULL);
}

#endif
