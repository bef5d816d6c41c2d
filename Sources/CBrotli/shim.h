// Brotli's encoder as Swift sees it. Nothing here owns memory. The owner is Compression.

#ifndef CATRACA_CBROTLI_SHIM_H
#define CATRACA_CBROTLI_SHIM_H

#include <brotli/encode.h>

#endif
