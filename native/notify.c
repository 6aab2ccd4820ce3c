// One datagram to a unix socket, which Node cannot send. Functions and promises: src/addon/notify.ts.
#include <errno.h>
#include <fcntl.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// macOS has no such flag; datagrams raise no signal there either.
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

// A name may be as long as the address; a message as long as one that a service manager reads.
enum { NAME_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path), MESSAGE_SIZE = 4096 };

static bool text_of(napi_env env, napi_value value, char *out, size_t size, size_t *length) {
  // Asked for first: what is longer than the room would be cut without a word.
  return napi_get_value_string_utf8(env, value, NULL, 0, length) == napi_ok && *length > 0 && *length < size &&
         napi_get_value_string_utf8(env, value, out, size, length) == napi_ok;
}

// "@name" is a name of Linux's abstract kind: a zero byte instead of the @, no zero at its end.
static socklen_t address_of(struct sockaddr_un *address, const char *name, size_t length) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, name, length);
  const size_t head = offsetof(struct sockaddr_un, sun_path);
  if (name[0] != '@') return (socklen_t)(head + length + 1);
  address->sun_path[0] = '\0';
  return (socklen_t)(head + length);
}

static int send_datagram(const struct sockaddr_un *address, socklen_t size, const char *text, size_t length) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (fd < 0) return errno;
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  ssize_t sent;
  // Never waits: a service manager whose queue is full must not stall the event loop.
  do sent = sendto(fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)address, size);
  while (sent < 0 && errno == EINTR);
  const int failure = sent < 0 ? errno : 0;
  close(fd);
  return failure;
}

// send(name, text) -> 0 or errno
static napi_value send_text(napi_env env, napi_callback_info info) {
  size_t count = 2, name_length, text_length;
  napi_value arguments[2], result;
  char name[NAME_SIZE], text[MESSAGE_SIZE];
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 2 ||
      !text_of(env, arguments[0], name, sizeof name, &name_length) ||
      !text_of(env, arguments[1], text, sizeof text, &text_length) || memchr(name, '\0', name_length)) {
    napi_throw_type_error(env, NULL, "notify: the name of a socket and a text, neither empty nor too long");
    return NULL;
  }
  struct sockaddr_un address;
  const socklen_t size = address_of(&address, name, name_length);
  const int failure = send_datagram(&address, size, text, text_length);
  return napi_create_int32(env, failure, &result) == napi_ok ? result : NULL;
}

NAPI_MODULE_INIT() {
  napi_value version, function;
  const bool ok = napi_create_uint32(env, 1, &version) == napi_ok &&
                  napi_set_named_property(env, exports, "version", version) == napi_ok &&
                  napi_create_function(env, "send", NAPI_AUTO_LENGTH, send_text, NULL, &function) == napi_ok &&
                  napi_set_named_property(env, exports, "send", function) == napi_ok;
  return ok ? exports : NULL;
}
