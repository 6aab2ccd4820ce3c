/** Real programs on a real drive: git, tar, cp, rsync, sqlite3, by root and by another user; stored, recovered, and checked again. */
import fs from 'node:fs'
import t from 'tap'
import { differences, manifestOf } from './drive-manifest.js'
import { Lab } from './drive-process.js'
import { USER } from './mounts.js'

const GIT = `export HOME=$PWD; git config --global user.name t; git config --global user.email t@t
  git init -q a && cp -r $SOURCE/src a/ && cd a && git add -A && git commit -qm one && git mv src lib && git commit -qam two
  for i in $(seq 5); do echo "$i" >> notes; git add notes; git commit -qm "note $i"; done; git tag -a v1 -m v1; git checkout -qb other HEAD~3
  echo branch > branch; git add branch; git commit -qm branch; git merge -qm merge master 2>/dev/null || git merge -qm merge main
  cd .. && git clone -q a b && git clone -q --no-local a c && git -C a gc -q --prune=now && git -C b repack -adq
  git -C b worktree add -q ../w HEAD~1; for r in a b c; do git -C $r fsck --full --strict; test -z "$(git -C $r status --porcelain)"; done
  git -C a log --oneline | wc -l`

const COPIES = `mkdir from && cp -a $SOURCE/test from/ && ln from/test/support/ramp.ts from/hard && ln -s test from/soft && mkfifo from/pipe
  truncate -s 9M from/holes; printf x | dd of=from/holes bs=1 seek=4000000 conv=notrunc status=none; setfattr -n user.k -v v from/hard; chmod 4711 from/holes
  cp -a from copy && cp -au from/. copy/ && test -z "$(rsync -aHXS --itemize-changes from/ copy/)"
  rsync -aHXS from/ again/ && test -z "$(rsync -aHXS --itemize-changes --checksum from/ again/)"
  tar --xattrs -cf t.tar from && mkdir out && tar --xattrs -C out -xpf t.tar && tar -C out -df t.tar && tar -df t.tar
  cp --sparse=always from/holes h && cmp h from/holes && cp --reflink=auto from/holes i && cmp i h && diff -r --no-dereference -x pipe from out/from && echo same`

const SQL = `for mode in delete wal; do
  sqlite3 $mode.db "pragma journal_mode=$mode; create table t(a integer primary key, b);"
  for r in 1 2 3; do sqlite3 $mode.db "with recursive c(x) as (select 1 union all select x+1 from c where x<2500) insert into t(b) select hex(randomblob(60)) from c;
    update t set b=b||a where a%$((r+2))=0; delete from t where a%11=$r;"; done
  sqlite3 $mode.db "begin; delete from t; rollback; vacuum; pragma integrity_check; select count(*)>4500 from t;"; done`

const AFTER = `export HOME=$PWD; for r in a b c; do git -C $r fsck --full --strict; test -z "$(git -C $r status --porcelain)"; done
  for d in delete wal; do sqlite3 $d.db "pragma integrity_check"; done; tar -df t.tar; rm -rf a && git -C b log -1 --format=%s`

export function programsTest(): void {
  t.test('git, tar, cp, rsync and sqlite3 find a disk, also after a recovery', async (t) => {
    const lab = new Lab(t)
    const { facts: network } = await lab.up()
    const { state } = network
    const mount = lab.made('mnt')
    const drive = await lab.mount({ mount, state })
    // Where every user can read it.
    const source = lab.made('source')
    await lab.sh(
      `mkdir ${source}/src ${source}/test && cp -r src/mount src/base ${source}/src/ && cp -r test/support test/vectors ${source}/test/ && chmod -R a+rX ${source}`,
      { cwd: process.cwd() },
    )
    const isRoot = process.geteuid?.() === 0
    const users = isRoot ? [0, USER] : [process.geteuid?.() ?? 0]
    const as = (uid: number, script: string) => {
      fs.writeFileSync(
        lab.path('script.sh'),
        `set -euo pipefail; export SOURCE=${source} GIT_CONFIG_NOSYSTEM=1; ${script}`,
      )
      const become = uid === 0 || !isRoot ? '' : `setpriv --reuid=${uid} --regid=${uid} --clear-groups`
      return lab.sh(`cd ${mount}/u${uid} && ${become} bash ${lab.path('script.sh')} 2>&1`, { timeoutMs: 200_000 })
    }
    for (const uid of users) {
      await lab.sh(`mkdir ${mount}/u${uid} && chown ${uid}:${uid} ${mount}/u${uid}`)
      t.match(await as(uid, GIT), /^\d+\n$/, `git as ${uid}`)
      t.match(await as(uid, COPIES), /same/, `copies as ${uid}`)
      t.match(await as(uid, SQL), /ok\n1\n[\s\S]*ok\n1\n/, `sqlite3 as ${uid}`)
    }
    if (isRoot) {
      await t.rejects(
        lab.sh(`cd ${mount} && setpriv --reuid=2000 --regid=2000 --clear-groups touch u${USER}/a/.git/config`),
        /denied/i,
      )
    }
    await lab.sync(state)
    t.same(await lab.findings(state), [])
    const before = await manifestOf(mount)
    t.equal(await drive.stop(), 0)
    fs.rmSync(state, { recursive: true })
    const recovered = await lab.mount({ mount, state: lab.path('recovered'), network })
    t.same(differences(before, await manifestOf(mount, 'stripes')), [], 'the recovered drive is the same')
    for (const uid of users) t.match(await as(uid, AFTER), /ok\nok\n/, `still sound for ${uid}`)
    t.same(await lab.findings(lab.path('recovered')), [])
    t.equal(await recovered.stop(), 0)
  })
}
