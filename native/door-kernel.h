// The little of the FUSE kernel protocol (7.31 and later) that the native half of the door needs. Everything else is
// decoded and encoded in src/mount/fuse. Defined here because <linux/fuse.h> of build machines is often older.
#ifndef SHARDRIVE_DOOR_KERNEL_H
#define SHARDRIVE_DOOR_KERNEL_H

#include <stdint.h>

struct kernel_in_header {
  uint32_t length;
  uint32_t opcode;
  uint64_t unique;
  uint64_t nodeid;
  uint32_t uid, gid, pid;
  uint16_t extension_length, padding;
};

struct kernel_out_header {
  uint32_t length;
  int32_t error;  // negative errno; for notifications (unique 0) their positive code
  uint64_t unique;
};

_Static_assert(sizeof(struct kernel_in_header) == 40, "kernel protocol");
_Static_assert(sizeof(struct kernel_out_header) == 16, "kernel protocol");

// Requests that take no reply.
enum { KERNEL_FORGET = 2, KERNEL_INTERRUPT = 36, KERNEL_BATCH_FORGET = 42 };

#endif
