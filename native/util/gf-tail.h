// The last bytes of a row, where a vector no longer fits.
#ifndef SHARDRIVE_GF_TAIL_H
#define SHARDRIVE_GF_TAIL_H

#include "gf.h"

static inline void gf_multiply_tail(const uint8_t *coefficients, unsigned rows, unsigned columns,
                                    const uint8_t *const *in, uint8_t *const *out, size_t length,
                                    size_t step) {
  for (unsigned r = 0; r < rows; r++) {
    for (size_t i = length - length % step; i < length; i++) {
      uint8_t sum = 0;
      for (unsigned c = 0; c < columns; c++) {
        sum ^= gf.product[coefficients[r * columns + c]][in[c][i]];
      }
      out[r][i] = sum;
    }
  }
}

#endif
