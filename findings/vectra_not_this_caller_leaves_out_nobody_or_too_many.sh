#!/usr/bin/env bash
# vectra 0.15.0 (npm), a vector database in a folder, seen 2026-11-30 (Node 20, x86-64; the package asks for Node 22 or
# later, and runs all the same). sift 17.1.4 (npm), which has MongoDB's operators, stands beside it.
#
# Behaviour: a search takes conditions on what is stored beside a vector, by the documentation with MongoDB's operators,
# evaluated before the ranking: `$in` is "in set" and `$nin` "not in set". For text both look a second time, whether the
# value is a part of any entry, and for numbers they look in no other way, and at texts alone. So `$in` with a list of
# numbers finds nothing, and `$nin` with one leaves nothing out. `$in` with texts is right; `$nin` with texts leaves out
# all that is a piece of an entry besides: who asks for everybody but joanne does not get ann, and with an extension
# +493023125100 the exchange +493023125 is gone. `$eq`, `$ne` and `$or` are right for both kinds. There is no error. The
# types allow numbers in both lists ("string or number"). Two pull requests of the repository, 36 and 55, mended `$in`
# and `$nin` before; no issue was found that tells of this.
#
# What one would have guessed: that a number which is in a list is in it, as in MongoDB, Pinecone and sift. Callers have
# numbers as keys. "The nearest voices but this caller's own" is how a store is searched for somebody who has enrolled
# twice, or who is known to be a fraud: with numbers the nearest is always the caller, whose own voice is taken for the
# other person's; with texts the very one who is sought may be the one left out. "Which of this household is it?", by a
# list of numbers, is answered with nobody.
#
# Output seen:
#   everybody: vectra ann, joanne, exchange, extension; sift ann, joanne, exchange, extension
#   {"key":{"$in":[1,2]}}: vectra nobody; sift ann, joanne
#   {"$or":[{"key":1},{"key":2}]}: vectra ann, joanne; sift ann, joanne
#   {"key":{"$nin":[1,2]}}: vectra ann, joanne, exchange, extension; sift exchange, extension
#   {"key":{"$ne":1}}: vectra joanne, exchange, extension; sift joanne, exchange, extension
#   {"who":{"$in":["joanne"]}}: vectra joanne; sift joanne
#   {"who":{"$nin":["joanne"]}}: vectra exchange, extension; sift ann, exchange, extension
#   {"line":{"$nin":["+493023125100"]}}: vectra ann, joanne; sift ann, joanne, exchange
#   {"line":{"$ne":"+493023125100"}}: vectra ann, joanne, exchange; sift ann, joanne, exchange
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund --ignore-scripts --omit=optional vectra@0.15.0 sift@17.1.4
cat >seen.mjs <<'JS'
import assert from 'node:assert'
import { join } from 'node:path'
import siftPackage from 'sift'
import { LocalIndex } from 'vectra'

const sift = siftPackage.default ?? siftPackage
const CALLERS = [
  { key: 1, who: 'ann', line: '+12025550100' },
  { key: 2, who: 'joanne', line: '+12025550101' },
  { key: 3, who: 'exchange', line: '+493023125' },
  { key: 4, who: 'extension', line: '+493023125100' },
]
const index = new LocalIndex(join(process.cwd(), 'voices'))
await index.createIndex()
for (const caller of CALLERS) {
  await index.insertItem({ vector: [1, caller.key / 10], metadata: caller })
}

const names = (callers) => callers.map((caller) => caller.who).join(', ') || 'nobody'

async function found(filter) {
  const results = await index.queryItems([1, 0.1], '', CALLERS.length, filter)
  const mine = names(results.map(({ item }) => item.metadata))
  const wanted = names(CALLERS.filter(sift(filter ?? {})))
  console.log(`${filter ? JSON.stringify(filter) : 'everybody'}: vectra ${mine}; sift ${wanted}`)
  return [mine, wanted]
}

async function right(filter, wanted) {
  assert.deepStrictEqual(await found(filter), [wanted, wanted])
}

async function wrong(filter, mine, wanted) {
  assert.deepStrictEqual(await found(filter), [mine, wanted])
}

const all = 'ann, joanne, exchange, extension'
await right(undefined, all)
await wrong({ key: { $in: [1, 2] } }, 'nobody', 'ann, joanne')
await right({ $or: [{ key: 1 }, { key: 2 }] }, 'ann, joanne')
await wrong({ key: { $nin: [1, 2] } }, all, 'exchange, extension')
await right({ key: { $ne: 1 } }, 'joanne, exchange, extension')
await right({ who: { $in: ['joanne'] } }, 'joanne')
await wrong({ who: { $nin: ['joanne'] } }, 'exchange, extension', 'ann, exchange, extension')
await wrong({ line: { $nin: ['+493023125100'] } }, 'ann, joanne', 'ann, joanne, exchange')
await right({ line: { $ne: '+493023125100' } }, 'ann, joanne, exchange')
JS
node seen.mjs
