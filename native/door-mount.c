#define _GNU_SOURCE
#include "door-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door-value.h"

enum { PATH_SIZE = 4096, NAME_SIZE = 256, OPTIONS_SIZE = 1024 };

struct mount_job {
  napi_async_work work;
  napi_deferred deferred;
  uint32_t flags;
  int result;
  char path[PATH_SIZE], source[NAME_SIZE], type[NAME_SIZE], options[OPTIONS_SIZE];
};

static void mount_work(napi_env env, void *data) {
  (void)env;
  struct mount_job *job = data;
  int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fd < 0) {
    job->result = -errno;
    return;
  }
  char options[OPTIONS_SIZE + 32];
  snprintf(options, sizeof options, "fd=%d,%s", fd, job->options);
  job->result = fd;
  if (mount(job->source, job->path, job->type, job->flags, options) != 0) {
    job->result = -errno;
    close(fd);
  }
}

static void detach_work(napi_env env, void *data) {
  (void)env;
  struct mount_job *job = data;
  job->result = umount2(job->path, UMOUNT_NOFOLLOW | (int)job->flags) ? errno : 0;
}

static void finish_job(napi_env env, napi_status status, void *data) {
  struct mount_job *job = data;
  napi_value result;
  napi_create_int32(env, status == napi_ok ? job->result : -ECANCELED, &result);
  napi_resolve_deferred(env, job->deferred, result);
  napi_delete_async_work(env, job->work);
  free(job);
}

static napi_value start_job(napi_env env, struct mount_job *job, const char *name, napi_async_execute_callback run) {
  napi_value promise, label;
  napi_create_promise(env, &job->deferred, &promise);
  napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &label);
  napi_create_async_work(env, NULL, label, run, finish_job, job, &job->work);
  napi_queue_async_work(env, job->work);
  return promise;
}

static napi_value bad_argument(napi_env env, struct mount_job *job) {
  free(job);
  napi_throw_type_error(env, NULL, "door: an argument has the wrong type or is too long");
  return NULL;
}

napi_value door_mount_direct(napi_env env, napi_callback_info info) {
  napi_value arguments[5];
  if (!take_arguments(env, info, arguments, 5)) return NULL;
  struct mount_job *job = calloc(1, sizeof *job);
  if (!job) abort();
  if (!text_of(env, arguments[0], job->path, PATH_SIZE) || !text_of(env, arguments[1], job->source, NAME_SIZE) ||
      !text_of(env, arguments[2], job->type, NAME_SIZE) ||
      napi_get_value_uint32(env, arguments[3], &job->flags) != napi_ok ||
      !text_of(env, arguments[4], job->options, OPTIONS_SIZE)) {
    return bad_argument(env, job);
  }
  return start_job(env, job, "shardrive mount", mount_work);
}

napi_value door_detach(napi_env env, napi_callback_info info) {
  napi_value arguments[2];
  if (!take_arguments(env, info, arguments, 2)) return NULL;
  struct mount_job *job = calloc(1, sizeof *job);
  if (!job) abort();
  if (!text_of(env, arguments[0], job->path, PATH_SIZE) ||
      napi_get_value_uint32(env, arguments[1], &job->flags) != napi_ok) {
    return bad_argument(env, job);
  }
  return start_job(env, job, "shardrive unmount", detach_work);
}

napi_value door_detach_now(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  char path[PATH_SIZE];
  if (!take_arguments(env, info, arguments, 1)) return NULL;
  if (!text_of(env, arguments[0], path, PATH_SIZE)) return bad_argument(env, NULL);
  return integer(env, umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH) ? errno : 0);
}

napi_value door_socket_pair(napi_env env, napi_callback_info info) {
  (void)info;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    napi_throw_error(env, NULL, strerror(errno));
    return NULL;
  }
  napi_value pair;
  napi_create_array_with_length(env, 2, &pair);
  for (uint32_t i = 0; i < 2; i++) napi_set_element(env, pair, i, integer(env, ends[i]));
  return pair;
}

napi_value door_receive_descriptor(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  int32_t socket;
  if (!take_arguments(env, info, arguments, 1)) return NULL;
  if (!descriptor_of(env, arguments[0], &socket)) return bad_argument(env, NULL);
  char byte;
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control;
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t got;
  do got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT); while (got < 0 && errno == EINTR);
  if (got < 0) return integer(env, -errno);
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int))) {
    return integer(env, -EBADMSG);
  }
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return integer(env, fd);
}

napi_value door_close_descriptor(napi_env env, napi_callback_info info) {
  napi_value arguments[1];
  int32_t fd;
  if (!take_arguments(env, info, arguments, 1)) return NULL;
  if (!descriptor_of(env, arguments[0], &fd)) return bad_argument(env, NULL);
  return integer(env, close(fd) ? errno : 0);
}
