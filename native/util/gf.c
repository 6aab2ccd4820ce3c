// Tables, and the kernel that every machine can run.
#include "gf.h"

#include <string.h>

gf_tables gf;

static uint8_t multiply(uint8_t a, uint8_t b) {
  uint8_t product = 0;
  for (; b != 0; b >>= 1) {
    if (b & 1) product ^= a;
    a = (uint8_t)((a << 1) ^ (a & 0x80 ? 0x1d : 0));
  }
  return product;
}

// Row i of the matrix says which input bits make output bit i; the instruction wants
// row 0 in the highest byte.
static uint64_t affine_matrix(uint8_t a) {
  uint64_t matrix = 0;
  for (int i = 0; i < 8; i++) {
    uint64_t row = 0;
    for (int j = 0; j < 8; j++) row |= (uint64_t)(gf.product[a][1 << j] >> i & 1) << j;
    matrix |= row << (8 * (7 - i));
  }
  return matrix;
}

void gf_init(void) {
  for (int a = 0; a < 256; a++) {
    for (int b = 0; b < 256; b++) {
      gf.product[a][b] = multiply((uint8_t)a, (uint8_t)b);
      if (gf.product[a][b] == 1) gf.inverse[a] = (uint8_t)b;
    }
    for (int n = 0; n < 16; n++) {
      gf.nibbles[a][n] = gf.product[a][n];
      gf.nibbles[a][16 + n] = gf.product[a][n << 4];
    }
    gf.affine[a] = affine_matrix((uint8_t)a);
  }
}

void gf_multiply_scalar(const uint8_t *coefficients, unsigned rows, unsigned columns,
                        const uint8_t *const *in, uint8_t *const *out, size_t length) {
  for (unsigned r = 0; r < rows; r++) {
    memset(out[r], 0, length);
    for (unsigned c = 0; c < columns; c++) {
      const uint8_t *times = gf.product[coefficients[r * columns + c]];
      for (size_t i = 0; i < length; i++) out[r][i] ^= times[in[c][i]];
    }
  }
}
