// The product with GFNI on 256-bit vectors: multiplying by a constant is linear over
// bits, so one instruction multiplies 32 bytes by an 8x8 bit matrix. Four output rows
// and two vectors at a time: eight sums hide the latency.
#include "cpu.h"
#include "gf.h"
#include "gf-tail.h"

#if CPU_X86
#include <immintrin.h>

#define STEP 32
#define GFNI __attribute__((target("avx2,gfni")))
#define INLINE_GFNI GFNI __attribute__((always_inline)) static inline

typedef __m256i vector;

INLINE_GFNI vector load(const uint8_t *at) { return _mm256_loadu_si256((const vector *)at); }
INLINE_GFNI void store(uint8_t *at, vector x) { _mm256_storeu_si256((vector *)at, x); }
INLINE_GFNI vector add_product(vector sum, vector x, uint8_t coefficient) {
  const vector matrix = _mm256_set1_epi64x((long long)gf.affine[coefficient]);
  return _mm256_xor_si256(sum, _mm256_gf2p8affine_epi64_epi8(x, matrix, 0));
}

// `rows` and `vectors` are constants in every caller. Starts at `from`, returns where
// it stopped.
INLINE_GFNI size_t some_rows(const uint8_t *coefficients, unsigned rows, unsigned vectors,
                             unsigned columns, const uint8_t *const *in, uint8_t *const *out,
                             size_t from, size_t length) {
  size_t i = from;
  for (; i + STEP * vectors <= length; i += STEP * vectors) {
    vector sum[4][2];
    for (unsigned r = 0; r < rows; r++) {
      for (unsigned v = 0; v < vectors; v++) sum[r][v] = _mm256_setzero_si256();
    }
    for (unsigned c = 0; c < columns; c++) {
      vector x[2];
      for (unsigned v = 0; v < vectors; v++) x[v] = load(in[c] + i + STEP * v);
      for (unsigned r = 0; r < rows; r++) {
        const uint8_t coefficient = coefficients[r * columns + c];
        for (unsigned v = 0; v < vectors; v++) {
          sum[r][v] = add_product(sum[r][v], x[v], coefficient);
        }
      }
    }
    for (unsigned r = 0; r < rows; r++) {
      for (unsigned v = 0; v < vectors; v++) store(out[r] + i + STEP * v, sum[r][v]);
    }
  }
  return i;
}

GFNI static void four_rows(const uint8_t *coefficients, unsigned columns, const uint8_t *const *in,
                           uint8_t *const *out, size_t length) {
  const size_t done = some_rows(coefficients, 4, 2, columns, in, out, 0, length);
  some_rows(coefficients, 4, 1, columns, in, out, done, length);
}

GFNI static void one_row(const uint8_t *coefficients, unsigned columns, const uint8_t *const *in,
                         uint8_t *const *out, size_t length) {
  const size_t done = some_rows(coefficients, 1, 2, columns, in, out, 0, length);
  some_rows(coefficients, 1, 1, columns, in, out, done, length);
}

void gf_multiply_gfni256(const uint8_t *coefficients, unsigned rows, unsigned columns,
                         const uint8_t *const *in, uint8_t *const *out, size_t length) {
  unsigned r = 0;
  for (; r + 4 <= rows; r += 4) four_rows(coefficients + r * columns, columns, in, out + r, length);
  for (; r < rows; r++) one_row(coefficients + r * columns, columns, in, out + r, length);
  gf_multiply_tail(coefficients, rows, columns, in, out, length, STEP);
}

#else

void gf_multiply_gfni256(const uint8_t *coefficients, unsigned rows, unsigned columns,
                         const uint8_t *const *in, uint8_t *const *out, size_t length) {
  gf_multiply_scalar(coefficients, rows, columns, in, out, length);
}

#endif
