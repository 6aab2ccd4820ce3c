// The AES S-box as a Boolean circuit on bitsliced words.
#ifndef SHARDRIVE_AES_SBOX_H
#define SHARDRIVE_AES_SBOX_H

#include <stdint.h>

// Substitutes all 64 bytes whose bit b is in q[b].
void aes_sbox(uint64_t q[8]);

#endif
