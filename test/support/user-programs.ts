/** What people do with a drive, as scripts: each runs in a folder of its own on the mount, and again (`after`) on the recovered one. */

export interface UserProgram {
  readonly name: string
  /** Commands that it needs, each with the Debian package that has it. */
  readonly needs: Readonly<Record<string, string>>
  /** bash, with `set -euo pipefail`; $SOURCE is a copy of this project's files, $LOCAL a folder that is not on the mount. */
  readonly script: string
  /** On the recovered drive, in the same folder. */
  readonly after?: string
  /** The programs of this one refuse to run as root: the folder is theirs. */
  readonly user?: string
}

const PG = '/usr/lib/postgresql/15/bin'

/** LibreOffice keeps its profile where $HOME is. */
const OFFICE = `export HOME=$LOCAL/office; mkdir -p $HOME
  printf 'a,b\\n1,2\\n3,4\\n' > t.csv; printf 'One line.\\nAnother.\\n' > t.txt
  soffice --headless --convert-to odt t.txt >&2; soffice --headless --convert-to pdf t.odt >&2; soffice --headless --convert-to docx t.odt >&2
  soffice --headless --convert-to txt:Text --outdir back t.docx >&2; grep -q Another back/t.txt
  test "$(ls .~lock* 2>/dev/null | wc -l)" = 0`

const VIM = `umask 022; for how in yes no auto; do printf 'one\\n' > v.$how; chmod 640 v.$how; ino=$(stat -c %i v.$how)
    vim -N -u NONE -i NONE -n -es -c "set backup writebackup backupskip= backupcopy=$how" -c '%s/one/two/' -c 'wq' v.$how
    grep -q two v.$how; test "$(stat -c %a v.$how)" = 640; grep -q one v.$how~
    if [ $how = yes ]; then test "$(stat -c %i v.$how)" = $ino; fi; done
  test -z "$(ls -A | grep '\\.sw.$' || true)"`

const NANO = `printf 'first\\n' > n.txt
  expect -c 'set timeout 20; set env(TERM) xterm; spawn nano --ignorercfiles n.txt; expect "first"; send "added "; send "\\x0f"; expect "Write"; send "\\r"; expect "Wrote"; send "\\x18"; expect eof' >&2
  grep -q 'added first' n.txt`

/** Three writers at once, one of them killed in the middle of a transaction. */
const SQL_KILL = `for mode in delete wal; do
    sqlite3 $mode.db "pragma journal_mode=$mode; create table t(a integer primary key, b); insert into t values(0,'kept');" >&2
    ( echo ".timeout 20000"; echo "begin; with recursive c(x) as (select 1 union all select x+1 from c where x<200000) insert into t(b) select hex(randomblob(60)) from c;"; sleep 30 ) | sqlite3 $mode.db & dying=$!
    sleep 2; pkill -9 -P $dying 2>/dev/null || true; kill -9 $dying 2>/dev/null || true; wait $dying 2>/dev/null || true
    for w in 1 2 3; do ( for r in $(seq 20); do sqlite3 -cmd '.timeout 20000' $mode.db "insert into t(b) values('$w $r');"; done ) & done; wait
    test "$(sqlite3 $mode.db 'pragma integrity_check; select count(*) from t')" = "$(printf 'ok\\n61')"; done`

const POSTGRES = `${PG}/initdb -D data -A trust >&2; echo "unix_socket_directories='$PWD'" >> data/postgresql.conf; echo "listen_addresses=''" >> data/postgresql.conf
  ${PG}/pg_ctl -D data -w -l log start >&2; ${PG}/createdb -h $PWD bench; ${PG}/pgbench -h $PWD -i -q -s 2 bench >&2
  ${PG}/pgbench -h $PWD -c 4 -T 8 bench >&2; ${PG}/pg_ctl -D data -m immediate stop >&2
  ${PG}/pg_ctl -D data -w -l log start >&2; ${PG}/psql -h $PWD bench -Atc 'select count(*) from pgbench_accounts'; ${PG}/pg_ctl -D data -m fast stop >&2`

const GIT = `export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git config --global user.email a@b; git config --global user.name a; git init -q -b main work; cd work
  cp -r $SOURCE/src $SOURCE/docs .; git add -A; git commit -qm one; git checkout -qb other; git mv docs papers; rm -r src/host; git commit -qam two; git checkout -q main
  printf x >> docs/semantics.md; git stash -q; git merge -q --no-edit other; git stash pop -q || true; git checkout -q -f; git worktree add -q ../tree other; cd ..
  git clone -q --no-local work clone; git -C clone repack -adq; git -C work gc -q --prune=now; git clone -q work hard
  for r in work clone hard; do git -C $r fsck --full --strict; test -z "$(git -C $r status --porcelain)"; done; diff -r --exclude=.git clone hard`

export const USER_PROGRAMS: readonly UserProgram[] = [
  {
    name: 'git: commit, merge, stash, worktree, clone, repack, gc, fsck',
    needs: { git: 'git' },
    script: GIT,
    after: `export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
      for r in work clone hard tree; do git -C $r fsck --full --strict; test -z "$(git -C $r status --porcelain)"; done; git clone -q work again; diff -r --exclude=.git again clone`,
  },
  {
    name: 'sqlite3, killed in a transaction',
    needs: { sqlite3: 'sqlite3', pkill: 'procps' },
    script: SQL_KILL,
    after: 'for m in delete wal; do test "$(sqlite3 $m.db "pragma integrity_check")" = ok; done',
  },
  {
    name: 'a large tree: tar, cp -a, rsync twice',
    needs: { tar: 'tar', rsync: 'rsync' },
    script: `cp -a $SOURCE tree; tar -cf $LOCAL/t.tar tree; mkdir out; tar -C out -xpf $LOCAL/t.tar; tar -C out -df $LOCAL/t.tar
      cp -a out/tree copy; rsync -aHX out/tree/ copy/ --delete; test -z "$(rsync -aHXni --delete out/tree/ copy/)"; diff -r --no-dereference tree copy; rm -rf out`,
    after: 'diff -r --no-dereference tree copy',
  },
  {
    name: 'make of a C project',
    needs: { make: 'make', cc: 'gcc' },
    script: `cp $SOURCE/node_modules/better-sqlite3/deps/sqlite3/sqlite3.* .; printf 'CFLAGS=-O0 -DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_LOAD_EXTENSION\\nall: libs.a prog\\nlibs.a: sqlite3.o\\n\\tar rcs $@ $^\\nprog: main.o libs.a\\n\\t$(CC) -o $@ main.o libs.a -lm\\n' > Makefile
      printf '#include "sqlite3.h"\\n#include <stdio.h>\\nint main(void){puts(sqlite3_libversion());return 0;}\\n' > main.c
      make -j2 >&2; ./prog; make | grep -q 'Nothing to be done'; touch main.c; make >&2`,
    after: "make | grep -q 'Nothing to be done'; ./prog",
  },
  {
    name: 'npm ci',
    needs: { npm: 'nodejs' },
    script: `printf '{"name":"x","version":"1.0.0","dependencies":{"yargs":"18.2.0","pino":"10.4.0","lru-cache":"11.5.3"}}' > package.json
      export npm_config_cache=$LOCAL/npm; npm install --no-audit --no-fund --ignore-scripts >&2; npm ci --no-audit --no-fund --ignore-scripts >&2
      node -e "import('yargs').then(() => import('pino')).then(() => console.log('both'))" | grep both`,
    after: "node -e \"import('yargs').then(() => console.log('again'))\" | grep again",
  },
  {
    name: 'a Python environment',
    needs: { '/usr/bin/python3': 'python3-venv' },
    script: `/usr/bin/python3 -m venv --without-pip env; printf 'import sys\\nprint(sys.prefix)\\n' > m.py; env/bin/python m.py | grep -q env
      cp -r /usr/lib/python3.11/email /usr/lib/python3.11/json .; env/bin/python -m compileall -q email json; env/bin/python -c 'import json; print(json.__file__)' | grep -q "$PWD"`,
    after: 'env/bin/python m.py | grep -q env',
  },
  { name: 'vim saves in its three ways', needs: { vim: 'vim' }, script: VIM },
  { name: 'nano saves', needs: { nano: 'nano', expect: 'expect' }, script: NANO },
  { name: 'LibreOffice converts and saves', needs: { soffice: 'libreoffice-writer-nogui' }, script: OFFICE },
  {
    name: 'zip and 7z: pack, test, unpack',
    needs: { zip: 'zip', unzip: 'unzip', '7z': 'p7zip-full' },
    script: `cp -r $SOURCE/docs d; zip -qr d.zip d; unzip -tq d.zip; mkdir z; unzip -q d.zip -d z; diff -r d z/d; 7z a -bso0 d.7z d; 7z t -bso0 d.7z; 7z x -bso0 -os d.7z; diff -r d s/d`,
    after: 'unzip -tq d.zip; 7z t -bso0 d.7z',
  },
  {
    name: 'ffmpeg makes, remuxes and reads a film',
    needs: { ffmpeg: 'ffmpeg' },
    script: `ffmpeg -v error -f lavfi -i testsrc=duration=6:size=640x360:rate=25 -f lavfi -i sine=duration=6 -c:v mpeg4 -c:a aac -movflags +faststart f.mp4
      ffmpeg -v error -i f.mp4 -c copy f.mkv; ffmpeg -v error -i f.mp4 -c copy -bsf:v dump_extra -f hls -hls_time 2 f.m3u8; ffmpeg -v error -i f.mkv -f null -; ffmpeg -v error -i f.m3u8 -f null -`,
    after: 'ffmpeg -v error -i f.mp4 -f null -',
  },
  {
    name: 'a restic repository',
    needs: { restic: 'restic' },
    script: `export RESTIC_PASSWORD=x RESTIC_CACHE_DIR=$LOCAL/restic; restic -q init -r r; restic -q -r r backup $SOURCE/docs; restic -q -r r backup $SOURCE/docs $SOURCE/src
      restic -q -r r check --read-data; restic -q -r r restore latest --target back; diff -r $SOURCE/src back$SOURCE/src; restic -q -r r forget --keep-last 1 --prune; restic -q -r r check`,
    after: 'export RESTIC_PASSWORD=x RESTIC_CACHE_DIR=$LOCAL/restic2; restic -q -r r check --read-data',
  },
  {
    name: 'a borg repository',
    needs: { borg: 'borgbackup' },
    script: `export BORG_BASE_DIR=$LOCAL/borg BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes; borg init -e none r; borg create r::a $SOURCE/docs; borg create r::b $SOURCE/docs $SOURCE/src
      borg check --verify-data r >&2; mkdir back; (cd back; borg extract ../r::b); diff -r $SOURCE/src back$SOURCE/src; borg prune --keep-last 1 r; borg compact r`,
    after:
      'export BORG_BASE_DIR=$LOCAL/borg BORG_RELOCATED_REPO_ACCESS_IS_OK=yes BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes; borg check --verify-data r >&2',
  },
  {
    name: 'PostgreSQL: initdb, pgbench, an immediate stop',
    needs: { [`${PG}/initdb`]: 'postgresql-15' },
    user: 'postgres',
    script: `test "$( (${POSTGRES}) | tail -1)" = 200000`,
    after: `${PG}/pg_ctl -D data -w -l log start >&2; ${PG}/psql -h $PWD bench -Atc 'select count(*) from pgbench_accounts' | grep -q 200000; ${PG}/pg_ctl -D data -m fast stop >&2`,
  },
]
