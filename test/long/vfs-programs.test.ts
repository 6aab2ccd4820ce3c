// Programs on a drive without a network, by clause of docs/semantics.md (npm test has them on a whole drive: drive-programs).
import t from 'tap'
import { driveOf, shell, TREE } from '../mount/vfs-mount.js'

// Real programs on a shared machine.
t.setTimeout(180_000)

t.test('S-2 S-12 git: init, commit, local clone with hard links, gc and fsck', async (t) => {
  const { mount } = await driveOf(t)
  const out = await shell(
    mount,
    `git init -q a && mkdir a/docs && for i in $(seq 300); do echo text $i > a/docs/$i; done; cp -r /usr/share/doc/git a/docs/ 2>/dev/null || true
     cd a && git add -A && git -c user.name=t -c user.email=a@b commit -qm 1
     cd .. && git clone -q a b && git -C b gc -q --prune=now && git -C b fsck --full --strict && git -C a status --porcelain
     diff -r --no-dereference a/docs b/docs && echo same`,
  )
  t.match(out, /same/)
})

t.test('S-4 S-5 S-6 cp -a, tar -d and rsync find nothing left to do', async (t) => {
  const { mount } = await driveOf(t)
  const out = await shell(
    mount,
    `cd $(mktemp -d) && ${TREE} && src=$PWD && cd ${mount}
     cp -a $src/tree copy && tar -C $src -cf $src/t.tar tree && tar -xpf $src/t.tar && tar -df $src/t.tar
     rsync -aHX $src/tree/ again/ && test -z "$(rsync -aHXni $src/tree/ again/)"
     rsync -aHX $src/tree/ copy/ -ni | grep -v '^$' || echo nothing
     list() { (cd $1 && find . -printf '%P %y %m %n %s %T@ %l\\n' | LC_ALL=C sort); }
     diff <(list $src/tree | grep -v '^ d') <(list copy | grep -v '^ d') && diff -r --no-dereference -x fifo $src/tree copy && echo equal
     stat -c %b copy/sparse; getfattr --only-values -n user.colour copy/bytes; rm -r $src`,
  )
  t.match(out, /nothing/)
  t.match(out, /equal/)
  t.match(out, /blue/)
})

t.test('S-8 sqlite3 keeps a database whole in both journal modes', async (t) => {
  const { mount } = await driveOf(t)
  for (const mode of ['delete', 'wal']) {
    const out = await shell(
      mount,
      `sqlite3 ${mode}.db "pragma journal_mode=${mode}; create table t(a integer primary key,b);
       with recursive c(x) as (select 1 union all select x+1 from c where x<20000) insert into t select x,hex(randomblob(50)) from c;
       update t set b=b||a where a%7=0; pragma integrity_check; select count(*) from t;"`,
    )
    t.match(out, new RegExp(`${mode}\\nok\\n20000`))
  }
})
