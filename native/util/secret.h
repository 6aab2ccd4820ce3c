// Memory for keys: out of swap, out of core dumps, wiped before it is given back.
#ifndef SHARDRIVE_SECRET_H
#define SHARDRIVE_SECRET_H

#include <stddef.h>
#include <stdint.h>

#define SECRET_SIZE 4096

// SECRET_SIZE zeroed bytes on pages of their own, or NULL. Any thread. Locking is best
// effort: a process over its lock limit still works, and its keys are still wiped.
void *secret_new(void);

// Wipes and gives back; NULL is ignored.
void secret_free(void *secret);

// Overwrites in a way that the compiler does not remove.
void secret_wipe(void *bytes, size_t size);

#endif
