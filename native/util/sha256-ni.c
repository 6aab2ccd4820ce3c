// SHA-256 with the SHA instructions, one or two messages at a time. The instructions
// want the state as the two vectors ABEF and CDGH; `pack` and `unpack` convert.
#include "cpu.h"
#include "sha256.h"

#if CPU_X86
#include <immintrin.h>

#define NI __attribute__((target("sha,sse4.1")))
#define INLINE_NI NI __attribute__((always_inline)) static inline

INLINE_NI void pack(const uint32_t state[8], __m128i *abef, __m128i *cdgh) {
  const __m128i low = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
  const __m128i high = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
  *abef = _mm_alignr_epi8(low, high, 8);
  *cdgh = _mm_blend_epi16(high, low, 0xf0);
}

INLINE_NI void unpack(__m128i abef, __m128i cdgh, uint32_t state[8]) {
  const __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
  const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
  _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

// The next four words of the message schedule, from the sixteen before them.
INLINE_NI __m128i schedule(__m128i w0, __m128i w1, __m128i w2, __m128i w3) {
  const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
  return _mm_sha256msg2_epu32(sum, w3);
}

// `lanes` is a constant in both callers, so the inner loops disappear.
INLINE_NI void compress(uint32_t *const *states, const uint8_t *const *at, size_t blocks,
                        int lanes) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
  __m128i abef[2], cdgh[2];
  for (int j = 0; j < lanes; j++) pack(states[j], &abef[j], &cdgh[j]);
  for (size_t b = 0; b < blocks; b++) {
    __m128i a[2], c[2], w[2][4];
    for (int j = 0; j < lanes; j++) {
      const uint8_t *block = at[j] + b * SHA256_BLOCK;
      a[j] = abef[j];
      c[j] = cdgh[j];
      for (int q = 0; q < 4; q++) {
        w[j][q] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * q)), swap);
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < 16; r++) {
      const __m128i k = _mm_load_si128((const __m128i *)(sha256_constants + 4 * r));
#pragma GCC unroll 2
      for (int j = 0; j < lanes; j++) {
        const __m128i m = _mm_add_epi32(w[j][r & 3], k);
        c[j] = _mm_sha256rnds2_epu32(c[j], a[j], m);
        a[j] = _mm_sha256rnds2_epu32(a[j], c[j], _mm_shuffle_epi32(m, 0x0e));
        if (r < 12) {
          w[j][r & 3] =
              schedule(w[j][r & 3], w[j][(r + 1) & 3], w[j][(r + 2) & 3], w[j][(r + 3) & 3]);
        }
      }
    }
    for (int j = 0; j < lanes; j++) {
      abef[j] = _mm_add_epi32(abef[j], a[j]);
      cdgh[j] = _mm_add_epi32(cdgh[j], c[j]);
    }
  }
  for (int j = 0; j < lanes; j++) unpack(abef[j], cdgh[j], states[j]);
}

NI static void ni_one(uint32_t state[8], const uint8_t *data, size_t blocks) {
  uint32_t *const states[1] = {state};
  const uint8_t *const at[1] = {data};
  compress(states, at, blocks, 1);
}

NI static void ni_two(uint32_t a[8], const uint8_t *at_a, uint32_t b[8], const uint8_t *at_b,
                      size_t blocks) {
  uint32_t *const states[2] = {a, b};
  const uint8_t *const at[2] = {at_a, at_b};
  compress(states, at, blocks, 2);
}

const sha256_engine sha256_ni = {ni_one, ni_two};

#else

const sha256_engine sha256_ni = {NULL, NULL};

#endif
