"""Situations that programs come into seldom, each in a folder of its own below argv[1]: prints NAME: OUTCOME, one a line, the same on every
file system that behaves as Linux says. test/long/odd-situations.test.ts compares a drive with a local folder."""
import ctypes
import errno
import fcntl
import mmap
import os
import signal
import struct
import subprocess
import sys
import time

BASE = os.path.join(sys.argv[1], 'odd')
LIBC = ctypes.CDLL(None, use_errno=True)
ALL = []


def situation(work):
    ALL.append(work)
    return work


def told(work, *args, **words):
    """What a call answers, or the name of its error."""
    try:
        answer = work(*args, **words)
        return 'ok' if answer is None else repr(answer)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))


def shell(script, timeout=120):
    ran = subprocess.run(['bash', '-c', script], capture_output=True, timeout=timeout)
    texts = (text.decode('utf8', 'backslashreplace').replace(BASE, 'HERE') for text in (ran.stdout, ran.stderr))
    return (ran.returncode, *texts)


def tree():
    found = (os.path.join(place, name) for place, folders, files in os.walk(b'.') for name in folders + files)
    return sorted(found)


def child(work):
    pid = os.fork()
    if pid == 0:
        os._exit(work())
    return os.waitpid(pid, 0)[1]


@situation
def tree_moved_onto_and_into_itself():
    shell('mkdir -p a/b/c; echo x > a/b/c/f; echo y > a/g')
    moves = ['mv a a', 'mv a a/b', 'mv a a/b/new', 'mv a/b/c a/b/c', 'mv -T a a', 'mv a/g a/g', 'ln a/g a/h; mv a/g a/h; ls a']
    more = ['mkdir -p z/a; echo q > z/a/q; mv -T a z/a', 'mv a z', 'rm -r z/a; mv a z; find . | sort']
    return [shell(move) for move in moves + more], tree()


@situation
def removed_while_it_is_listed():
    os.mkdir('t')
    for number in range(3000):
        open(f't/{number}', 'w').close()
    listing = os.scandir('t')
    first = [next(listing).name for _ in range(5)]
    ran = subprocess.run(['rm', '-rf', 't'], capture_output=True)
    rest = [entry.name for entry in listing]
    return ran.returncode, ran.stderr, len(set(first + rest)) == len(first + rest), os.path.exists('t')


@situation
def removed_by_two_and_listed_by_a_third():
    for folder in range(40):
        os.makedirs(f't/{folder}')
        for number in range(40):
            open(f't/{folder}/{number}', 'w').close()
    both = [subprocess.Popen(['rm', '-rf', 't'], stderr=subprocess.PIPE) for _ in range(2)]
    said = b''
    while any(one.poll() is None for one in both):
        said += subprocess.run(['ls', '-laR', 't'], capture_output=True).stderr
    said += b''.join(one.communicate()[1] for one in both)
    expected = (b'No such file', b'not empty', b'reading directory')
    return os.path.exists('t'), [line for line in said.split(b'\n') if line and not any(word in line for word in expected)]


@situation
def names_that_scripts_trip_over():
    names = [b'new\nline', b'\xff\xfe\xfd', b'caf\xc3\xa9', b'cafe\xcc\x81', b' ', b'...', b'\x01\x7f', b'a' * 255, b'-rf', b'*', b'\\', b'\xed\xa0\x80']
    for name in names:
        with open(name, 'wb') as file:
            file.write(name)
    whole = sorted(os.listdir(b'.')) == sorted(names) and all(open(name, 'rb').read() == name for name in names)
    long = [told(work, b'b' * 256) for work in (os.mkdir, os.stat, os.unlink)] + [told(os.stat, b'c' * 4000)]
    copies = shell('tar cf - . | (mkdir ../tt; cd ../tt; tar xf -); diff -r . ../tt; rm -r ../tt; rsync -a ./ ../uu/; diff -r . ../uu; rm -r ../uu')
    counts = shell('find . -type f -print0 | sort -z | xargs -0 cat | md5sum; find . -type f -print0 | xargs -0 -n1 -P4 md5sum | wc -l; find . -type f -delete; ls -A')
    return whole, long, copies, counts


@situation
def deeper_than_a_path_can_say():
    place, name = os.open('.', os.O_RDONLY), 'x' * 200
    for _ in range(40):
        os.mkdir(name, dir_fd=place)
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=place)
        os.close(place)
        place = inner
    os.close(os.open('leaf', os.O_CREAT | os.O_RDWR, dir_fd=place))
    seen = [told(os.stat, '/'.join([name] * 25)), told(os.link, 'leaf', 'l', src_dir_fd=place, dst_dir_fd=place), sorted(os.listdir(place))]
    here = os.getcwd()
    os.fchdir(place)
    seen += [told(os.getcwd), told(os.setxattr, 'leaf', 'user.a', b'1')]
    os.chdir(here)
    os.close(place)
    return seen, shell('find . | wc -l; cp -r x* copy; find copy | wc -l; rm -rf x* copy; ls')


@situation
def standing_in_a_folder_that_is_gone():
    script = 'mkdir g; cd g; rmdir ../g; /bin/pwd; ls -a; touch x; mkdir y; ls ..; mkdir ../g; ls; touch z; cd ../g; touch ok; ls'
    return shell(script)


@situation
def watched():
    watch = LIBC.inotify_init1(os.O_NONBLOCK)
    os.mkdir('w')
    LIBC.inotify_add_watch(watch, b'w', 0xFFF)
    shell('echo x > w/a; cat w/a; mv w/a w/b; chmod 600 w/b; ln w/b w/c; rm w/b; mkdir w/s; rmdir w/s; truncate -s 0 w/c; ln -s q w/l; mv w/c c; mv c w/l')
    return events(watch)


@situation
def watched_file_that_is_unlinked_and_open():
    open('f', 'w').close()
    watch = LIBC.inotify_init1(os.O_NONBLOCK)
    LIBC.inotify_add_watch(watch, b'f', 0xFFF)
    file = open('f', 'a')
    file.write('y')
    file.flush()
    os.unlink('f')
    file.close()
    return events(watch)


def events(watch):
    time.sleep(0.3)
    found, bytes_ = [], os.read(watch, 65536)
    while bytes_:
        _, mask, _, length = struct.unpack('iIII', bytes_[:16])
        found.append((hex(mask), bytes_[16 : 16 + length].rstrip(b'\0')))
        bytes_ = bytes_[16 + length :]
    os.close(watch)
    return found


@situation
def locks_of_a_shell_that_is_killed():
    holder = subprocess.Popen(['bash', '-c', 'exec 9> lk; flock 9; echo got; exec sleep 100'], stdout=subprocess.PIPE)
    holder.stdout.readline()
    refused = shell('exec 8> lk; flock -n 8; echo $?; flock -n -s 8; echo $?; flock -w 0.3 lk true; echo $?')
    waiting = subprocess.Popen(['bash', '-c', 'exec 9> lk; flock 9; echo got'], stdout=subprocess.PIPE)
    time.sleep(0.2)
    waits = waiting.poll() is None
    holder.kill()
    return refused, waits, waiting.communicate(timeout=30)[0], [told(fcntl.fcntl, os.open('lk', os.O_RDONLY), 1024, kind) for kind in (0, 2)]


@situation
def direct_mapped_and_plain_at_once():
    file, direct = os.open('f', os.O_RDWR | os.O_CREAT), os.open('f', os.O_RDWR | os.O_DIRECT)
    os.write(file, b'a' * 8192)
    mapped, page, other = mmap.mmap(file, 8192), mmap.mmap(-1, 4096), mmap.mmap(-1, 4096)
    seen = [mapped[0:1]]
    page.write(b'b' * 4096)
    seen += [os.pwritev(direct, [page], 4096), mapped[4096:4097], os.pread(file, 2, 4095)]
    mapped[0:1] = b'c'
    seen += [os.preadv(direct, [other], 0), other[0:2]]
    os.pwrite(file, b'd', 4097)
    return seen + [os.preadv(direct, [other], 4096), other[0:3]]


@situation
def mapped_and_cut_short_below():
    def beyond():
        file = os.open('f', os.O_RDWR | os.O_CREAT)
        os.ftruncate(file, 65536)
        mapped = mmap.mmap(file, 65536)
        mapped[40000] = 1
        os.ftruncate(file, 4096)
        return mapped[40000]

    def again():
        file = os.open('g', os.O_RDWR | os.O_CREAT)
        os.write(file, b'q' * 65536)
        mapped = mmap.mmap(file, 65536)
        touched = mapped[40000]
        os.truncate('g', 0)
        os.truncate('g', 65536)
        return 0 if touched and mapped[40000] == 0 and mapped[0] == 0 else 9

    def unlinked():
        file = os.open('h', os.O_RDWR | os.O_CREAT)
        os.write(file, b'x' * 10000)
        mapped = mmap.mmap(file, 10000)
        os.close(file)
        os.unlink('h')
        mapped[5] = 66
        mapped.flush()
        return 0 if mapped[4:7] == b'xBx' else 9

    return child(beyond) == signal.SIGBUS, child(again), child(unlinked)


@situation
def worktrees_in_worktrees():
    make = 'git init -q r; cd r; git config user.email a@b; git config user.name n; mkdir d; for i in $(seq 50); do echo $i > d/$i; done; git add .; git commit -qm one; for b in 1 2 3 4; do git branch b$b; done'
    nest = 'cd r; git worktree add -q ../w1 b1 && cd ../w1 && git worktree add -q s/w2 b2 && cd s/w2 && git worktree add -q s/w3 b3 && cd s/w3 && git worktree add -q s/w4 b4 && cd s/w4 && echo n > new && git add new && git commit -qm two && git status --short && git worktree list | wc -l && cd .. && git worktree remove w4 && git worktree prune && git gc -q && git fsck'
    clone = 'cd r; git worktree move ../w1 ../w1b; git worktree list | wc -l; git merge -q b4; ls new; git clone -q --local . ../c; cd ../c; git status --short; find .git/objects -links +1 | wc -l'
    return [shell(script)[:2] for script in (make, nest, clone)]


@situation
def rsync_in_place_and_appending():
    shell('mkdir s; dd if=/dev/urandom of=s/big bs=1M count=6 status=none; seq 99 | while read n; do echo $n > s/$n; done; ln s/1 s/hard; ln -s 2 s/soft; truncate -s 20M s/sparse; mkfifo s/ff')
    scripts = ['rsync -aHXS s/ d/', 'rsync -aHX --inplace s/ d/', 'head -c 3000000 s/big > e; rsync --append s/big e; cmp s/big e', 'head -c 100000 s/big > f; rsync --append-verify s/big f; cmp s/big f']
    scripts += ['tr a-m n-z < s/big > g; rsync -I --inplace --no-whole-file s/big g; cmp s/big g', 'rsync -a --delete --link-dest=$PWD/d s/ h/; stat -c %h h/big', 'rsync -aW --preallocate s/ i/; cmp s/big i/big', 'rsync -acn --itemize-changes s/ d/']
    return [shell(script) for script in scripts], os.stat('d/sparse').st_blocks < 100


@situation
def sparse_as_a_terabyte():
    scripts = ['truncate -s 1T big; stat -c "%s %b" big', 'cp --sparse=always big b2; stat -c "%s %b" b2', 'echo hi | dd of=big bs=1 seek=500G conv=notrunc status=none; cp --sparse=always --reflink=never big b3; dd if=b3 bs=1 skip=500G count=3 status=none', 'truncate -s +1 big; truncate -s "<10" big; stat -c %s big']
    scripts += ['dd if=/dev/zero of=z bs=1M count=4 status=none; cp --sparse=always z y; stat -c %b y; fallocate -d z; stat -c %b z; cmp y z']
    return [shell(script) for script in scripts]


@situation
def programs_that_run_and_are_written():
    shell('cp /bin/sleep s')
    runs = subprocess.Popen(['./s', '30'])
    time.sleep(0.2)
    seen = [told(os.open, 's', os.O_RDWR), told(os.truncate, 's', 1), told(os.unlink, 's'), shell('cp /bin/echo s; ./s hi')]
    runs.kill()
    runs.wait()
    file = os.open('s', os.O_WRONLY | os.O_APPEND)
    seen.append(shell('./s hi')[0])
    os.close(file)
    return seen + [shell('./s hi'), shell('echo "echo script" > t; chmod +x t; bash ./t')]


@situation
def small_tools_on_one_file():
    scripts = ['seq 1000 > f; chmod 640 f; ln f g; sed -i s/1/x/ f; stat -c "%a %h" f g; md5sum < f', 'sort -o f f; md5sum < f; shred -u f; ls', 'split -n 7 g; cat x?? | cmp - g; cat x?? >> xaa', 'install -m 750 -D g a/b/g; stat -c %a a/b/g; cat g > g; stat -c %s g', 'set -C; echo a > n; echo b > n; echo c >| n; cat n']
    scripts += ['for k in 1 2 3 4; do (for i in $(seq 200); do echo $k-$i >> log; done) & done; wait; sort -u log | wc -l', 'mkdir -p s/d; seq 9 > s/a; ln s/a s/b; truncate -s 5M s/sp; tar -cSf t.tar s; tar -df t.tar; tar -cf u.tar -g snar s; echo x >> s/a; tar -cf v.tar -g snar s; tar tf v.tar | wc -l']
    return [shell(script) for script in scripts]


os.mkdir(BASE)
for work in ALL:
    place = os.path.join(BASE, work.__name__)
    os.mkdir(place)
    os.chdir(place)
    try:
        outcome = work()
    except BaseException as error:
        outcome = f'{type(error).__name__}: {error}'
    os.chdir(BASE)
    print(f'{work.__name__}: {outcome}'.replace(BASE, 'HERE'), flush=True)
    left = shell(f'rm -rf {work.__name__}')
    if left[0] != 0:
        print(f'{work.__name__} cannot be removed: {left}', flush=True)
