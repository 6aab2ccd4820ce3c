// The product with AVX2: a table lookup of sixteen entries per nibble (PSHUFB). Four
// output rows at a time, so that each input byte is loaded and split once for four.
#include "cpu.h"
#include "gf.h"
#include "gf-tail.h"

#if CPU_X86
#include <immintrin.h>

#define STEP 32
#define AVX2 __attribute__((target("avx2")))
#define INLINE_AVX2 AVX2 __attribute__((always_inline)) static inline

INLINE_AVX2 __m256i product(uint8_t coefficient, __m256i low, __m256i high) {
  const __m128i *table = (const __m128i *)gf.nibbles[coefficient];
  const __m256i of_low = _mm256_broadcastsi128_si256(_mm_loadu_si128(table));
  const __m256i of_high = _mm256_broadcastsi128_si256(_mm_loadu_si128(table + 1));
  return _mm256_xor_si256(_mm256_shuffle_epi8(of_low, low), _mm256_shuffle_epi8(of_high, high));
}

// `rows` is a constant in both callers.
INLINE_AVX2 void some_rows(const uint8_t *coefficients, unsigned rows, unsigned columns,
                           const uint8_t *const *in, uint8_t *const *out, size_t length) {
  const __m256i nibble = _mm256_set1_epi8(15);
  for (size_t i = 0; i + STEP <= length; i += STEP) {
    __m256i sum[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                      _mm256_setzero_si256()};
    for (unsigned c = 0; c < columns; c++) {
      const __m256i x = _mm256_loadu_si256((const __m256i *)(in[c] + i));
      const __m256i low = _mm256_and_si256(x, nibble);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi64(x, 4), nibble);
      for (unsigned r = 0; r < rows; r++) {
        sum[r] = _mm256_xor_si256(sum[r], product(coefficients[r * columns + c], low, high));
      }
    }
    for (unsigned r = 0; r < rows; r++) _mm256_storeu_si256((__m256i *)(out[r] + i), sum[r]);
  }
}

AVX2 static void four_rows(const uint8_t *coefficients, unsigned columns, const uint8_t *const *in,
                           uint8_t *const *out, size_t length) {
  some_rows(coefficients, 4, columns, in, out, length);
}

AVX2 static void one_row(const uint8_t *coefficients, unsigned columns, const uint8_t *const *in,
                         uint8_t *const *out, size_t length) {
  some_rows(coefficients, 1, columns, in, out, length);
}

void gf_multiply_avx2(const uint8_t *coefficients, unsigned rows, unsigned columns,
                      const uint8_t *const *in, uint8_t *const *out, size_t length) {
  unsigned r = 0;
  for (; r + 4 <= rows; r += 4) four_rows(coefficients + r * columns, columns, in, out + r, length);
  for (; r < rows; r++) one_row(coefficients + r * columns, columns, in, out + r, length);
  gf_multiply_tail(coefficients, rows, columns, in, out, length, STEP);
}

#else

void gf_multiply_avx2(const uint8_t *coefficients, unsigned rows, unsigned columns,
                      const uint8_t *const *in, uint8_t *const *out, size_t length) {
  gf_multiply_scalar(coefficients, rows, columns, in, out, length);
}

#endif
