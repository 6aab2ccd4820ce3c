"""Calls of the hand that are more than a line: what Python has no word for, and what is quicker here than in many questions."""
import ctypes, errno, fcntl, mmap, os, signal, socket, stat, struct

libc = ctypes.CDLL(None, use_errno=True)
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
libc.telldir.restype = ctypes.c_long
AT_FDCWD, AT_NOFOLLOW, AT_FOLLOW = -100, 0x100, 0x400
RENAME = {'': 0, 'NOREPLACE': 1, 'EXCHANGE': 2, 'WHITEOUT': 4, 'NOREPLACE|EXCHANGE': 3}
FALLOCATE = {'KEEP_SIZE': 1, 'PUNCH_HOLE': 2, 'COLLAPSE_RANGE': 8, 'ZERO_RANGE': 16, 'INSERT_RANGE': 32, 'UNSHARE_RANGE': 64}
LOCK = {'SETLK': 6, 'SETLKW': 7, 'GETLK': 5, 'OFD_SETLK': 37, 'OFD_SETLKW': 38, 'OFD_GETLK': 36}
KINDS = {'fifo': stat.S_IFIFO, 'socket': stat.S_IFSOCK, 'block': stat.S_IFBLK, 'char': stat.S_IFCHR, 'file': stat.S_IFREG,
         'directory': stat.S_IFDIR, 'symlink': stat.S_IFLNK}
# One number, two names: the standard's.
NAMES = {**errno.errorcode, errno.EOPNOTSUPP: 'EOPNOTSUPP', errno.EDEADLK: 'EDEADLK', errno.EAGAIN: 'EAGAIN'}
# Of hand.py.
calls_by_name = {}
TYPES = {mode: kind for kind, mode in KINDS.items()}
renameat2 = getattr(libc, 'renameat2', None)

fds, maps, dirs, children, sockets = set(), {}, {}, set(), []


def check(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), '')
    return result


def flags_of(prefix, text):
    value = 0
    for word in text.split('|'):
        value |= getattr(os, prefix + word) if word else 0
    return value


def keep(fd):
    fds.add(fd)
    return fd


def text(data):
    return bytes(data).decode('latin1')


def of_stat(s):
    return {'type': TYPES.get(stat.S_IFMT(s.st_mode), '?'), 'mode': stat.S_IMODE(s.st_mode), 'uid': s.st_uid, 'gid': s.st_gid,
            'nlink': s.st_nlink, 'ino': s.st_ino, 'dev': s.st_dev, 'size': s.st_size, 'blocks': s.st_blocks,
            'blksize': s.st_blksize, 'major': os.major(s.st_rdev), 'minor': os.minor(s.st_rdev),
            'atime': str(s.st_atime_ns), 'mtime': str(s.st_mtime_ns), 'ctime': str(s.st_ctime_ns)}


def begin(folder):
    """The next case: its folder, and nothing open."""
    for pid in list(children):
        end(pid)
    for pool in (maps, dirs):
        for key in list(pool):
            munmap(key) if pool is maps else closedir(key)
    for one in sockets:
        one.close()
    sockets.clear()
    for fd in list(fds):
        close(fd)
    os.umask(0o022)
    os.chdir(folder)


def close(fd):
    fds.discard(fd)
    os.close(fd)


def mknod(path, kind, mode, major=0, minor=0):
    os.mknod(path, KINDS[kind.decode()] | mode, os.makedev(major, minor))


def bind(path):
    """A socket as programs make them."""
    one = socket.socket(socket.AF_UNIX)
    sockets.append(one)
    one.bind(path)


def rename2(source, target, flags):
    check(renameat2(AT_FDCWD, source, AT_FDCWD, target, RENAME[flags.decode()]))


def moment(word):
    """'now', 'omit' or [seconds, nanoseconds]"""
    return (0, {b'now': 0x3FFFFFFF, b'omit': 0x3FFFFFFE}[word]) if isinstance(word, bytes) else tuple(word)


def utimens(where, atime, mtime, follow=True):
    times = struct.pack('qqqq', *moment(atime), *moment(mtime))
    if isinstance(where, int):
        check(libc.futimens(where, times))
    else:
        check(libc.utimensat(AT_FDCWD, where, times, 0 if follow else AT_NOFOLLOW))


def statx(path):
    """Whether there is a birth time, and which."""
    room = ctypes.create_string_buffer(256)
    check(libc.statx(AT_FDCWD, path, AT_NOFOLLOW, 0xFFF, room))
    mask, = struct.unpack_from('I', room, 0)
    sec, nsec = struct.unpack_from('qI', room, 80)
    return {'basic': mask & 0x7FF, 'btime': str(sec * 1_000_000_000 + nsec) if mask & 0x800 else None}


def getxattr(where, name, size=65536, follow=True):
    room = ctypes.create_string_buffer(max(size, 1))
    call = libc.fgetxattr if isinstance(where, int) else libc.getxattr if follow else libc.lgetxattr
    got = check(call(where, name, room, ctypes.c_size_t(size)))
    return text(room.raw[:got]) if size else got


def listxattr(where, size=65536, follow=True):
    room = ctypes.create_string_buffer(max(size, 1))
    call = libc.flistxattr if isinstance(where, int) else libc.listxattr if follow else libc.llistxattr
    got = check(call(where, room, ctypes.c_size_t(size)))
    return sorted(text(name) for name in room.raw[:got].split(b'\0')[:-1]) if size else got


def setxattr(where, name, value, how=b'', follow=True):
    os.setxattr(where, name, value, flags_of('XATTR_', how.decode()), **({} if isinstance(where, int) else {'follow_symlinks': follow}))


def fallocate(fd, modes, offset, length):
    mode = sum(FALLOCATE[word] for word in modes.decode().split('|') if word)
    check(libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)))


def map_file(fd, length, shared=True, write=True):
    flags = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE
    one = mmap.mmap(fd, length, flags, mmap.PROT_READ | (mmap.PROT_WRITE if write else 0))
    maps[id(one)] = one
    return id(one)


def munmap(key):
    maps.pop(key).close()


def lock(fd, command, kind, start=0, length=0):
    """Of GETLK: who is in the way."""
    wanted = struct.pack('hhqqi4x', getattr(fcntl, 'F_' + kind.decode()), 0, start, length, 0)
    got = struct.unpack('hhqqi4x', fcntl.fcntl(fd, LOCK[command.decode()], wanted))
    if b'GETLK' in command:
        return {'type': {0: 'RDLCK', 1: 'WRLCK', 2: 'UNLCK'}[got[0]], 'start': got[2], 'length': got[3]}


class Alarm(Exception):
    pass


def lock_within(fd, seconds, call, *more):
    """EINTR when a signal ended the wait."""
    def ring(*_):
        raise Alarm()
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX) if call == b'flock' else lock(fd, *more)
    except Alarm:
        raise OSError(errno.EINTR, '')
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def opendir(path):
    handle = libc.opendir(path)
    check(-1 if handle is None else 0)
    dirs[handle] = handle
    return handle


def readdir(handle):
    """[name, inode number, type], or null at the end."""
    ctypes.set_errno(0)
    entry = libc.readdir(ctypes.c_void_p(handle))
    if entry is None:
        check(-1 if ctypes.get_errno() else 0)
        return None
    ino, _, length, kind = struct.unpack('QqHB', ctypes.string_at(entry, 19))
    return [text(ctypes.string_at(entry + 19)), ino, TYPES.get(kind << 12, '?')]


def closedir(handle):
    dirs.pop(handle)
    check(libc.closedir(ctypes.c_void_p(handle)))


def scan(path):
    handle, found = opendir(path), []
    while (entry := readdir(handle)) is not None:
        found.append(entry)
    closedir(handle)
    return found


def fill(folder, count, prefix=b'n'):
    for number in range(count):
        os.mknod(b'%s/%s%d' % (folder, prefix, number), stat.S_IFREG | 0o644)


def drain(folder):
    """Removes what it lists while it lists: how many names it saw, and what is left."""
    handle, seen = opendir(folder), 0
    while (entry := readdir(handle)) is not None:
        if entry[0] not in ('.', '..'):
            os.unlink(folder + b'/' + entry[0].encode('latin1'))
            seen += 1
    closedir(handle)
    return [seen, len(os.listdir(folder))]


def every(operation, first, last, *arguments):
    """A call for each number in place of '#': how many had success, and how often each errno."""
    call, won, errnos = calls_by_name[operation.decode()], 0, {}
    for number in range(first, last):
        filled = [one.replace(b'#', b'%d' % number) if isinstance(one, bytes) else one for one in arguments]
        try:
            call(*filled)
            won += 1
        except OSError as error:
            name = NAMES.get(error.errno, str(error.errno))
            errnos[name] = errnos.get(name, 0) + 1
    return [won, errnos]


def append(path, word, times):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    for _ in range(times):
        os.write(fd, word)
    os.close(fd)


def spawn(path, *words):
    """Not by a shell, nor along PATH: the errno of execve when it does not start."""
    null = [(os.POSIX_SPAWN_OPEN, fd, '/dev/null', os.O_RDWR, 0) for fd in range(3)]
    pid = os.posix_spawn(path, [b'program', *words], {}, file_actions=null, setsigdef=[signal.SIGXFSZ])
    children.add(pid)
    return pid


def execute(path, *words):
    """Its exit code."""
    pid = spawn(path, *words)
    children.discard(pid)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def end(pid):
    children.discard(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def copy_program(source, target):
    with open(source, 'rb') as program:
        fd = os.open(target, os.O_CREAT | os.O_WRONLY, 0o755)
        os.write(fd, program.read())
        os.close(fd)


def far(operation, fd, power):
    """At 2 to a power that Node's numbers do not reach."""
    base, *less = power.decode().split(' - ')
    at = 2 ** int(base) - sum(int(one) for one in less)
    return {
        b'ftruncate': lambda: os.ftruncate(fd, at),
        b'pwrite': lambda: os.pwritev(fd, [mmap.mmap(-1, 4096)], at),
        b'pread': lambda: text((room := mmap.mmap(-1, 4096))[: os.preadv(fd, [room], at)]),
        b'fallocate': lambda: fallocate(fd, b'', at, 4096),
        b'seek_data': lambda: os.lseek(fd, at, os.SEEK_DATA),
        b'seek_hole': lambda: os.lseek(fd, at, os.SEEK_HOLE),
    }[operation]()


def statvfs(where):
    s = os.statvfs(where)
    return {'bsize': s.f_bsize, 'frsize': s.f_frsize, 'blocks': s.f_blocks, 'bfree': s.f_bfree, 'bavail': s.f_bavail,
            'files': s.f_files, 'ffree': s.f_ffree, 'namemax': s.f_namemax}
