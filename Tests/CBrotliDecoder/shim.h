// Brotli's decoder, for tests: the gateway itself never decompresses.

#ifndef CATRACA_CBROTLI_DECODER_SHIM_H
#define CATRACA_CBROTLI_DECODER_SHIM_H

#include <brotli/decode.h>

#endif
