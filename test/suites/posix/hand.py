"""
A hand of the POSIX suite: a process with the ids of one user that carries out system calls, one a line. It exists because Node has
no mknod, renameat2, fallocate, locks or extended attributes, and cannot become another user.

  python3 hand.py UID GID GROUP,GROUP...

asks   ["operation", argument...]      a JSON array a line; strings are bytes, one character each (latin1)
says   {"value": ...} or {"errno": "ENOENT"}

Times are nanoseconds as strings, for JSON of Node has no such integers. Flags are the names of the standard without their
prefix, joined by '|'. begin() closes what was open, so no case meets what another left.
"""
import ctypes, errno, fcntl, json, mmap, os, resource, signal, sys
import calls
from calls import NAMES, AT_FDCWD, AT_FOLLOW, check, flags_of, keep, libc, maps, of_stat, text

OPERATIONS = {
    **{name: getattr(calls, name) for name in (
        'begin', 'close', 'mknod', 'bind', 'rename2', 'utimens', 'statx', 'getxattr', 'listxattr', 'setxattr', 'fallocate', 'munmap',
        'lock', 'lock_within', 'opendir', 'readdir', 'closedir', 'scan', 'fill', 'drain', 'append', 'execute', 'spawn', 'end',
        'copy_program', 'far', 'statvfs', 'every')},
    **{name: getattr(os, name) for name in ('umask', 'chdir', 'mkdir', 'symlink', 'unlink', 'rmdir', 'rename', 'chmod', 'fchmod',
                                            'chown', 'fchown', 'lchown', 'truncate', 'ftruncate', 'fsync', 'fdatasync', 'sync',
                                            'write', 'posix_fallocate', 'copy_file_range')},
    'open': lambda path, flags, mode=0o644: keep(os.open(path, flags_of('O_', flags.decode()), mode)),
    'link': lambda source, target, follow=False: check(libc.linkat(AT_FDCWD, source, AT_FDCWD, target, AT_FOLLOW if follow else 0)),
    'linkfd': lambda fd, target: check(libc.linkat(AT_FDCWD, b'/proc/self/fd/%d' % fd, AT_FDCWD, target, AT_FOLLOW)),
    'readlink': lambda path: text(os.readlink(path)),
    'read': lambda fd, size: text(os.read(fd, size)),
    'pread': lambda fd, size, offset: text(os.pread(fd, size, offset)),
    'pwrite': lambda fd, data, offset: os.pwrite(fd, data, offset),
    'zeros': lambda fd, size, offset: os.pread(fd, size, offset) == bytes(size),
    'pread_direct': lambda fd, size, offset: text((room := mmap.mmap(-1, size))[: os.preadv(fd, [room], offset)]),
    'pwrite_direct': lambda fd, data, offset: ((room := mmap.mmap(-1, len(data))).write(data), os.pwritev(fd, [room], offset))[1],
    'lseek': lambda fd, offset, whence: os.lseek(fd, offset, flags_of('SEEK_', whence.decode())),
    'stat': lambda path: of_stat(os.stat(path)),
    'lstat': lambda path: of_stat(os.lstat(path)),
    'fstat': lambda fd: of_stat(os.fstat(fd)),
    'access': lambda path, mode: check(libc.access(path, flags_of('', mode.decode()))),
    'removexattr': lambda where, name: os.removexattr(where, name),
    'lremovexattr': lambda where, name: os.removexattr(where, name, follow_symlinks=False),
    'mmap': calls.map_file,
    'mread': lambda key, size, offset: text(maps[key][offset:offset + size]),
    'mwrite': lambda key, data, offset: maps[key].__setitem__(slice(offset, offset + len(data)), data),
    'msync': lambda key: maps[key].flush(),
    'flock': lambda fd, how: fcntl.flock(fd, sum(getattr(fcntl, 'LOCK_' + word) for word in how.decode().split('|'))),
    'telldir': lambda handle: str(libc.telldir(ctypes.c_void_p(handle))),
    'seekdir': lambda handle, at: libc.seekdir(ctypes.c_void_p(handle), ctypes.c_long(int(at))) and None,
    'rewinddir': lambda handle: libc.rewinddir(ctypes.c_void_p(handle)) and None,
    'limit_file_size': lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1])),
    'append_mode': lambda fd, on: fcntl.fcntl(fd, fcntl.F_SETFL, os.O_APPEND if on else 0),
    'writev': lambda fd, *parts: os.writev(fd, parts),
    'preadv': lambda fd, offset, *sizes: text((rooms := [bytearray(one) for one in sizes], got := os.preadv(fd, rooms, offset), b''.join(rooms)[:got])[2]),
    'sendfile': os.sendfile,
    'pwrite_once': lambda fd, data, offset, flag: os.pwritev(fd, [data], offset, flags_of('RWF_', flag.decode())),
    'dup': lambda fd: keep(os.dup(fd)),
    'ioctl': lambda fd, request, argument=0: fcntl.ioctl(fd, request, argument),
    'getcwd': lambda: text(os.getcwdb()),
}


calls.calls_by_name.update(OPERATIONS)


def argument(one):
    return one.encode('latin1') if isinstance(one, str) else one


def answer(line):
    operation, *arguments = json.loads(line)
    try:
        return {'value': OPERATIONS[operation](*[argument(one) for one in arguments])}
    except OSError as error:
        return {'errno': NAMES.get(error.errno, str(error.errno))}
    except Exception as error:
        return {'errno': 'no call: %s' % error}


# What is imported at first use is not there any more for a user who cannot look into the folder of this Python.
text(b'\xe9')
uid, gid = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([int(one) for one in sys.argv[3].split(',') if one])
os.setresgid(gid, gid, gid)
os.setresuid(uid, uid, uid)
sys.stdin.reconfigure(encoding='utf-8')
sys.stdout.reconfigure(encoding='utf-8')
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for line in sys.stdin:
    print(json.dumps(answer(line), ensure_ascii=False), flush=True)
