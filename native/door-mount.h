// What JavaScript cannot do by itself to get a mount: mount(2) and umount2(2), off the JavaScript thread because both
// may wait for a file system (also for our own); and taking the descriptor that fusermount passes over a socket.
#ifndef SHARDRIVE_DOOR_MOUNT_H
#define SHARDRIVE_DOOR_MOUNT_H

#include <node_api.h>

// mountDirect(path, source, type, flags, options) -> Promise of a descriptor >= 0 or a negative errno. Root only.
napi_value door_mount_direct(napi_env env, napi_callback_info info);
// detach(path, flags) -> Promise of 0 or an errno.
napi_value door_detach(napi_env env, napi_callback_info info);
// detachNow(path) -> 0 or an errno: lazily, on the calling thread, for the last moments of a process.
napi_value door_detach_now(napi_env env, napi_callback_info info);
// socketPair() -> [ours, theirs], both close-on-exec.
napi_value door_socket_pair(napi_env env, napi_callback_info info);
// receiveDescriptor(socket) -> the descriptor that was passed, or a negative errno. Does not wait.
napi_value door_receive_descriptor(napi_env env, napi_callback_info info);
// closeDescriptor(fd): for what the functions above returned and nobody attached.
napi_value door_close_descriptor(napi_env env, napi_callback_info info);

#endif
