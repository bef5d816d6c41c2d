// Swift's runtime refers to hypotf, which glibc 2.35 made anew. With this one the program needs glibc 2.34 and no later,
// so that it runs on RHEL 9 too. Doubles hold the squares of all floats, so the root is exact but for its rounding.

#include <math.h>

float hypotf(float x, float y) {
  if (isinf(x) || isinf(y)) return INFINITY;
  return (float)__builtin_sqrt((double)x * x + (double)y * y);
}
