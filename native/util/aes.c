// Key schedule, the bitsliced cipher, and the byte-granular counter mode on top.
//
// Bitslicing: bit b of every byte of four blocks lives in word b. The byte in row r
// and column c of block n (FIPS 197 state) is bit 16r + 4c + n of each word, so that
// ShiftRows is a rotation inside 16-bit lanes and MixColumns rotates whole words.
#include "aes.h"

#include <string.h>

#include "aes-sbox.h"
#include "secret.h"

static uint64_t rotate(uint64_t x, int n) { return x >> n | x << (64 - n); }

// Exchanges the bits that `mask` selects in y with those `shift` higher in x.
static void exchange(uint64_t *x, uint64_t *y, uint64_t mask, int shift) {
  const uint64_t t = ((*x >> shift) ^ *y) & mask;
  *y ^= t;
  *x ^= t << shift;
}

// Transposes eight words, seen as eight bytes of a row each: bit b of byte j of word
// i <-> bit i of byte j of word b. Its own inverse.
static void transpose(uint64_t q[8]) {
  for (int i = 0; i < 8; i += 2) exchange(&q[i], &q[i + 1], 0x5555555555555555u, 1);
  for (int i = 0; i < 8; i += 4) {
    exchange(&q[i], &q[i + 2], 0x3333333333333333u, 2);
    exchange(&q[i + 1], &q[i + 3], 0x3333333333333333u, 2);
  }
  for (int i = 0; i < 4; i++) exchange(&q[i], &q[i + 4], 0x0f0f0f0f0f0f0f0fu, 4);
}

// The byte of row r, column c, block n is bit position 16r + 4c + n: after the
// transposition that is byte 2r + (c >> 1) of word 4(c & 1) + n before it.
static void slice(uint64_t q[8], const uint8_t in[64]) {
  for (int n = 0; n < 4; n++) {
    for (int odd = 0; odd < 2; odd++) {
      uint64_t w = 0;
      for (int r = 0; r < 4; r++) {
        w |= (uint64_t)in[16 * n + 4 * odd + r] << (16 * r);
        w |= (uint64_t)in[16 * n + 4 * (odd + 2) + r] << (16 * r + 8);
      }
      q[4 * odd + n] = w;
    }
  }
  transpose(q);
}

static void unslice(uint8_t out[64], uint64_t q[8]) {
  transpose(q);
  for (int n = 0; n < 4; n++) {
    for (int odd = 0; odd < 2; odd++) {
      const uint64_t w = q[4 * odd + n];
      for (int r = 0; r < 4; r++) {
        out[16 * n + 4 * odd + r] = (uint8_t)(w >> (16 * r));
        out[16 * n + 4 * (odd + 2) + r] = (uint8_t)(w >> (16 * r + 8));
      }
    }
  }
}

static void shift_rows(uint64_t q[8]) {
  for (int i = 0; i < 8; i++) {
    const uint64_t x = q[i];
    q[i] = (x & 0x000000000000ffffu) |
           (x & 0x00000000fff00000u) >> 4 | (x & 0x00000000000f0000u) << 12 |
           (x & 0x0000ff0000000000u) >> 8 | (x & 0x000000ff00000000u) << 8 |
           (x & 0xf000000000000000u) >> 12 | (x & 0x0fff000000000000u) << 4;
  }
}

// Each byte becomes 2a + 3b + c + d of its column, a its own row and b the next.
static void mix_columns(uint64_t q[8]) {
  uint64_t next[8], sum[8];
  for (int i = 0; i < 8; i++) {
    next[i] = rotate(q[i], 16);
    sum[i] = q[i] ^ next[i];
  }
  for (int i = 0; i < 8; i++) {
    // Doubling shifts the bits up and folds bit 7 back as 0x1b.
    uint64_t doubled = i > 0 ? sum[i - 1] : 0;
    if (i == 0 || i == 1 || i == 3 || i == 4) doubled ^= sum[7];
    q[i] = doubled ^ next[i] ^ rotate(sum[i], 32);
  }
}

static void add_key(uint64_t q[8], const uint64_t k[8]) {
  for (int i = 0; i < 8; i++) q[i] ^= k[i];
}

static void encrypt_four(const aes256_key *key, uint8_t state[64]) {
  uint64_t q[8];
  slice(q, state);
  add_key(q, key->sliced[0]);
  for (int round = 1; round < AES_ROUNDS; round++) {
    aes_sbox(q);
    shift_rows(q);
    mix_columns(q);
    add_key(q, key->sliced[round]);
  }
  aes_sbox(q);
  shift_rows(q);
  add_key(q, key->sliced[AES_ROUNDS]);
  unslice(state, q);
  secret_wipe(q, sizeof q);
}

static void substitute_word(uint8_t word[4]) {
  uint8_t state[64] = {0};
  uint64_t q[8];
  memcpy(state, word, 4);
  slice(q, state);
  aes_sbox(q);
  unslice(state, q);
  memcpy(word, state, 4);
  secret_wipe(state, sizeof state);
  secret_wipe(q, sizeof q);
}

void aes256_expand(aes256_key *key, const uint8_t secret[32]) {
  uint8_t(*w)[4] = (uint8_t(*)[4])key->round;
  uint8_t t[4], four[64];
  uint8_t constant = 1;
  key->counter_high = 0;
  memcpy(w, secret, 32);
  for (int i = 8; i < 4 * (AES_ROUNDS + 1); i++) {
    memcpy(t, w[i - 1], 4);
    if (i % 8 == 0) {
      const uint8_t first = t[0];
      memmove(t, t + 1, 3);
      t[3] = first;
    }
    if (i % 4 == 0) substitute_word(t);
    if (i % 8 == 0) {
      t[0] ^= constant;
      constant = (uint8_t)(constant << 1);
    }
    for (int b = 0; b < 4; b++) w[i][b] = w[i - 8][b] ^ t[b];
  }
  for (int round = 0; round <= AES_ROUNDS; round++) {
    for (int n = 0; n < 4; n++) memcpy(four + AES_BLOCK * n, key->round[round], AES_BLOCK);
    slice(key->sliced[round], four);
  }
  secret_wipe(t, sizeof t);
  secret_wipe(four, sizeof four);
}

static void store_counter(uint8_t block[AES_BLOCK], uint64_t high, uint64_t low) {
  for (int i = 0; i < 8; i++) {
    block[i] = (uint8_t)(high >> (56 - 8 * i));
    block[8 + i] = (uint8_t)(low >> (56 - 8 * i));
  }
}

void aes256_ctr_portable(const aes256_key *key, uint64_t counter, uint8_t *dst,
                         const uint8_t *src, size_t blocks) {
  uint8_t stream[64];
  while (blocks > 0) {
    const size_t n = blocks < 4 ? blocks : 4;
    for (size_t i = 0; i < 4; i++) {
      store_counter(stream + AES_BLOCK * i, key->counter_high, counter + i);
    }
    encrypt_four(key, stream);
    for (size_t i = 0; i < AES_BLOCK * n; i++) dst[i] = src[i] ^ stream[i];
    dst += AES_BLOCK * n;
    src += AES_BLOCK * n;
    counter += n;
    blocks -= n;
  }
  secret_wipe(stream, sizeof stream);
}

// A stretch inside one block: its key stream is made by sealing zeros.
static void ctr_part(aes_ctr_blocks blocks, const aes256_key *key, uint64_t counter, size_t skip,
                     uint8_t *dst, const uint8_t *src, size_t length) {
  uint8_t stream[AES_BLOCK] = {0};
  blocks(key, counter, stream, stream, 1);
  for (size_t i = 0; i < length; i++) dst[i] = src[i] ^ stream[skip + i];
  secret_wipe(stream, sizeof stream);
}

void aes256_ctr(aes_ctr_blocks blocks, const aes256_key *key, uint64_t offset, uint8_t *dst,
                const uint8_t *src, size_t length) {
  uint64_t counter = offset / AES_BLOCK;
  const size_t skip = offset % AES_BLOCK;
  if (skip > 0 && length > 0) {
    const size_t head = length < AES_BLOCK - skip ? length : AES_BLOCK - skip;
    ctr_part(blocks, key, counter++, skip, dst, src, head);
    dst += head;
    src += head;
    length -= head;
  }
  const size_t whole = length / AES_BLOCK;
  if (whole > 0) blocks(key, counter, dst, src, whole);
  const size_t done = whole * AES_BLOCK;
  if (done < length) {
    ctr_part(blocks, key, counter + whole, 0, dst + done, src + done, length - done);
  }
}
