// AES-256-CTR with the processor's AES instructions. Eight blocks are in flight
// because one round has a latency of several cycles and a throughput of one or two.
#include "aes.h"
#include "cpu.h"

#if CPU_X86
#include <immintrin.h>

#define NI __attribute__((target("aes,sse4.1")))
#define WIDE 8

NI static inline __m128i counter_block(long long high, uint64_t low) {
  return _mm_set_epi64x((long long)__builtin_bswap64(low), high);
}

NI static inline __m128i xor_stream(__m128i stream, const uint8_t *src) {
  return _mm_xor_si128(stream, _mm_loadu_si128((const __m128i *)src));
}

NI void aes256_ctr_ni(const aes256_key *key, uint64_t counter, uint8_t *dst, const uint8_t *src,
                      size_t blocks) {
  const long long high = (long long)__builtin_bswap64(key->counter_high);
  __m128i k[AES_ROUNDS + 1];
  for (int r = 0; r <= AES_ROUNDS; r++) k[r] = _mm_loadu_si128((const __m128i *)key->round[r]);
  for (; blocks >= WIDE; blocks -= WIDE, counter += WIDE) {
    __m128i s[WIDE];
    for (int i = 0; i < WIDE; i++) {
      s[i] = _mm_xor_si128(counter_block(high, counter + (uint64_t)i), k[0]);
    }
    for (int r = 1; r < AES_ROUNDS; r++) {
      for (int i = 0; i < WIDE; i++) s[i] = _mm_aesenc_si128(s[i], k[r]);
    }
    for (int i = 0; i < WIDE; i++) {
      s[i] = xor_stream(_mm_aesenclast_si128(s[i], k[AES_ROUNDS]), src + AES_BLOCK * i);
    }
    for (int i = 0; i < WIDE; i++) _mm_storeu_si128((__m128i *)(dst + AES_BLOCK * i), s[i]);
    src += AES_BLOCK * WIDE;
    dst += AES_BLOCK * WIDE;
  }
  for (; blocks > 0; blocks--, counter++) {
    __m128i s = _mm_xor_si128(counter_block(high, counter), k[0]);
    for (int r = 1; r < AES_ROUNDS; r++) s = _mm_aesenc_si128(s, k[r]);
    s = xor_stream(_mm_aesenclast_si128(s, k[AES_ROUNDS]), src);
    _mm_storeu_si128((__m128i *)dst, s);
    src += AES_BLOCK;
    dst += AES_BLOCK;
  }
}

#else

void aes256_ctr_ni(const aes256_key *key, uint64_t counter, uint8_t *dst, const uint8_t *src,
                   size_t blocks) {
  aes256_ctr_portable(key, counter, dst, src, blocks);
}

#endif
